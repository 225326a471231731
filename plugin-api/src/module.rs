//! The adapter between the ABI and the author's traits.
//!
//! In: calls through [`abi::Module`]. Out: calls of [`PreparedFamily`], [`Model`] or [`Extractor`].
//! Invariant: every argument is checked before the author's code runs, and no panic leaves the
//! plugin.

use std::mem::ManuallyDrop;
use std::panic::{AssertUnwindSafe, catch_unwind};

use abi_stable::erased_types::TD_Opaque;
use abi_stable::prefix_type::PrefixTypeTrait;
use abi_stable::std_types::{RResult, RSlice, RSliceMut, RStr, RString, RVec};

use crate::table::as_slice;
use crate::{
    Ctx, Extension, Extractor, Manifest, Model, Params, PluginError, PreparedFamily, Result, Setting, Table, Task, abi,
    panic_place,
};

/// Returns the functions of a plugin that is a model family.
pub fn family_module<F: PreparedFamily>() -> abi::Module_Ref {
    abi::Module {
        describe: describe_family::<F>,
        prepare: prepare::<F>,
        load: load::<F>,
        extract: no_extract,
        extension: extension_of_family::<F>,
    }
    // The host keeps the reference until the process exits, because libraries are never closed.
    .leak_into_prefix()
}

/// Returns the functions of a plugin that is a rule extractor.
pub fn extractor_module<E: Extractor>() -> abi::Module_Ref {
    abi::Module {
        describe: describe_extractor::<E>,
        prepare: no_prepare,
        load: no_load,
        extract: extract::<E>,
        extension: extension_of_extractor::<E>,
    }
    .leak_into_prefix()
}

/// Runs the author's code and converts a panic into an error with its message.
///
/// A panic that unwound out of an `extern "C"` function would abort the plugin process.
fn guarded<T>(work: impl FnOnce() -> Result<T>) -> RResult<T, PluginError> {
    panic_place::record();
    // `AssertUnwindSafe`: the SDK has no state of its own that a panic could leave inconsistent.
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(result) => result.into(),
        Err(payload) => {
            let place = panic_place::take();
            // The payload of `panic!` is a `&str` if the message is a literal, and a `String` if it
            // has format arguments.
            let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
            let text = text.or_else(|| payload.downcast_ref::<String>().cloned());
            // The payload is not dropped, because it comes from the author's code, and its `drop`
            // could panic again, outside the guard.
            std::mem::forget(payload);
            RResult::RErr(PluginError::panic(&text.unwrap_or_else(|| "panicked without a message".into()), place))
        }
    }
}

/// A value of the author's type. A panic in its `drop` is caught.
struct Guarded<T>(ManuallyDrop<T>);

impl<T> Drop for Guarded<T> {
    fn drop(&mut self) {
        let _ = guarded(|| {
            // SAFETY: the value is dropped here once and not used afterwards.
            unsafe { ManuallyDrop::drop(&mut self.0) };
            Ok(())
        });
    }
}

impl<M: Model> abi::Model for Guarded<M> {
    fn predict(
        &self,
        table: abi::Table<'_>,
        rows: RSlice<'_, u32>,
        mut out: RSliceMut<'_, f32>,
    ) -> RResult<(), PluginError> {
        guarded(|| {
            let (table, rows) = checked_rows(table, rows, &out)?;
            self.0.predict(&table, rows, out.as_mut_slice())
        })
    }

    fn predict_with(
        &self,
        table: abi::Table<'_>,
        rows: RSlice<'_, u32>,
        base_score: RSlice<'_, f32>,
        mut out: RSliceMut<'_, f32>,
        host: abi::HostRef<'_>,
    ) -> RResult<(), PluginError> {
        guarded(|| {
            let (table, rows) = checked_rows(table, rows, &out)?;
            let base_score = as_slice(base_score);
            let ctx = Ctx::new(&host);
            let out = out.as_mut_slice();
            if base_score.is_empty() {
                return self.0.predict_with(&table, rows, out, &ctx);
            }
            table.check_base_score(base_score)?;
            self.0.predict_from(&table, rows, base_score, out, &ctx)?;
            let without_base = rows.iter().zip(out).filter(|(row, _)| !base_score[**row as usize].is_finite());
            without_base.for_each(|(_, score)| *score = f32::NAN);
            Ok(())
        })
    }

