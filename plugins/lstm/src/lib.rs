//! An LSTM network (libtorch) as a plugin: a table is standardised once, and many models are fitted
//! on it.
//!
//! `params` declares the parameters, `sequences` prepares a table, and `segments` lists the rows
//! that an update reads. `training` runs the epochs of a fit. `trainer` runs the updates of an
//! epoch with `network` and `adam`. `fitted` is the fitted model, `model` predicts with it, and
//! `format` reads and writes it as safetensors. `device` chooses the device of a fit, and `random`
//! provides every random number.
//!
//! Invariants: a score depends only on the model and on the features of one symbol's last
//! `sequence_length` rows, up to and including the row of the score. A model does not depend on any
//! row after its last training row.

mod adam;
mod device;
mod fitted;
mod format;
mod model;
mod network;
mod params;
mod random;
mod segments;
mod sequences;
mod trainer;
mod training;

use oculus_plugin_api::prelude::*;

pub use crate::fitted::LstmModel;
pub use crate::sequences::Sequences;

/// The LSTM model family.
pub struct Lstm;

impl PreparedFamily for Lstm {
    type Prepared<'a> = Sequences;
    type Model = LstmModel;

    fn manifest() -> Manifest {
        params::manifest()
    }

    fn prepare<'a>(table: Table<'a>, learn_rows: &[u32], _: &Setting, ctx: &Ctx<'_, '_>) -> Result<Sequences> {
        ctx.check()?;
        Sequences::standardised(&table, learn_rows)
    }

    fn fit(sequences: &Sequences, task: &Task<'_>, params: &Params, ctx: &Ctx<'_, '_>) -> Result<LstmModel> {
        training::fit(sequences, task, params, ctx)
    }
}

oculus_plugin_api::export_family!(Lstm);
