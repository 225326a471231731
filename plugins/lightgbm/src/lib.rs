//! Gradient-boosted trees (LightGBM) as a plugin: a table is binned once, and many models are
//! fitted on it.
//!
//! `params` declares the parameters, `binning` prepares a table, `training` fits, and `model`
//! predicts. A model is saved as LightGBM's text, which `text` checks. Only `engine` calls
//! LightGBM.
//!
//! Invariant: bins and trees depend only on the training rows, their labels, the parameters and the
//! seed.

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

/// The LightGBM model family.
pub struct LightGbm;

impl PreparedFamily for LightGbm {
    type Prepared<'a> = Binned<'a>;
    type Model = Trees;

    fn manifest() -> Manifest {
        params::manifest()
    }

    fn prepare<'a>(table: Table<'a>, learn_rows: &[u32], _: &Setting, ctx: &Ctx<'_, '_>) -> Result<Binned<'a>> {
        ctx.check()?;
        Binned::new(table, learn_rows)
    }

    fn fit(binned: &Binned<'_>, task: &Task<'_>, params: &Params, ctx: &Ctx<'_, '_>) -> Result<Trees> {
        training::fit(binned, task, None, params, ctx)
    }

    fn fit_from(
        binned: &Binned<'_>,
        task: &Task<'_>,
        base_score: &[f32],
        params: &Params,
        ctx: &Ctx<'_, '_>,
    ) -> Result<Trees> {
        training::fit(binned, task, Some(base_score), params, ctx)
    }
}

oculus_plugin_api::export_family!(LightGbm);
