//! What a model plugin of oculus-host is: a stable ABI, and the SDK that authors write against.
//!
//! A plugin is a `cdylib` with this crate as its only dependency beside its engine. Its author implements one trait and
//! writes one macro line; no `unsafe`, no `abi_stable`:
//!
//! * [`Family`]: a model family that fits straight from the table.
//! * [`PreparedFamily`]: one that bins, scales or uploads a fold's data once and fits it many times.
//! * [`Extractor`]: one that proposes trading rules.
//!
//! A whole family, which predicts the share of positives whatever the features say:
//!
//! ```
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
//!             .param(Param::float("shrink", 1.0).range(0.0, 10.0).help("pseudo-rows of share one half"))
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
//! The last line is its tests: one a claim that every plugin must meet, from the same model for the same seed to a named
//! refusal of data that cannot be learnt from ([`conformance!`]). Tests of its own run it through its real module with
//! [`testing::Harness`]. [`Input`] standardises features, [`EarlyStopping`] chooses the round to keep and [`json`] saves
//! models, for families that have nothing of their own; all are nothing but Rust inside the plugin, and cross no boundary.
//!
//! # Stability
//!
//! The version of this crate is the version of the ABI, and 1.0 is frozen. Within 1.x a plugin and a host of different
//! minor versions work together both ways:
//!
//! * The structs of [`abi`] never change: no field is added, moved or given another type or meaning.
//! * [`abi::Module`] and the traits of [`abi`] may grow at their ends, each new function with what a plugin or host does that
//!   does not know it.
//! * What crosses as JSON ([`Manifest`], [`Setting`], [`Summary`], [`MinedRule`], parameters) may get new fields: a reader
//!   ignores those that it does not know, and gives a default to those that are absent.
//! * Codes of errors, roles and kinds of parameters may get new values: [`code`], [`Role::Unknown`], [`ParamKind::Unknown`]
//!   say what a reader makes of them.
//! * Claims of [`mod@conformance`] may be added: a plugin that breaks a new one is told so, and goes on being offered to jobs
//!   as long as it meets those of a probe.

pub mod abi;
pub mod conformance;
mod context;
mod declared;
mod error;
mod export;
mod extension;
mod extractor;
mod family;
mod holes;
mod input;
pub mod json;
mod manifest;
mod module;
mod moments;
mod noise;
mod params;
mod setting;
mod stopping;
mod table;
mod task;
pub mod testing;

pub use context::{Ctx, Level};
pub use error::{PluginError, Result, code};
#[doc(hidden)]
pub use export::{internal, same};
pub use extension::Extension;
pub use extractor::{Condition, Extractor, MinedRule, Operator};
pub use family::{Family, Model, PreparedFamily, Summary};
pub use holes::Holes;
pub use input::Input;
pub use manifest::{Manifest, Role};
pub use moments::Moments;
pub use params::{Param, ParamKind, Params, Search};
pub use setting::Setting;
pub use stopping::{EarlyStopping, StopDecision};
pub use table::{FeatureRole, Table};
pub use task::Task;

/// Everything that an author of a plugin needs, in one line.
pub mod prelude {
    pub use crate::{
        Condition, Ctx, EarlyStopping, Extension, Extractor, Family, FeatureRole, Holes, Input, Level, Manifest,
        MinedRule, Model, Moments, Operator, Param, Params, PluginError, PreparedFamily, Result, Role, Setting,
        StopDecision, Summary, Table, Task, json,
    };
}
