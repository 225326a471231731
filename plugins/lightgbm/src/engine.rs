//! A safe wrapper of LightGBM: frees each handle once, returns errors as values, and prints nothing
//! to stdout.
//!
//! Datasets and training use the C interface, because lightgbm3's safe layer bins each training set
//! again and drops the binned set together with the model. Prediction with a fitted model uses
//! lightgbm3.
//!
//! Concurrent fits need no lock. In this build without OpenMP, LightGBM's functions for a fit have
//! no process-wide mutable state. Its log level, log callback and last error are thread-local
//! (`log.h`, `c_api.h`). LightGBM stores no number of threads. A subset is taken by only reading
//! the dataset (`const Dataset*`, without `mutable` members).

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::marker::PhantomData;
use std::ptr::null_mut;

use lightgbm3_sys as ffi;
use oculus_plugin_api::{PluginError, Result};

use crate::matrix::Matrix;

const F32: c_int = ffi::C_API_DTYPE_FLOAT32 as c_int;
const F64: c_int = ffi::C_API_DTYPE_FLOAT64 as c_int;

extern "C" fn discard(_: *const c_char) {}

/// Makes LightGBM discard the log messages of this thread.
///
/// The parameter `verbosity` applies only after a thread has parsed its first parameters. Until
/// then LightGBM would print to stdout.
fn silence() {
    // SAFETY: the callback is a static function that does not read its argument.
    unsafe { ffi::LGBM_RegisterLogCallback(Some(discard)) };
}

/// Runs one call of LightGBM and returns its error message if it fails.
fn call(run: impl FnOnce() -> c_int) -> Result<()> {
    silence();
    if run() == 0 {
        return Ok(());
    }
    // SAFETY: LightGBM returns its thread-local, zero-terminated buffer, which is copied before any
    // other call.
    let message = unsafe { CStr::from_ptr(ffi::LGBM_GetLastError()) };
    Err(PluginError::engine(format!("LightGBM: {}", message.to_string_lossy())))
}

/// Converts a length to LightGBM's integer type.
fn c_len(len: usize) -> Result<i32> {
    i32::try_from(len)
        .map_err(|_| PluginError::data(format!("found {len} rows, but LightGBM accepts at most {}", i32::MAX)))
}

/// A dataset of binned rows, owned by LightGBM.
pub(crate) struct Dataset {
    handle: ffi::DatasetHandle,
    n_columns: usize,
}

// SAFETY: the handle owns heap memory that is not bound to a thread.
unsafe impl Send for Dataset {}
// SAFETY: through `&Dataset` LightGBM only reads: `labelled_subset`, `bin_like` and `Trainer` pass
// it as `const Dataset*`.
unsafe impl Sync for Dataset {}

