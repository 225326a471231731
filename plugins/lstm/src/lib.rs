//! An LSTM network (libtorch) as a plugin: a table is standardised once and fitted many times.
//!
//! `params` declares what can be set, `sequences` makes a table ready, `segments` states which rows
//! an update reads, `network` and `adam` compute, `training` fits. `fitted` is what comes out,
//! `model` how it predicts, `format` its form as safetensors. `device` chooses where a fit runs,
//! `random` is the only source of chance.
//!
//! Invariants: a score depends on the model and on the features of the `sequence_length` rows up to
//! its own, of the same symbol, and on nothing else. A model depends on nothing after its last row
//! to learn from.

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

/// The family.
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
