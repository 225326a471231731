//! Between the ABI and the author's traits: every call checked, every panic caught inside the plugin.

use std::mem::ManuallyDrop;
use std::panic::{AssertUnwindSafe, catch_unwind};

use abi_stable::erased_types::TD_Opaque;
use abi_stable::prefix_type::PrefixTypeTrait;
use abi_stable::std_types::{RResult, RSlice, RSliceMut, RStr, RString, RVec};

use crate::table::as_slice;
use crate::{
    Ctx, Extension, Extractor, Manifest, Model, Params, PluginError, PreparedFamily, Result, Setting, Table, Task, abi,
    code,
};

/// The module of a plugin that is a model family.
pub fn family_module<F: PreparedFamily>() -> abi::Module_Ref {
    abi::Module {
        describe: describe_family::<F>,
        prepare: prepare::<F>,
        load: load::<F>,
        extract: no_extract,
        extension: extension_of_family::<F>,
    }
    .leak_into_prefix()
}

/// The module of a plugin that is a rule extractor.
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

/// Runs an author's code; a panic becomes an error with its message.
fn guarded<T>(work: impl FnOnce() -> Result<T>) -> RResult<T, PluginError> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(result) => result.into(),
        Err(payload) => {
            let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
            let text = text.or_else(|| payload.downcast_ref::<String>().cloned());
            // A payload whose own drop panics would abort.
            std::mem::forget(payload);
            RResult::RErr(PluginError::new(code::PANIC, text.unwrap_or_else(|| "panicked without a message".into())))
        }
    }
}

/// An author's value whose drop may panic without harm.
struct Guarded<T>(ManuallyDrop<T>);

impl<T> Drop for Guarded<T> {
    fn drop(&mut self) {
        let _ = guarded(|| {
            // SAFETY: dropped here once and never used again.
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
            let table = Table::new(table)?;
            let rows = as_slice(rows);
            table.check_rows("rows to predict", rows)?;
            if rows.len() != out.len() {
                return Err(PluginError::data(format!("{} rows to predict into {} places", rows.len(), out.len())));
            }
            self.0.predict(&table, rows, out.as_mut_slice())
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

fn boxed<M: Model>(model: M) -> abi::ModelBox {
    abi::Model_TO::from_value(Guarded(ManuallyDrop::new(model)), TD_Opaque)
}

struct GuardedPrepared<'a, F: PreparedFamily> {
    prepared: Guarded<F::Prepared<'a>>,
    table: Table<'a>,
}

impl<F: PreparedFamily> abi::Prepared for GuardedPrepared<'_, F> {
    fn fit(
        &self,
        task: abi::Task<'_>,
        params: RStr<'_>,
        host: abi::HostRef<'_>,
    ) -> RResult<abi::ModelBox, PluginError> {
        guarded(|| {
            let task = Task::new(&task, &self.table)?;
            let manifest = F::manifest();
            manifest.check_device(task.device)?;
            let params = Params::from_json(&manifest.params, params.as_str())?;
            F::fit(&self.prepared.0, &task, &params, &Ctx::new(&host)).map(boxed)
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
        let setting = checked::<F>(setting)?;
        let learn_rows = as_slice(learn_rows);
        table.check_rows("learn_rows", learn_rows)?;
        if learn_rows.is_empty() {
            return Err(PluginError::data("no rows to learn from"));
        }
        let prepared = Guarded(ManuallyDrop::new(F::prepare(table, learn_rows, &setting, &Ctx::new(&host))?));
        Ok(abi::Prepared_TO::from_value(GuardedPrepared::<'a, F> { prepared, table }, TD_Opaque))
    })
}

/// A setting whose device the plugin knows.
fn checked<F: PreparedFamily>(setting: RStr<'_>) -> Result<Setting> {
    let setting = Setting::from_json(setting.as_str())?;
    F::manifest().check_device(&setting.device)?;
    Ok(setting)
}

extern "C" fn load<F: PreparedFamily>(bytes: RSlice<'_, u8>, setting: RStr<'_>) -> RResult<abi::ModelBox, PluginError> {
    guarded(|| F::Model::load_with(as_slice(bytes), &checked::<F>(setting)?).map(boxed))
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
        if scores.len() != table.n_rows() {
            return Err(PluginError::data(format!("{} scores for {} rows", scores.len(), table.n_rows())));
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
    RResult::RErr(PluginError::unsupported("a rule extractor fits no model"))
}

extern "C" fn no_load(_: RSlice<'_, u8>, _: RStr<'_>) -> RResult<abi::ModelBox, PluginError> {
    RResult::RErr(PluginError::unsupported("a rule extractor loads no model"))
}

extern "C" fn no_extract(
    _: abi::Table<'_>,
    _: abi::Task<'_>,
    _: RSlice<'_, f32>,
    _: RStr<'_>,
    _: abi::HostRef<'_>,
) -> RResult<RString, PluginError> {
    RResult::RErr(PluginError::unsupported("a model family extracts no rules"))
}

fn extension(found: impl FnOnce() -> Option<Extension>) -> RResult<*const (), PluginError> {
    guarded(|| Ok(found().map_or(std::ptr::null(), Extension::pointer)))
}

extern "C" fn extension_of_family<F: PreparedFamily>(name: RStr<'_>) -> RResult<*const (), PluginError> {
    extension(|| F::extension(name.as_str()))
}

extern "C" fn extension_of_extractor<E: Extractor>(name: RStr<'_>) -> RResult<*const (), PluginError> {
    extension(|| E::extension(name.as_str()))
}
