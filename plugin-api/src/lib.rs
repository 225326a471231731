//! The SDK for model plugins of oculus-host, and the stable ABI that host and plugins share.
//!
//! A plugin is a shared library (`cdylib`) that adds one model family or one rule extractor to the
//! training worker `oculus-host`. The host loads the library in a separate process, passes it a
//! feature table, labels and parameters, and stores the models that it returns. A plugin's only
//! required dependency is this crate. Its author implements one trait and calls one macro. `unsafe`
//! code is not needed.
//!
//! | trait | implement it for |
//! | --- | --- |
//! | [`Family`] | a model family that fits directly on the table |
//! | [`PreparedFamily`] | a family that bins, scales or uploads a table once and fits it many times |
//! | [`Extractor`] | a rule extractor, which proposes trading rules |
//!
//! # A complete family
//!
//! This family ignores the features and predicts the share of positive labels:
//!
//! ```standalone_crate
//! use oculus_plugin_api::prelude::*;
//!
//! struct BaseRate;
//!
//! impl Family for BaseRate {
//!     type Model = Share;
//!
//!     fn manifest() -> Manifest {
//!         Manifest::new("base-rate", "1.0.0")
//!             .named(["BaseRate"])
//!             .param(Param::float("shrink", 1.0).range(0.0, 10.0).help("rows of share one half to add"))
//!     }
//!
//!     fn fit(_: &Table<'_>, task: &Task<'_>, params: &Params, ctx: &Ctx<'_, '_>) -> Result<Share> {
//!         task.needs_both_classes()?;
//!         ctx.check()?;
//!         let shrink = params.float("shrink")?;
//!         let n_rows = task.train_rows.len() as f64;
//!         Ok(Share(((task.n_positives() as f64 + 0.5 * shrink) / (n_rows + shrink)) as f32))
//!     }
//! }
//!
//! struct Share(f32);
//!
//! impl Model for Share {
//!     fn predict(&self, _: &Table<'_>, _: &[u32], out: &mut [f32]) -> Result<()> {
//!         out.fill(self.0);
//!         Ok(())
//!     }
//!
//!     fn save(&self) -> Result<Vec<u8>> {
//!         json::save(&(self.0,))
//!     }
//!
//!     fn load(bytes: &[u8]) -> Result<Self> {
//!         json::load(bytes).map(|(share,)| Self(share))
//!     }
//! }
//!
//! oculus_plugin_api::export_family!(BaseRate);
//! oculus_plugin_api::conformance!(BaseRate);
//! # fn main() {}
//! ```
//!
//! [`export_family!`] makes the library a plugin, and [`conformance!`] adds its tests.
//! `oculus-host plugin new NAME` writes a crate with a logistic regression to start from.
//!
//! # The data a fit receives
//!
//! * [`Table`]: the features, one row per symbol and bar, one column per feature. Rows are ordered
//!   by symbol, then time. [`FeatureRole`] distinguishes columns for models from columns for rules
//!   only.
//! * [`Task`]: one label per row (0, 1 or NaN), the rows to train on, the rows for early stopping,
//!   the seed, the number of threads and the device.
//! * [`Setting`]: device, threads and seed of a call that has no task, such as
//!   [`PreparedFamily::prepare`].
//!
//! A fit trains on [`Task::train_rows`] only. The same table, task and parameters produce the same
//! model, for any number of threads.
//!
//! Helpers serve families that do not implement these steps themselves: [`Input`] standardises
//! features with [`Moments`], [`MissingValues`] rejects rows with a missing feature,
//! [`EarlyStopping`] selects the round with the lowest loss on [`Task::tune_rows`], and
//! [`escape_name`] writes the name of a feature in an alphabet that every engine accepts. They are
//! plain Rust code inside the plugin and do not cross the boundary.
//!
//! # Parameters
//!
//! A [`Manifest`] states the plugin's id, the names and flags that select it, and its parameters.
//! Each [`Param`] declares a type ([`ParamKind`]), a default, a range and the values that the
//! search tries ([`Search`]). The SDK checks the values of a job against the declaration, so a fit
//! receives complete and valid [`Params`].
//!
//! # Reporting progress and cancellation
//!
//! Each call that may take long receives a [`Ctx`]. [`Ctx::progress`], [`Ctx::metric`] and
//! [`Ctx::log`] report to the host. [`Ctx::check`] returns an error if the job was cancelled. Call
//! it with `?`, at least every 100 ms. A model with slow predictions receives it in
//! [`Model::predict_with`].
//!
//! # Base scores
//!
//! A fit can start from a base score, the log-odds of a simpler model, and explain only what the
//! base score does not. A family declares this with [`Manifest::supports_base_score`], and
//! implements [`PreparedFamily::fit_from`] (or [`Family::fit_from`]) and [`Model::predict_from`].
//! Base scores are not part of a saved model: the host passes them to each prediction.
//!
//! # Saving and loading
//!
//! [`Model::save`] returns a model as bytes. [`Model::load`] reads these bytes, also in later
//! versions of the plugin. [`json`] does both for families without a file format.
//! [`Model::importance`] and [`Model::summary`] describe a fitted model; the host stores the
//! [`Summary`] with its result.
//!
//! # Errors
//!
//! Every function returns [`Result`]. A [`PluginError`] has a [`code`], which the host acts on, and
//! a message for people. The SDK catches a panic inside the plugin and returns it as
//! [`code::PANIC`].
//!
//! # Testing
//!
//! [`conformance!`] adds one test per claim that every plugin must meet. For example, a fit is
//! reproducible, a saved model predicts the same, and an error about an invalid parameter names the
//! parameter. [`testing::Harness`] runs a plugin in unit tests through the interface that a host
//! uses. The module [`mod@conformance`] contains the claims.
//!
//! # Versions
//!
//! The version of this crate is the version of the ABI, and 1.0 is frozen: 1.1 only adds functions
//! with defaults, for base scores and for `Ctx` in predictions. Within 1.x, plugins and
//! hosts of different minor versions work together in both directions:
//!
//! * The structs of [`abi`] never change: no field is added or moved, and no type or meaning
//!   changes.
//! * [`abi::Module`] and the traits of [`abi`] may get new members at their ends. Each new function
//!   defines what happens if the other side lacks it.
//! * JSON that crosses the boundary ([`Manifest`], [`Setting`], [`Summary`], [`MinedRule`],
//!   parameters) may get new fields. A reader ignores unknown fields and uses a default for absent
//!   ones.
//! * Error codes, roles and parameter types may get new values. [`code`], [`Role::Unknown`] and
//!   [`ParamKind::Unknown`] define how a reader treats an unknown value.
//! * [`mod@conformance`] may get new claims. A plugin that breaks a new claim remains available to
//!   jobs while it meets the claims of [`Depth::Probe`](conformance::Depth::Probe).
//!
//! An [`Extension`] passes a value for which this API has no function.

