//! The types that cross the boundary between host and plugin: layout only, no logic.
//!
//! Structs are frozen for ever. [`Module`] and the traits may grow after their last prefix field. Codes are integers,
//! options are JSON, tables are slices: nothing of the standard library, no tensor and no thread crosses.

// `sabi_trait` writes its types in its own style.
#![allow(non_camel_case_types, non_local_definitions, missing_docs)]

use abi_stable::StableAbi;
use abi_stable::library::RootModule;
use abi_stable::sabi_types::{RRef, VersionStrings};
use abi_stable::std_types::{RBox, RResult, RSlice, RSliceMut, RStr, RString, RVec};

pub use crate::error::PluginError;

/// A feature matrix and what its rows and columns are. Rows are ordered by symbol, then time.
#[repr(C)]
#[derive(StableAbi, Clone, Copy)]
pub struct Table<'a> {
    /// Column-major, `n_features × n_rows`.
    pub values: RSlice<'a, f32>,
    /// Rows: bars of all symbols.
    pub n_rows: u64,
    /// Columns.
    pub n_features: u64,
    /// Feature names, one a column.
    pub names: RSlice<'a, RStr<'a>>,
    /// Feature roles, one a column: 0 for models and rules, 1 for rules only.
    pub roles: RSlice<'a, u32>,
    /// Start of each row's bar, seconds since 1970-01-01 UTC.
    pub time: RSlice<'a, i64>,
    /// Session date of each row, days since 1970-01-01.
    pub day: RSlice<'a, i32>,
    /// Symbol index of each row.
    pub symbol: RSlice<'a, u32>,
}

/// What to learn: labels and the rows that may be learnt from.
#[repr(C)]
#[derive(StableAbi, Clone, Copy)]
pub struct Task<'a> {
    /// One a row of the table: 0, 1, or NaN where there is none.
    pub label: RSlice<'a, f32>,
    /// Ascending rows to fit on.
    pub train_rows: RSlice<'a, u32>,
    /// Ascending rows for early stopping; may be empty.
    pub tune_rows: RSlice<'a, u32>,
    /// Where all randomness of the fit starts.
    pub seed: u64,
    /// Threads the fit may use.
    pub threads: u32,
    /// Device to fit on, one of the manifest's, or `auto`.
    pub device: RStr<'a>,
}

/// What the host offers to a plugin at work.
#[abi_stable::sabi_trait]
pub trait Host: Send + Sync {
    /// How far the work is, from 0 to 1.
    fn progress(&self, fraction: f64, message: RStr<'_>);
    /// A figure of the work, such as a loss at an epoch.
    fn metric(&self, name: RStr<'_>, step: u64, value: f64);
    /// A line for the log; levels are 1 (error) to 5 (trace).
    fn log(&self, level: u32, message: RStr<'_>);
    /// Whether the work should end now.
    #[sabi(last_prefix_field)]
    fn cancelled(&self) -> bool;
}

/// The host's services, borrowed for one call.
pub type HostRef<'a> = Host_TO<'a, RRef<'a, ()>>;

/// A fitted model.
#[abi_stable::sabi_trait]
pub trait Model: Send + Sync {
    /// Writes one score a row, NaN where the history is too short.
    fn predict(&self, table: Table<'_>, rows: RSlice<'_, u32>, out: RSliceMut<'_, f32>) -> RResult<(), PluginError>;
    /// The model as bytes in a format that others read where one exists.
    fn save(&self) -> RResult<RVec<u8>, PluginError>;
    /// The share of each column of the table, summing to 1.
    fn importance(&self) -> RResult<RVec<f64>, PluginError>;
    /// JSON of [`crate::Summary`].
    #[sabi(last_prefix_field)]
    fn summary(&self) -> RResult<RString, PluginError>;
}

/// A model in its plugin's memory.
pub type ModelBox = Model_TO<'static, RBox<()>>;

/// A table made ready for many fits.
#[abi_stable::sabi_trait]
pub trait Prepared: Send + Sync {
    /// Fits one model; `params` is a JSON object.
    #[sabi(last_prefix_field)]
    fn fit(&self, task: Task<'_>, params: RStr<'_>, host: HostRef<'_>) -> RResult<ModelBox, PluginError>;
}

/// A prepared form, which may borrow its table.
pub type PreparedBox<'a> = Prepared_TO<'a, RBox<()>>;

/// The functions of a plugin.
#[repr(C)]
#[derive(StableAbi)]
#[sabi(kind(Prefix(prefix_ref = Module_Ref)))]
pub struct Module {
    /// JSON of [`crate::Manifest`].
    pub describe: extern "C" fn() -> RResult<RString, PluginError>,
    /// Makes a table ready; every statistic comes from `learn_rows` alone. The text is JSON of [`crate::Setting`].
    pub prepare: for<'a> extern "C" fn(
        Table<'a>,
        RSlice<'_, u32>,
        RStr<'_>,
        HostRef<'_>,
    ) -> RResult<PreparedBox<'a>, PluginError>,
    /// A model from the bytes of its `save`. The text is JSON of [`crate::Setting`].
    pub load: extern "C" fn(RSlice<'_, u8>, RStr<'_>) -> RResult<ModelBox, PluginError>,
    /// JSON list of [`crate::MinedRule`]; `scores` has one out-of-fold score a row, NaN where there is none.
    pub extract: for<'a> extern "C" fn(
        Table<'a>,
        Task<'_>,
        RSlice<'_, f32>,
        RStr<'_>,
        HostRef<'_>,
    ) -> RResult<RString, PluginError>,
    /// What nobody foresaw, by name: a [`crate::Extension`], null when the plugin does not know the name. The name
    /// fixes what it points at, which stays where it is until the process ends.
    #[sabi(last_prefix_field)]
    pub extension: extern "C" fn(RStr<'_>) -> RResult<*const (), PluginError>,
}

impl RootModule for Module_Ref {
    abi_stable::declare_root_module_statics! {Module_Ref}
    const BASE_NAME: &'static str = "oculus_plugin";
    const NAME: &'static str = "oculus_plugin";
    const VERSION_STRINGS: VersionStrings = abi_stable::package_version_strings!();
}
