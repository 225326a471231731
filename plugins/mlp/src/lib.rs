//! A multi-layer perceptron (candle) as a plugin: a table is standardised once, and many models are
//! fitted on it.
//!
//! `params` declares the parameters, `scaling` prepares a table, and `training` runs the epochs.
//! The epochs train the weights of `network` with `optimizer`. `random` provides every random
//! number, and `product` computes matrix products. `perceptron` is the fitted model, `model`
//! predicts with it, and `file` reads and writes it as safetensors.
//!
//! Invariant: scales and weights depend only on the training rows, their labels, the parameters and
//! the seed. A score depends only on the model and on the features of its row.

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

/// The MLP model family.
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