impl Dataset {
    /// Creates a dataset whose bin boundaries are quantiles of the matrix's own values.
    pub(crate) fn binned(matrix: &Matrix, settings: &CStr) -> Result<Self> {
        let n_rows = c_len(matrix.n_rows())?;
        let n_columns = c_len(matrix.n_columns())?;
        let data = matrix.values().as_ptr().cast::<c_void>();
        let mut handle = null_mut();
        // SAFETY: `data` points to n_rows × n_columns floats in row-major order (the argument 1).
        // LightGBM copies them.
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

    /// Sets the feature names, one per column.
    pub(crate) fn name_features(&mut self, names: &[String]) -> Result<()> {
        let names: std::result::Result<Vec<_>, _> = names.iter().map(|name| CString::new(name.as_str())).collect();
        let names =
            names.map_err(|error| PluginError::data(format!("a feature name contains a zero byte: {error}")))?;
        let mut pointers: Vec<_> = names.iter().map(|name| name.as_ptr()).collect();
        // The count is not checked here: LightGBM rejects a list of names whose length differs from
        // the number of columns.
        let n_names = c_len(pointers.len())?;
        // SAFETY: `pointers` has `n_names` zero-terminated strings, which live until LightGBM has
        // copied them.
        call(|| unsafe { ffi::LGBM_DatasetSetFeatureNames(self.handle, pointers.as_mut_ptr(), n_names) })
    }

    /// Bins the rows of `matrices` with the bin boundaries of this dataset.
    ///
    /// * `n_rows`: the number of rows of all matrices together.
    pub(crate) fn bin_like(&self, n_rows: usize, matrices: impl Iterator<Item = Matrix>) -> Result<Self> {
        let mut handle = null_mut();
        let n_total = c_len(n_rows)?;
        // SAFETY: the reference dataset is alive, and the new dataset copies its bin boundaries.
        call(|| unsafe { ffi::LGBM_DatasetCreateByReference(self.handle, n_total.into(), &raw mut handle) })?;
        let dataset = Self { handle, n_columns: self.n_columns };
        let mut start_row = 0;
        for matrix in matrices {
            let n_chunk = c_len(matrix.n_rows())?;
            let n_columns = c_len(matrix.n_columns())?;
            if n_chunk > n_total - start_row || matrix.n_columns() != self.n_columns {
                return Err(PluginError::engine(format!(
                    "found {n_chunk} rows × {n_columns} columns to bin, expected at most {} rows × {} columns",
                    n_total - start_row,
                    self.n_columns
                )));
            }
            let data = matrix.values().as_ptr().cast::<c_void>();
            // SAFETY: `data` points to n_chunk × n_columns floats. The check above proves that the
            // chunk fits into the dataset.
            call(|| unsafe { ffi::LGBM_DatasetPushRows(dataset.handle, data, F32, n_chunk, n_columns, start_row) })?;
            start_row += n_chunk;
        }
        // LightGBM completes a dataset when it receives the last row. A dataset that lacks rows is
        // unusable.
        if start_row < n_total {
            return Err(PluginError::engine(format!("found {start_row} rows to bin, expected {n_total}")));
        }
        Ok(dataset)
    }

    /// Copies the binned values of `rows`, which must ascend, and sets their labels, one per row.
    pub(crate) fn labelled_subset(&self, rows: &[u32], labels: &[f32], settings: &CStr) -> Result<Self> {
        if rows.len() != labels.len() {
            return Err(PluginError::engine(format!("found {} labels for {} rows", labels.len(), rows.len())));
        }
        let indices: Vec<i32> = rows.iter().map(|&row| c_len(row as usize)).collect::<Result<_>>()?;
        let n_rows = c_len(rows.len())?;
        let mut handle = null_mut();
        // SAFETY: `indices` has `n_rows` elements. LightGBM checks their range and order, and
        // copies what it stores.
        call(|| unsafe {
            ffi::LGBM_DatasetGetSubset(self.handle, indices.as_ptr(), n_rows, settings.as_ptr(), &raw mut handle)
        })?;
        let subset = Self { handle, n_columns: self.n_columns };
        let data = labels.as_ptr().cast::<c_void>();
        // SAFETY: `data` has one float per row of the subset, and LightGBM copies the floats.
        // Nothing else uses the subset yet.
        call(|| unsafe { ffi::LGBM_DatasetSetField(subset.handle, c"label".as_ptr(), data, n_rows, F32) })?;
        Ok(subset)
    }

    /// Sets the log-odds from which boosting starts, one per row of the dataset.
    pub(crate) fn start_from(&mut self, base_score: &[f64]) -> Result<()> {
        let n_rows = c_len(base_score.len())?;
        let data = base_score.as_ptr().cast::<c_void>();
        // SAFETY: `data` has `n_rows` doubles, and LightGBM checks their number and copies them.
        // `&mut self` proves that no trainer uses the dataset yet.
        call(|| unsafe { ffi::LGBM_DatasetSetField(self.handle, c"init_score".as_ptr(), data, n_rows, F64) })
    }
}

impl Drop for Dataset {
    fn drop(&mut self) {
        // SAFETY: LightGBM created the handle, and it is freed only here. Trainers that use the
        // dataset borrow it.
        unsafe { ffi::LGBM_DatasetFree(self.handle) };
    }
}

/// An owned handle of a model in training.
struct Handle(ffi::BoosterHandle);

impl Drop for Handle {
    fn drop(&mut self) {
        // SAFETY: LightGBM created the handle, and it is freed only here.
        unsafe { ffi::LGBM_BoosterFree(self.0) };
    }
}

/// The result of one boosting round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Round {
    /// The round added a tree.
    Grew,
    /// The rows and features of this round have no split with a positive gain.
    NoSplit,
}

/// A model in training, which borrows its datasets.
pub(crate) struct Trainer<'d> {
    handle: Handle,
    datasets: PhantomData<&'d Dataset>,
}

impl<'d> Trainer<'d> {
    /// Starts the training of a model on labelled rows. `tune` is an optional dataset on which the
    /// loss is evaluated.
    pub(crate) fn new(train: &'d Dataset, tune: Option<&'d Dataset>, settings: &CStr) -> Result<Self> {
        let mut handle = null_mut();
        // SAFETY: the dataset lives for 'd, which outlives the trainer.
        call(|| unsafe { ffi::LGBM_BoosterCreate(train.handle, settings.as_ptr(), &raw mut handle) })?;
        let handle = Handle(handle);
        if let Some(tune) = tune {
            // SAFETY: `tune` lives for 'd as well. LightGBM checks that both datasets have equal
            // bins.
            call(|| unsafe { ffi::LGBM_BoosterAddValidData(handle.0, tune.handle) })?;
        }
        Ok(Self { handle, datasets: PhantomData })
    }

