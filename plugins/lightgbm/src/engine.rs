//! LightGBM, held safely: handles are freed once, errors are values, nothing is printed to stdout.
//!
//! Datasets and training go through the C interface, since lightgbm3's safe layer bins each training set anew and drops
//! it with its model; a fitted model is lightgbm3's.
//!
//! Built without OpenMP, LightGBM has no process-wide mutable state on these paths: its log level, log callback and last
//! error are thread-local (`log.h`, `c_api.h`), its thread count does not exist, and a dataset is only read
//! (`const Dataset*`, no `mutable` member) by subsetting. So fits run side by side without a lock.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::marker::PhantomData;
use std::ptr::null_mut;

use lightgbm3_sys as ffi;
use oculus_plugin_api::{PluginError, Result};

use crate::matrix::Matrix;

const F32: c_int = ffi::C_API_DTYPE_FLOAT32 as c_int;

extern "C" fn discard(_: *const c_char) {}

/// Before a thread's first parameters LightGBM would print to stdout.
fn silence() {
    // SAFETY: the callback is a static function that reads nothing.
    unsafe { ffi::LGBM_RegisterLogCallback(Some(discard)) };
}

/// Runs one call of the engine.
fn call(run: impl FnOnce() -> c_int) -> Result<()> {
    silence();
    if run() == 0 {
        return Ok(());
    }
    // SAFETY: the engine returns its thread-local, zero-terminated buffer, which is copied before any other call.
    let message = unsafe { CStr::from_ptr(ffi::LGBM_GetLastError()) };
    Err(PluginError::engine(format!("LightGBM: {}", message.to_string_lossy())))
}

/// A length as the engine takes it.
fn c_len(len: usize) -> Result<i32> {
    i32::try_from(len).map_err(|_| PluginError::data(format!("LightGBM takes at most {} rows, found {len}", i32::MAX)))
}

/// Binned rows.
pub(crate) struct Dataset {
    handle: ffi::DatasetHandle,
    n_columns: usize,
}

// SAFETY: the handle owns heap memory that no thread is tied to.
unsafe impl Send for Dataset {}
// SAFETY: through `&Dataset` the engine only reads: `subset`, `like` and `Trainer` take it as `const Dataset*`.
unsafe impl Sync for Dataset {}

impl Dataset {
    /// Bins rows by their own quantiles.
    pub(crate) fn binned(matrix: &Matrix, settings: &CStr) -> Result<Self> {
        let n_rows = c_len(matrix.n_rows())?;
        let n_columns = c_len(matrix.n_columns())?;
        let data = matrix.values().as_ptr().cast::<c_void>();
        let mut handle = null_mut();
        // SAFETY: `data` holds n_rows × n_columns floats, row-major (1), which the engine copies.
        call(|| unsafe {
            ffi::LGBM_DatasetCreateFromMat(
                data,
                F32,
                n_rows,
                n_columns,
                1,
                settings.as_ptr(),
                null_mut(),
                &raw mut handle,
            )
        })?;
        Ok(Self { handle, n_columns: matrix.n_columns() })
    }

    /// Names the features, one name a column.
    pub(crate) fn name_features(&mut self, names: &[String]) -> Result<()> {
        let names: std::result::Result<Vec<_>, _> = names.iter().map(|name| CString::new(name.as_str())).collect();
        let names = names.map_err(|error| PluginError::data(format!("a feature name has a zero byte: {error}")))?;
        let mut pointers: Vec<_> = names.iter().map(|name| name.as_ptr()).collect();
        // The engine refuses another number of names than columns.
        let n_names = c_len(pointers.len())?;
        // SAFETY: `n_names` zero-terminated strings, alive until the engine has copied them.
        call(|| unsafe { ffi::LGBM_DatasetSetFeatureNames(self.handle, pointers.as_mut_ptr(), n_names) })
    }

