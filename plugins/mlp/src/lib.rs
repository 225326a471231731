//! A multi-layer perceptron (candle) as a plugin: a table is standardised once and fitted many times.
//!
//! `params` declares what can be set, `scaling` makes a table ready, `training` runs the epochs: `network` is what they
//! move, `optimizer` how, `random` where all chance comes from, `product` the one matrix product behind it all.
//! `perceptron` is what comes out, `model` how it predicts, `file` its form as safetensors.
//!
//! Invariant: scales and weights depend on nothing but the rows to learn from, their labels, the parameters and the
//! seed; a score on nothing but the model and its row.

mod device;
mod file;
mod model;
mod network;
mod optimizer;
mod params;
mod perceptron;
mod product;
mod random;
mod scaling;
mod training;

use oculus_plugin_api::prelude::*;

pub use crate::perceptron::Perceptron;
pub use crate::scaling::Scaled;

/// The family.
pub struct Mlp;

impl PreparedFamily for Mlp {
    type Prepared<'a> = Scaled;
    type Model = Perceptron;

    fn manifest() -> Manifest {
        params::manifest()
    }

    fn prepare<'a>(table: Table<'a>, learn_rows: &[u32], _: &Setting, ctx: &Ctx<'_, '_>) -> Result<Scaled> {
        ctx.check()?;
        Scaled::new(&table, learn_rows)
    }

    fn fit(scaled: &Scaled, task: &Task<'_>, params: &Params, ctx: &Ctx<'_, '_>) -> Result<Perceptron> {
        training::fit(scaled, task, params, ctx)
    }
}

oculus_plugin_api::export_family!(Mlp);
