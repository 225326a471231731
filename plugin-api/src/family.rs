//! What an author of a model family implements.

use serde::{Deserialize, Serialize};

use crate::{Ctx, Extension, Manifest, Params, PluginError, Result, Setting, Table, Task};

/// A model family that fits straight from the table.
///
/// Whoever implements this has a [`PreparedFamily`] too, whose prepared form is the table itself.
pub trait Family: Send + Sync + 'static {
    /// What a fit makes.
    type Model: Model;

    /// Who it is and what it takes.
    fn manifest() -> Manifest;

    /// Fits one model on `task.train_rows`, and stops early by `task.tune_rows` where there are any.
    ///
    /// The same task, parameters and table give the same model, whatever `task.threads` is.
    ///
    /// # Errors
    /// [`code::DATA`](crate::code::DATA) for rows that it cannot learn from, [`code::CANCELLED`](crate::code::CANCELLED)
    /// from [`Ctx::check`], [`code::ENGINE`](crate::code::ENGINE) for what the engine says.
    fn fit(table: &Table<'_>, task: &Task<'_>, params: &Params, ctx: &Ctx<'_, '_>) -> Result<Self::Model>;

    /// What the plugin offers by a name that this API does not know; nothing unless said otherwise.
    fn extension(_name: &str) -> Option<Extension> {
        None
    }
}

/// A model family that makes a table ready once and fits it many times, with other labels and parameters.
pub trait PreparedFamily: Send + Sync + 'static {
    /// The table made ready: binned, scaled, uploaded. May borrow the table.
    type Prepared<'a>: Send + Sync;
    /// What a fit makes.
    type Model: Model;

    /// Who it is and what it takes.
    fn manifest() -> Manifest;

    /// Makes a table ready. Every statistic comes from `learn_rows` alone.
    ///
    /// # Errors
    /// [`code::DATA`](crate::code::DATA), [`code::CANCELLED`](crate::code::CANCELLED) from [`Ctx::check`], or
    /// [`code::ENGINE`](crate::code::ENGINE).
    fn prepare<'a>(
        table: Table<'a>,
        learn_rows: &[u32],
        setting: &Setting,
        ctx: &Ctx<'_, '_>,
    ) -> Result<Self::Prepared<'a>>;

    /// Fits one model; as [`Family::fit`].
    ///
    /// # Errors
    /// As [`Family::fit`].
    fn fit(prepared: &Self::Prepared<'_>, task: &Task<'_>, params: &Params, ctx: &Ctx<'_, '_>) -> Result<Self::Model>;

    /// What the plugin offers by a name that this API does not know; nothing unless said otherwise.
    fn extension(_name: &str) -> Option<Extension> {
        None
    }
}

impl<F: Family> PreparedFamily for F {
    type Prepared<'a> = Table<'a>;
    type Model = F::Model;

    fn manifest() -> Manifest {
        F::manifest()
    }

    fn prepare<'a>(table: Table<'a>, _: &[u32], _: &Setting, _: &Ctx<'_, '_>) -> Result<Table<'a>> {
        Ok(table)
    }

    fn fit(table: &Table<'_>, task: &Task<'_>, params: &Params, ctx: &Ctx<'_, '_>) -> Result<F::Model> {
        F::fit(table, task, params, ctx)
    }

    fn extension(name: &str) -> Option<Extension> {
        F::extension(name)
    }
}

/// A fitted model.
pub trait Model: Sized + Send + Sync + 'static {
    /// Writes the score of each of `rows` into `out`, of the same length: higher for class 1, from 0 to 1 where it is a
    /// probability, NaN where the history of a row is too short.
    ///
    /// # Errors
    /// [`code::DATA`](crate::code::DATA) for a table without the features it was fitted on.
    fn predict(&self, table: &Table<'_>, rows: &[u32], out: &mut [f32]) -> Result<()>;

    /// The model as bytes, in a format that other tools read where one exists.
    ///
    /// # Errors
    /// [`code::ENGINE`](crate::code::ENGINE).
    fn save(&self) -> Result<Vec<u8>>;

    /// A model from the bytes of [`Model::save`], also of an earlier version of the plugin.
    ///
    /// # Errors
    /// [`code::MODEL`](crate::code::MODEL) for anything else.
    fn load(bytes: &[u8]) -> Result<Self>;

    /// As [`Model::load`], for families whose models live on a device or bring threads of their own.
    ///
    /// # Errors
    /// As [`Model::load`], and [`code::DEVICE`](crate::code::DEVICE) for a device that is missing.
    fn load_with(bytes: &[u8], _setting: &Setting) -> Result<Self> {
        Self::load(bytes)
    }

    /// The share of each column of the table it was fitted on: at least 0, summing to 1, or all 0.
    ///
    /// # Errors
    /// [`code::UNSUPPORTED`](crate::code::UNSUPPORTED) for families that know none.
    fn importance(&self) -> Result<Vec<f64>> {
        Err(PluginError::unsupported("this family knows no importance"))
    }

    /// What there is to say of the fit.
    fn summary(&self) -> Summary {
        Summary::default()
    }
}

/// What there is to say of a fit.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Boosting rounds or epochs kept, where the family counts them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rounds: Option<u32>,
    /// Device it was fitted on, where not the CPU.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
}