    /// Bins the rows of `matrices` by the bins of this dataset; together they have `n_rows` rows.
    pub(crate) fn bin_like(&self, n_rows: usize, matrices: impl Iterator<Item = Matrix>) -> Result<Self> {
        let mut handle = null_mut();
        let n_total = c_len(n_rows)?;
        // SAFETY: the reference is alive, and the new dataset copies its bins.
        call(|| unsafe { ffi::LGBM_DatasetCreateByReference(self.handle, n_total.into(), &raw mut handle) })?;
        let dataset = Self { handle, n_columns: self.n_columns };
        let mut start_row = 0;
        for matrix in matrices {
            let n_chunk = c_len(matrix.n_rows())?;
            let n_columns = c_len(matrix.n_columns())?;
            if n_chunk > n_total - start_row || matrix.n_columns() != self.n_columns {
                return Err(PluginError::engine("rows to bin that do not fit the dataset"));
            }
            let data = matrix.values().as_ptr().cast::<c_void>();
            // SAFETY: `data` holds n_chunk × n_columns floats, and both fit by the check above.
            call(|| unsafe { ffi::LGBM_DatasetPushRows(dataset.handle, data, F32, n_chunk, n_columns, start_row) })?;
            start_row += n_chunk;
        }
        // The engine finishes a dataset at its last row.
        if start_row < n_total {
            return Err(PluginError::engine(format!("{start_row} of {n_total} rows to bin")));
        }
        Ok(dataset)
    }

    /// Copies the bins of ascending rows, and sets their labels.
    pub(crate) fn labelled_subset(&self, rows: &[u32], label: &[f32], settings: &CStr) -> Result<Self> {
        let indices: Vec<i32> = rows.iter().map(|&row| c_len(row as usize)).collect::<Result<_>>()?;
        let labels: Vec<f32> = rows.iter().map(|&row| label[row as usize]).collect();
        let n_rows = c_len(rows.len())?;
        let mut handle = null_mut();
        // SAFETY: `n_rows` indices, whose range and order the engine checks; it copies what it keeps.
        call(|| unsafe {
            ffi::LGBM_DatasetGetSubset(self.handle, indices.as_ptr(), n_rows, settings.as_ptr(), &raw mut handle)
        })?;
        let subset = Self { handle, n_columns: self.n_columns };
        let data = labels.as_ptr().cast::<c_void>();
        // SAFETY: one float a row of the subset, which nobody else has yet; the engine copies them.
        call(|| unsafe { ffi::LGBM_DatasetSetField(subset.handle, c"label".as_ptr(), data, n_rows, F32) })?;
        Ok(subset)
    }
}

impl Drop for Dataset {
    fn drop(&mut self) {
        // SAFETY: made by the engine, freed here once; trainers that refer to it borrow it.
        unsafe { ffi::LGBM_DatasetFree(self.handle) };
    }
}

/// A model's handle, freed once.
struct Handle(ffi::BoosterHandle);

impl Drop for Handle {
    fn drop(&mut self) {
        // SAFETY: made by the engine, freed here once.
        unsafe { ffi::LGBM_BoosterFree(self.0) };
    }
}

/// What a round of boosting did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Round {
    /// Grew a tree.
    Grew,
    /// Found no split that gains among the rows and features of this round.
    NoSplit,
}

/// A model in training, which refers to its datasets.
pub(crate) struct Trainer<'d> {
    handle: Handle,
    datasets: PhantomData<&'d Dataset>,
}

impl<'d> Trainer<'d> {
    /// Starts on labelled rows, and watches the loss on others.
    pub(crate) fn new(train: &'d Dataset, tune: Option<&'d Dataset>, settings: &CStr) -> Result<Self> {
        let mut handle = null_mut();
        // SAFETY: the dataset is alive, and stays so for 'd.
        call(|| unsafe { ffi::LGBM_BoosterCreate(train.handle, settings.as_ptr(), &raw mut handle) })?;
        let handle = Handle(handle);
        if let Some(tune) = tune {
            // SAFETY: as above; its bins are those of `train`, which the engine checks.
            call(|| unsafe { ffi::LGBM_BoosterAddValidData(handle.0, tune.handle) })?;
        }
        Ok(Self { handle, datasets: PhantomData })
    }

