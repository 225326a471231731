//! The types that cross the boundary between host and plugin: layout only, no logic.
//!
//! Structs never change within 1.x. [`Module`] and the traits may get new members after their last
//! prefix field. Codes are integers, options are JSON and tables are slices. No type of the
//! standard library, no tensor and no thread crosses the boundary, because the two sides may come
//! from different compilers.

// The code that `sabi_trait` generates triggers these lints.
#![allow(non_camel_case_types, non_local_definitions, missing_docs)]

use abi_stable::StableAbi;
use abi_stable::library::RootModule;
use abi_stable::sabi_types::{RRef, VersionStrings};
use abi_stable::std_types::{RBox, RResult, RSlice, RSliceMut, RStr, RString, RVec};

pub use crate::error::PluginError;

/// A feature matrix with the descriptions of its rows and columns. Rows are ordered by symbol, then
/// time.
#[repr(C)]
#[derive(StableAbi, Clone, Copy)]
pub struct Table<'a> {
    /// All values, column-major, `n_features × n_rows`.
    pub values: RSlice<'a, f32>,
    /// Number of rows: the bars of all symbols.
    pub n_rows: u64,
    /// Number of columns.
    pub n_features: u64,
    /// Feature names, one per column.
    pub names: RSlice<'a, RStr<'a>>,
    /// Feature roles, one per column: 0 for models and rules, 1 for rules only.
    pub roles: RSlice<'a, u32>,
    /// Start of each row's bar, seconds since 1970-01-01 UTC.
    pub time: RSlice<'a, i64>,
    /// Session date of each row, days since 1970-01-01.
    pub day: RSlice<'a, i32>,
    /// Symbol index of each row.
    pub symbol: RSlice<'a, u32>,
}

/// The labels of a fit and the rows that it may train on.
#[repr(C)]
#[derive(StableAbi, Clone, Copy)]
pub struct Task<'a> {
    /// Labels, one per row of the table: 0, 1, or NaN for a row without a label.
    pub label: RSlice<'a, f32>,
    /// Ascending rows to fit on.
    pub train_rows: RSlice<'a, u32>,
    /// Ascending rows for early stopping, possibly none.
    pub tune_rows: RSlice<'a, u32>,
    /// Seed of all random numbers of the fit.
    pub seed: u64,
    /// Number of threads that the fit may use.
    pub threads: u32,
    /// Device to fit on: one of the manifest's devices, or `auto`.
    pub device: RStr<'a>,
}