    fn save(&self) -> RResult<RVec<u8>, PluginError> {
        guarded(|| self.0.save().map(RVec::from))
    }

    fn importance(&self) -> RResult<RVec<f64>, PluginError> {
        guarded(|| self.0.importance().map(RVec::from))
    }

    fn summary(&self) -> RResult<RString, PluginError> {
        guarded(|| serde_json::to_string(&self.0.summary()).map(RString::from).map_err(PluginError::engine))
    }
}

/// Checks the arguments of a prediction.
fn checked_rows<'t, 'r>(
    table: abi::Table<'t>,
    rows: RSlice<'r, u32>,
    out: &RSliceMut<'_, f32>,
) -> Result<(Table<'t>, &'r [u32])> {
    let table = Table::new(table)?;
    let rows = as_slice(rows);
    // Authors index columns with these rows, so a row beyond the table would panic in their code.
    table.check_rows("rows to predict", rows)?;
    if rows.len() != out.len() {
        let n_rows = rows.len();
        return Err(PluginError::data(format!("found {n_rows} rows to predict and space for {} scores", out.len())));
    }
    Ok((table, rows))
}

/// Moves a model to the heap, behind the function table that the host calls.
fn boxed<M: Model>(model: M) -> abi::ModelBox {
    // `TD_Opaque` disables downcasts: a `TypeId` has no meaning in code of another compiler.
    abi::Model_TO::from_value(Guarded(ManuallyDrop::new(model)), TD_Opaque)
}

/// A prepared table, and the original table against which each task is checked.
struct GuardedPrepared<'a, F: PreparedFamily> {
    prepared: Guarded<F::Prepared<'a>>,
    table: Table<'a>,
}

impl<F: PreparedFamily> GuardedPrepared<'_, F> {
    /// Checks the arguments of a fit.
    fn checked<'t>(&self, task: &abi::Task<'t>, params: RStr<'_>) -> Result<(Task<'t>, Params)> {
        let task = Task::new(task, &self.table)?;
        let manifest = F::manifest();
        // `prepare` checked the device of its setting, but a task has its own device.
        manifest.check_device(task.device)?;
        // The host checked these values, too, except the values of parameter types that it does not
        // know.
        let params = Params::from_json(&manifest.params, params.as_str())?;
        Ok((task, params))
    }
}

impl<F: PreparedFamily> abi::Prepared for GuardedPrepared<'_, F> {
    fn fit(
        &self,
        task: abi::Task<'_>,
        params: RStr<'_>,
        host: abi::HostRef<'_>,
    ) -> RResult<abi::ModelBox, PluginError> {
        guarded(|| {
            let (task, params) = self.checked(&task, params)?;
            F::fit(&self.prepared.0, &task, &params, &Ctx::new(&host)).map(boxed)
        })
    }

    fn fit_from(
        &self,
        task: abi::Task<'_>,
        base_score: RSlice<'_, f32>,
        params: RStr<'_>,
        host: abi::HostRef<'_>,
    ) -> RResult<abi::ModelBox, PluginError> {
        guarded(|| {
            let (task, params) = self.checked(&task, params)?;
            let base_score = as_slice(base_score);
            self.table.check_base_score(base_score)?;
            task.check_base_score(base_score)?;
            F::fit_from(&self.prepared.0, &task, base_score, &params, &Ctx::new(&host)).map(boxed)
        })
    }
}

fn describe(manifest: impl FnOnce() -> Manifest) -> RResult<RString, PluginError> {
    guarded(|| serde_json::to_string(&manifest()).map(RString::from).map_err(PluginError::engine))
}

extern "C" fn describe_family<F: PreparedFamily>() -> RResult<RString, PluginError> {
    describe(F::manifest)
}

extern "C" fn describe_extractor<E: Extractor>() -> RResult<RString, PluginError> {
    describe(E::manifest)
}