    /// One round of boosting.
    pub(crate) fn round(&mut self) -> Result<Round> {
        let mut is_finished = 0;
        // SAFETY: a live handle and a place for one number.
        call(|| unsafe { ffi::LGBM_BoosterUpdateOneIter(self.handle.0, &raw mut is_finished) })?;
        Ok(if is_finished == 0 { Round::Grew } else { Round::NoSplit })
    }

    /// Trees grown so far. When the first round finds no split, the engine keeps a tree of one leaf, the base rate;
    /// later ones leave nothing behind.
    pub(crate) fn n_trees(&self) -> Result<usize> {
        let mut n_trees = 0;
        // SAFETY: a live handle and a place for one number.
        call(|| unsafe { ffi::LGBM_BoosterGetCurrentIteration(self.handle.0, &raw mut n_trees) })?;
        Ok(usize::try_from(n_trees).unwrap_or_default())
    }

    /// The loss on the watched rows. The settings name exactly one metric.
    pub(crate) fn tune_loss(&self) -> Result<f64> {
        let mut n_metrics = 0;
        let mut loss = f64::NAN;
        // SAFETY: one metric on data 1 (the first watched dataset), hence a place for one number.
        call(|| unsafe { ffi::LGBM_BoosterGetEval(self.handle.0, 1, &raw mut n_metrics, &raw mut loss) })?;
        Ok(loss)
    }

    /// The first `n_rounds` rounds as LightGBM's text.
    pub(crate) fn text(&self, n_rounds: usize) -> Result<String> {
        let n_rounds = c_len(n_rounds)?;
        let mut text = vec![0_u8; 64 * 1024];
        loop {
            let buffer = text.as_mut_ptr().cast::<c_char>();
            let room = text.len() as i64;
            let mut needed = 0;
            // SAFETY: `room` bytes to write to; the engine writes nothing when it needs more.
            call(|| unsafe {
                ffi::LGBM_BoosterSaveModelToString(
                    self.handle.0,
                    0,
                    n_rounds,
                    ffi::C_API_FEATURE_IMPORTANCE_GAIN as c_int,
                    room,
                    &raw mut needed,
                    buffer,
                )
            })?;
            let needed = usize::try_from(needed).unwrap_or_default();
            if needed <= text.len() {
                // Without the zero at the end.
                text.truncate(needed.saturating_sub(1));
                return String::from_utf8(text).map_err(PluginError::engine);
            }
            text.resize(needed, 0);
        }
    }
}

/// A model that predicts: lightgbm3's own, which changes nothing of a fitted model.
pub(crate) struct Booster(lightgbm3::Booster);

// SAFETY: the handle owns heap memory that no thread is tied to.
unsafe impl Send for Booster {}
// SAFETY: through `&Booster` the engine predicts and counts under its own lock, and changes nothing.
unsafe impl Sync for Booster {}

impl Booster {
    /// Reads LightGBM's text, which has no zero byte.
    pub(crate) fn from_text(text: &str) -> Result<Self> {
        if text.contains('\0') {
            return Err(PluginError::model("the text has a zero byte"));
        }
        silence();
        let read = lightgbm3::Booster::from_string(text);
        read.map(Self).map_err(|error| PluginError::model(format!("LightGBM: {error}")))
    }

    /// Number of features.
    pub(crate) fn n_features(&self) -> usize {
        usize::try_from(self.0.num_features()).unwrap_or_default()
    }

    /// Number of rounds.
    pub(crate) fn n_rounds(&self) -> u32 {
        u32::try_from(self.0.num_iterations()).unwrap_or_default()
    }

    /// Probability of class 1 for each row.
    pub(crate) fn predict(&self, matrix: &Matrix, settings: &str) -> Result<Vec<f64>> {
        silence();
        let n_columns = c_len(matrix.n_columns())?;
        self.0.predict_with_params(matrix.values(), n_columns, true, settings).map_err(engine_error)
    }

    /// Total gain of the splits on each feature.
    pub(crate) fn gain(&self) -> Result<Vec<f64>> {
        silence();
        self.0.feature_importance(lightgbm3::ImportanceType::Gain).map_err(engine_error)
    }
}

fn engine_error(error: lightgbm3::Error) -> PluginError {
    PluginError::engine(format!("LightGBM: {error}"))
}