/// The services that the host provides during a call.
#[abi_stable::sabi_trait]
pub trait Host: Send + Sync {
    /// Reports the progress of the call, from 0 to 1.
    fn progress(&self, fraction: f64, message: RStr<'_>);
    /// Reports a metric of one step, such as the loss of an epoch.
    fn metric(&self, name: RStr<'_>, step: u64, value: f64);
    /// Writes a line to the log; levels are 1 (error) to 5 (trace).
    fn log(&self, level: u32, message: RStr<'_>);
    /// Returns whether the job was cancelled.
    // Every 1.x host implements the methods up to the last prefix field. Later methods are
    // optional.
    #[sabi(last_prefix_field)]
    fn cancelled(&self) -> bool;
}

/// The host's services, borrowed for one call.
pub type HostRef<'a> = Host_TO<'a, RRef<'a, ()>>;

/// A fitted model.
#[abi_stable::sabi_trait]
pub trait Model: Send + Sync {
    /// Writes one score per row into `out`. The score is NaN if the history before the row is too
    /// short.
    fn predict(&self, table: Table<'_>, rows: RSlice<'_, u32>, out: RSliceMut<'_, f32>) -> RResult<(), PluginError>;
    /// Returns the model as bytes, if possible in a format that other tools can read.
    fn save(&self) -> RResult<RVec<u8>, PluginError>;
    /// Returns one importance per column of the table. The importances sum to 1, or all are 0.
    fn importance(&self) -> RResult<RVec<f64>, PluginError>;
    /// Returns the JSON of a [`crate::Summary`].
    #[sabi(last_prefix_field)]
    fn summary(&self) -> RResult<RString, PluginError>;
    /// Writes one score per row into `out`, with the services of the host. `base_score` has the
    /// log-odds of each row of the table, to which the model adds its own, or is empty. New in 1.1:
    /// the default calls `predict`, and returns UNSUPPORTED if there is a base score.
    fn predict_with(
        &self,
        table: Table<'_>,
        rows: RSlice<'_, u32>,
        base_score: RSlice<'_, f32>,
        out: RSliceMut<'_, f32>,
        _host: HostRef<'_>,
    ) -> RResult<(), PluginError> {
        if !base_score.is_empty() {
            return RResult::RErr(PluginError::no_base_score());
        }
        self.predict(table, rows, out)
    }
}

/// A pointer to a model, which stays in the memory of its plugin.
pub type ModelBox = Model_TO<'static, RBox<()>>;

/// A table prepared for many fits.
#[abi_stable::sabi_trait]
pub trait Prepared: Send + Sync {
    /// Fits one model; `params` is a JSON object.
    #[sabi(last_prefix_field)]
    fn fit(&self, task: Task<'_>, params: RStr<'_>, host: HostRef<'_>) -> RResult<ModelBox, PluginError>;
    /// Fits one model that starts from the log-odds in `base_score`, one per row of the table. New
    /// in 1.1: the default returns UNSUPPORTED. A host calls this function only if the manifest
    /// declares `base_score`.
    fn fit_from(
        &self,
        _task: Task<'_>,
        _base_score: RSlice<'_, f32>,
        _params: RStr<'_>,
        _host: HostRef<'_>,
    ) -> RResult<ModelBox, PluginError> {
        RResult::RErr(PluginError::no_base_score())
    }
}

/// A pointer to a prepared table, which may borrow the original table.
pub type PreparedBox<'a> = Prepared_TO<'a, RBox<()>>;

/// The functions of a plugin.
#[repr(C)]
#[derive(StableAbi)]
#[sabi(kind(Prefix(prefix_ref = Module_Ref)))]
pub struct Module {
    /// Returns the JSON of a [`crate::Manifest`].
    pub describe: extern "C" fn() -> RResult<RString, PluginError>,
    /// Prepares a table. Every statistic must come from the rows in the `u32` slice. The text is
    /// the JSON of a [`crate::Setting`].
    pub prepare: for<'a> extern "C" fn(
        Table<'a>,
        RSlice<'_, u32>,
        RStr<'_>,
        HostRef<'_>,
    ) -> RResult<PreparedBox<'a>, PluginError>,
    /// Reads a model from the bytes that its `save` returned. The text is the JSON of a
    /// [`crate::Setting`].
    pub load: extern "C" fn(RSlice<'_, u8>, RStr<'_>) -> RResult<ModelBox, PluginError>,
    /// Returns a JSON list of [`crate::MinedRule`]. The `f32` slice contains one out-of-fold score
    /// per row, or NaN for a row without a score. The text is a JSON object of parameters.
    pub extract: for<'a> extern "C" fn(
        Table<'a>,
        Task<'_>,
        RSlice<'_, f32>,
        RStr<'_>,
        HostRef<'_>,
    ) -> RResult<RString, PluginError>,
    /// Returns the pointer of the [`crate::Extension`] with this name, or null if the plugin lacks
    /// it. The name determines the layout of the value. The value stays at its address until the
    /// process exits.
    #[sabi(last_prefix_field)]
    pub extension: extern "C" fn(RStr<'_>) -> RResult<*const (), PluginError>,
}

impl RootModule for Module_Ref {
    abi_stable::declare_root_module_statics! {Module_Ref}
    const BASE_NAME: &'static str = "oculus_plugin";
    const NAME: &'static str = "oculus_plugin";
    const VERSION_STRINGS: VersionStrings = abi_stable::package_version_strings!();
}
