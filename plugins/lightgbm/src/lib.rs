//! Gradient-boosted trees (LightGBM) as a plugin: a table is binned once and fitted many times.
//!
//! `params` declares what can be set, `binning` makes a table ready, `training` fits, `model` predicts and is saved as
//! LightGBM's own text. All calls of the engine are in `engine`.
//!
//! Invariant: bins and trees depend on nothing but the rows to learn from, their labels, the parameters and the seed.

mod binning;
mod engine;
mod matrix;
mod model;
mod params;
mod text;
mod training;

use oculus_plugin_api::prelude::*;

pub use crate::binning::Binned;
pub use crate::model::Trees;

/// The family.
pub struct LightGbm;

impl PreparedFamily for LightGbm {
    type Prepared<'a> = Binned;
    type Model = Trees;

    fn manifest() -> Manifest {
        params::manifest()
    }

    fn prepare<'a>(table: Table<'a>, learn_rows: &[u32], _: &Setting, ctx: &Ctx<'_, '_>) -> Result<Binned> {
        ctx.check()?;
        Binned::new(&table, learn_rows)
    }

    fn fit(binned: &Binned, task: &Task<'_>, params: &Params, ctx: &Ctx<'_, '_>) -> Result<Trees> {
        training::fit(binned, task, params, ctx)
    }
}

oculus_plugin_api::export_family!(LightGbm);