pub mod abi;
pub mod conformance;
mod context;
mod early_stopping;
mod error;
mod export;
mod extension;
mod extractor;
mod family;
mod input;
pub mod json;
mod manifest;
mod manifest_check;
mod missing_values;
mod module;
mod moments;
mod names;
mod noise;
mod panic_place;
mod params;
mod setting;
mod table;
mod task;
pub mod testing;

pub use context::{Ctx, Level};
pub use early_stopping::{EarlyStopping, StopDecision};
pub use error::{PluginError, Result, code};
#[doc(hidden)]
pub use export::{internal, same};
pub use extension::Extension;
pub use extractor::{Condition, Extractor, MinedRule, Operator};
pub use family::{Family, Model, PreparedFamily, Summary};
pub use input::Input;
pub use manifest::{Manifest, Role};
pub use missing_values::MissingValues;
pub use moments::Moments;
pub use names::{escape_name, unescape_name};
pub use params::{Param, ParamKind, Params, Search};
pub use setting::Setting;
pub use table::{FeatureRole, Table};
pub use task::Task;

/// All items that a plugin usually needs.
///
/// ```
/// use oculus_plugin_api::prelude::*;
///
/// let manifest = Manifest::new("nearest", "1.2.0").param(Param::int("neighbours", 15).range(1, 500));
/// assert_eq!(manifest.check(), Ok(()));
/// ```
pub mod prelude {
    pub use crate::{
        Condition, Ctx, EarlyStopping, Extension, Extractor, Family, FeatureRole, Input, Level, Manifest, MinedRule,
        MissingValues, Model, Moments, Operator, Param, Params, PluginError, PreparedFamily, Result, Role, Setting,
        StopDecision, Summary, Table, Task, escape_name, json, unescape_name,
    };
}