extern "C" fn prepare<'a, F: PreparedFamily>(
    table: abi::Table<'a>,
    learn_rows: RSlice<'_, u32>,
    setting: RStr<'_>,
    host: abi::HostRef<'_>,
) -> RResult<abi::PreparedBox<'a>, PluginError> {
    guarded(|| {
        let table = Table::new(table)?;
        let setting = checked_setting::<F>(setting)?;
        let learn_rows = as_slice(learn_rows);
        table.check_rows("learn_rows", learn_rows)?;
        if learn_rows.is_empty() {
            return Err(PluginError::data("learn_rows is empty, expected at least one row"));
        }
        let prepared = Guarded(ManuallyDrop::new(F::prepare(table, learn_rows, &setting, &Ctx::new(&host))?));
        Ok(abi::Prepared_TO::from_value(GuardedPrepared::<'a, F> { prepared, table }, TD_Opaque))
    })
}

/// Parses a setting and checks that its device is in the manifest.
fn checked_setting<F: PreparedFamily>(setting: RStr<'_>) -> Result<Setting> {
    let setting = Setting::from_json(setting.as_str())?;
    F::manifest().check_device(&setting.device)?;
    Ok(setting)
}

extern "C" fn load<F: PreparedFamily>(bytes: RSlice<'_, u8>, setting: RStr<'_>) -> RResult<abi::ModelBox, PluginError> {
    guarded(|| F::Model::load_with(as_slice(bytes), &checked_setting::<F>(setting)?).map(boxed))
}

extern "C" fn extract<E: Extractor>(
    table: abi::Table<'_>,
    task: abi::Task<'_>,
    scores: RSlice<'_, f32>,
    params: RStr<'_>,
    host: abi::HostRef<'_>,
) -> RResult<RString, PluginError> {
    guarded(|| {
        let table = Table::new(table)?;
        let task = Task::new(&task, &table)?;
        let scores = as_slice(scores);
        // The lengths must match, because authors index the scores with the rows of the table.
        if scores.len() != table.n_rows() {
            return Err(PluginError::data(format!(
                "found {} scores for {} rows, expected one per row",
                scores.len(),
                table.n_rows()
            )));
        }
        let manifest = E::manifest();
        manifest.check_device(task.device)?;
        let params = Params::from_json(&manifest.params, params.as_str())?;
        let rules = E::extract(&table, &task, scores, &params, &Ctx::new(&host))?;
        serde_json::to_string(&rules).map(RString::from).map_err(PluginError::engine)
    })
}

extern "C" fn no_prepare<'a>(
    _: abi::Table<'a>,
    _: RSlice<'_, u32>,
    _: RStr<'_>,
    _: abi::HostRef<'_>,
) -> RResult<abi::PreparedBox<'a>, PluginError> {
    RResult::RErr(PluginError::unsupported("a rule extractor does not fit models"))
}

extern "C" fn no_load(_: RSlice<'_, u8>, _: RStr<'_>) -> RResult<abi::ModelBox, PluginError> {
    RResult::RErr(PluginError::unsupported("a rule extractor does not load models"))
}

extern "C" fn no_extract(
    _: abi::Table<'_>,
    _: abi::Task<'_>,
    _: RSlice<'_, f32>,
    _: RStr<'_>,
    _: abi::HostRef<'_>,
) -> RResult<RString, PluginError> {
    RResult::RErr(PluginError::unsupported("a model family does not extract rules"))
}

fn extension(find: impl FnOnce() -> Option<Extension>) -> RResult<*const (), PluginError> {
    // Null represents an unknown name, because `Option` is a type of the standard library, which
    // must not cross the boundary.
    guarded(|| Ok(find().map_or(std::ptr::null(), Extension::pointer)))
}

extern "C" fn extension_of_family<F: PreparedFamily>(name: RStr<'_>) -> RResult<*const (), PluginError> {
    extension(|| F::extension(name.as_str()))
}

extern "C" fn extension_of_extractor<E: Extractor>(name: RStr<'_>) -> RResult<*const (), PluginError> {
    extension(|| E::extension(name.as_str()))
}