    /// Runs one boosting round.
    pub(crate) fn round(&mut self) -> Result<Round> {
        let mut is_finished = 0;
        // SAFETY: the handle is alive, and the pointer has room for one number.
        call(|| unsafe { ffi::LGBM_BoosterUpdateOneIter(self.handle.0, &raw mut is_finished) })?;
        Ok(if is_finished == 0 { Round::Grew } else { Round::NoSplit })
    }

    /// Returns the number of trees so far.
    ///
    /// If the first round finds no split, LightGBM adds a tree of one leaf, which predicts the base
    /// rate. A later round that finds no split adds no tree.
    pub(crate) fn n_trees(&self) -> Result<usize> {
        let mut n_trees = 0;
        // SAFETY: the handle is alive, and the pointer has room for one number.
        call(|| unsafe { ffi::LGBM_BoosterGetCurrentIteration(self.handle.0, &raw mut n_trees) })?;
        Ok(usize::try_from(n_trees).unwrap_or_default())
    }

    /// Computes the loss on the rows for early stopping.
    ///
    /// The settings must name exactly one metric.
    pub(crate) fn tune_loss(&self) -> Result<f64> {
        let mut n_metrics = 0;
        let mut loss = f64::NAN;
        // SAFETY: dataset 1, the first validation dataset, has one metric, and `loss` has room for
        // one number.
        call(|| unsafe { ffi::LGBM_BoosterGetEval(self.handle.0, 1, &raw mut n_metrics, &raw mut loss) })?;
        Ok(loss)
    }

    /// Returns the first `n_rounds` rounds as LightGBM's model text.
    pub(crate) fn text(&self, n_rounds: usize) -> Result<String> {
        let n_rounds = c_len(n_rounds)?;
        // A text larger than this buffer costs a second call, because the size is unknown before
        // the first call.
        let mut text = vec![0_u8; 64 * 1024];
        loop {
            let buffer = text.as_mut_ptr().cast::<c_char>();
            let capacity = text.len() as i64;
            let mut needed = 0;
            // SAFETY: `buffer` has `capacity` bytes; LightGBM writes nothing if it needs more.
            call(|| unsafe {
                ffi::LGBM_BoosterSaveModelToString(
                    self.handle.0,
                    0,
                    n_rounds,
                    ffi::C_API_FEATURE_IMPORTANCE_GAIN as c_int,
                    capacity,
                    &raw mut needed,
                    buffer,
                )
            })?;
            let needed = usize::try_from(needed).unwrap_or_default();
            if needed <= text.len() {
                // `needed` includes the terminating zero byte.
                text.truncate(needed.saturating_sub(1));
                return String::from_utf8(text).map_err(PluginError::engine);
            }
            // LightGBM has reported the required size, so the next attempt fits.
            text.resize(needed, 0);
        }
    }
}

/// A fitted model of lightgbm3, which is immutable and only predicts.
pub(crate) struct Booster(lightgbm3::Booster);

// SAFETY: the handle owns heap memory that is not bound to a thread.
unsafe impl Send for Booster {}
// SAFETY: through `&Booster` LightGBM only reads the model, under a lock inside LightGBM.
unsafe impl Sync for Booster {}

impl Booster {
    /// Parses LightGBM's model text.
    pub(crate) fn from_text(text: &str) -> Result<Self> {
        // LightGBM reads the text as a C string, which would end at its first zero byte.
        if text.contains('\0') {
            return Err(PluginError::model("the model text contains a zero byte"));
        }
        silence();
        let read = lightgbm3::Booster::from_string(text);
        read.map(Self).map_err(|error| PluginError::model(format!("LightGBM: {error}")))
    }

    /// Returns the number of features.
    pub(crate) fn n_features(&self) -> usize {
        usize::try_from(self.0.num_features()).unwrap_or_default()
    }

    /// Returns the number of rounds.
    pub(crate) fn n_rounds(&self) -> u32 {
        u32::try_from(self.0.num_iterations()).unwrap_or_default()
    }

    /// Computes the probability of class 1 for each row.
    pub(crate) fn predict(&self, matrix: &Matrix, settings: &str) -> Result<Vec<f64>> {
        silence();
        let n_columns = c_len(matrix.n_columns())?;
        self.0.predict_with_params(matrix.values(), n_columns, true, settings).map_err(engine_error)
    }

    /// Computes the log-odds of class 1 for each row: the sum of the trees.
    pub(crate) fn log_odds(&self, matrix: &Matrix, settings: &str) -> Result<Vec<f64>> {
        silence();
        let n_columns = c_len(matrix.n_columns())?;
        self.0.raw_scores_with_params(matrix.values(), n_columns, true, settings).map_err(engine_error)
    }

    /// Returns the total gain of the splits on each feature.
    pub(crate) fn gain(&self) -> Result<Vec<f64>> {
        silence();
        self.0.feature_importance(lightgbm3::ImportanceType::Gain).map_err(engine_error)
    }
}

fn engine_error(error: lightgbm3::Error) -> PluginError {
    PluginError::engine(format!("LightGBM: {error}"))
}
