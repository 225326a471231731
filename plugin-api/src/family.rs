//! The traits that the author of a model family implements.

use serde::{Deserialize, Serialize};

use crate::{Ctx, Extension, Manifest, Params, PluginError, Result, Setting, Table, Task};

/// A model family that fits directly on the table.
///
/// Every `Family` is also a [`PreparedFamily`] whose prepared form is the table.
///
/// ```
/// # use oculus_plugin_api::prelude::*;
/// # struct Share(f32);
/// # impl Model for Share {
/// #     fn predict(&self, _: &Table<'_>, _: &[u32], out: &mut [f32]) -> Result<()> { out.fill(self.0); Ok(()) }
/// #     fn save(&self) -> Result<Vec<u8>> { json::save(&(self.0,)) }
/// #     fn load(bytes: &[u8]) -> Result<Self> { json::load(bytes).map(|(share,)| Self(share)) }
/// # }
/// struct BaseRate;
///
/// impl Family for BaseRate {
///     type Model = Share;
///
///     fn manifest() -> Manifest {
///         Manifest::new("base-rate", "1.0.0")
///     }
///
///     fn fit(_: &Table<'_>, task: &Task<'_>, _: &Params, ctx: &Ctx<'_, '_>) -> Result<Share> {
///         ctx.check()?;
///         Ok(Share(task.n_positives() as f32 / task.train_rows.len() as f32))
///     }
/// }
/// ```
pub trait Family: Send + Sync + 'static {
    /// The type of the fitted models.
    type Model: Model;

    /// Returns the plugin's id, the names and flags that select it, and its parameters.
    fn manifest() -> Manifest;

    /// Fits one model on `task.train_rows`. `task.tune_rows`, if any, are for early stopping.
    ///
    /// Equal tasks, parameters and tables must produce equal models, for any value of
    /// `task.threads`.
    ///
    /// # Errors
    /// * [`code::DATA`](crate::code::DATA) if the family cannot train on these rows.
    /// * [`code::CANCELLED`](crate::code::CANCELLED) from [`Ctx::check`], if the job was cancelled.
    /// * [`code::ENGINE`](crate::code::ENGINE) if the engine fails.
    fn fit(table: &Table<'_>, task: &Task<'_>, params: &Params, ctx: &Ctx<'_, '_>) -> Result<Self::Model>;

    /// Fits one model that starts from a base score: the scores of the model are added to it.
    ///
    /// `base_score` has the log-odds of class 1 for each row of the table. It is finite in
    /// `train_rows` and `tune_rows`, and may be NaN in other rows. Implement the function if the
    /// manifest declares [`Manifest::supports_base_score`]. The default returns an error. New in
    /// 1.1.
    ///
    /// # Errors
    /// * Those of [`Family::fit`].
    /// * [`code::UNSUPPORTED`](crate::code::UNSUPPORTED) if the family has no base score.
    fn fit_from(
        _table: &Table<'_>,
        _task: &Task<'_>,
        _base_score: &[f32],
        _params: &Params,
        _ctx: &Ctx<'_, '_>,
    ) -> Result<Self::Model> {
        Err(PluginError::no_base_score())
    }

    /// Returns the plugin's extension with this name. The default is `None` for every name.
    fn extension(_name: &str) -> Option<Extension> {
        None
    }
}

/// A model family that prepares a table once and fits it many times, with different labels and
/// parameters.
///
/// ```
/// # use oculus_plugin_api::prelude::*;
/// # struct Share(f32);
/// # impl Model for Share {
/// #     fn predict(&self, _: &Table<'_>, _: &[u32], out: &mut [f32]) -> Result<()> { out.fill(self.0); Ok(()) }
/// #     fn save(&self) -> Result<Vec<u8>> { json::save(&(self.0,)) }
/// #     fn load(bytes: &[u8]) -> Result<Self> { json::load(bytes).map(|(share,)| Self(share)) }
/// # }
/// # struct Scaled;
/// impl PreparedFamily for Scaled {
///     type Prepared<'a> = Vec<Input>;
///     type Model = Share;
///
///     fn prepare<'a>(t: Table<'a>, learn_rows: &[u32], _: &Setting, _: &Ctx<'_, '_>) -> Result<Vec<Input>> {
///         Input::standardised(&t, learn_rows)
///     }
///
///     fn fit(inputs: &Vec<Input>, task: &Task<'_>, _: &Params, ctx: &Ctx<'_, '_>) -> Result<Share> {
///         ctx.progress(0.5, &format!("{} inputs", inputs.len()));
///         Ok(Share(task.n_positives() as f32 / task.train_rows.len() as f32))
///     }
/// #   fn manifest() -> Manifest { Manifest::new("scaled", "1.0.0") }
/// }
/// ```
pub trait PreparedFamily: Send + Sync + 'static {
    /// The type of a prepared table, for example a binned, scaled or uploaded one. It may borrow
    /// the table.
    type Prepared<'a>: Send + Sync;
    /// The type of the fitted models.
    type Model: Model;

    /// Returns the plugin's id, the names and flags that select it, and its parameters.
    fn manifest() -> Manifest;

    /// Prepares a table for fits. Every statistic must come from `learn_rows` alone.
    ///
    /// # Errors
    /// * [`code::DATA`](crate::code::DATA) if the family cannot train on these rows.
    /// * [`code::CANCELLED`](crate::code::CANCELLED) from [`Ctx::check`], if the job was cancelled.
    /// * [`code::ENGINE`](crate::code::ENGINE) if the engine fails.
    fn prepare<'a>(
        table: Table<'a>,
        learn_rows: &[u32],
        setting: &Setting,
        ctx: &Ctx<'_, '_>,
    ) -> Result<Self::Prepared<'a>>;

    /// Fits one model on `task.train_rows` of a prepared table. `task.tune_rows`, if any, are for
    /// early stopping.
    ///
    /// The fit must not change the prepared table. The same task, parameters and table must produce
    /// the same model, for any value of `task.threads`.
    ///
    /// # Errors
    /// * [`code::DATA`](crate::code::DATA) if the family cannot train on these rows.
    /// * [`code::CANCELLED`](crate::code::CANCELLED) from [`Ctx::check`], if the job was cancelled.
    /// * [`code::ENGINE`](crate::code::ENGINE) if the engine fails.
    fn fit(prepared: &Self::Prepared<'_>, task: &Task<'_>, params: &Params, ctx: &Ctx<'_, '_>) -> Result<Self::Model>;

    /// Fits one model that starts from a base score: the scores of the model are added to it.
    ///
    /// `base_score` has the log-odds of class 1 for each row of the table. It is finite in
    /// `train_rows` and `tune_rows`, and may be NaN in other rows. Implement the function if the
    /// manifest declares [`Manifest::supports_base_score`]. The default returns an error. New in
    /// 1.1.
    ///
    /// # Errors
    /// * Those of [`PreparedFamily::fit`].
    /// * [`code::UNSUPPORTED`](crate::code::UNSUPPORTED) if the family has no base score.
    fn fit_from(
        _prepared: &Self::Prepared<'_>,
        _task: &Task<'_>,
        _base_score: &[f32],
        _params: &Params,
        _ctx: &Ctx<'_, '_>,
    ) -> Result<Self::Model> {
        Err(PluginError::no_base_score())
    }

    /// Returns the plugin's extension with this name. The default is `None` for every name.
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

    fn fit_from(
        table: &Table<'_>,
        task: &Task<'_>,
        base_score: &[f32],
        params: &Params,
        ctx: &Ctx<'_, '_>,
    ) -> Result<F::Model> {
        F::fit_from(table, task, base_score, params, ctx)
    }

    fn extension(name: &str) -> Option<Extension> {
        F::extension(name)
    }
}

/// A fitted model.
///
/// ```
/// use oculus_plugin_api::prelude::*;
///
/// /// Scores a row by one feature.
/// struct Column(String);
///
/// impl Model for Column {
///     fn predict(&self, table: &Table<'_>, rows: &[u32], out: &mut [f32]) -> Result<()> {
///         let column = table.column(table.positions([&self.0])?[0]);
///         out.iter_mut().zip(rows).for_each(|(score, &row)| *score = column[row as usize]);
///         Ok(())
///     }
///
///     fn save(&self) -> Result<Vec<u8>> {
///         json::save(&(&self.0,))
///     }
///
///     fn load(bytes: &[u8]) -> Result<Self> {
///         json::load(bytes).map(|(name,)| Self(name))
///     }
/// }
/// # assert_eq!(Column::load(&Column("RSI_14".into()).save()?)?.0, "RSI_14");
/// # Ok::<(), PluginError>(())
/// ```
pub trait Model: Sized + Send + Sync + 'static {
    /// Writes one score per row of `rows` into `out`, which has the same length.
    ///
    /// A higher score means class 1 is more likely. If the scores are probabilities, they are from
    /// 0 to 1. The score is NaN if the history before the row is too short. A score depends only on
    /// its row or on the window that ends with its row.
    ///
    /// # Errors
    /// [`code::DATA`](crate::code::DATA) if the table lacks a feature that the model was fitted on.
    fn predict(&self, table: &Table<'_>, rows: &[u32], out: &mut [f32]) -> Result<()>;

    /// Writes one score per row of `rows` into `out`, with the services of the host. Implement it
    /// for a model whose predictions take long: call `ctx.check()?` at least every 100 ms. The
    /// default calls [`Model::predict`], and both must return the same scores. New in 1.1.
    ///
    /// # Errors
    /// * Those of [`Model::predict`].
    /// * [`code::CANCELLED`](crate::code::CANCELLED) from [`Ctx::check`], if the job was cancelled.
    fn predict_with(&self, table: &Table<'_>, rows: &[u32], out: &mut [f32], _ctx: &Ctx<'_, '_>) -> Result<()> {
        self.predict(table, rows, out)
    }

    /// Writes one score per row of `rows` into `out`, for a model that
    /// [`PreparedFamily::fit_from`] fitted.
    ///
    /// `base_score` has the log-odds of class 1 for each row of the table. They are not part of the
    /// saved model. The score of a row contains its base score, and has the scale of
    /// [`Model::predict`]: if the scores are probabilities, it is the probability of the summed
    /// log-odds. The SDK replaces the score of a row by NaN if its base score is not finite. The
    /// default returns an error. New in 1.1.
    ///
    /// # Errors
    /// * Those of [`Model::predict_with`].
    /// * [`code::UNSUPPORTED`](crate::code::UNSUPPORTED) if the family has no base score.
    fn predict_from(
        &self,
        _table: &Table<'_>,
        _rows: &[u32],
        _base_score: &[f32],
        _out: &mut [f32],
        _ctx: &Ctx<'_, '_>,
    ) -> Result<()> {
        Err(PluginError::no_base_score())
    }

    /// Returns the model as bytes, if possible in a format that other tools can read.
    ///
    /// # Errors
    /// [`code::ENGINE`](crate::code::ENGINE) if the engine fails.
    fn save(&self) -> Result<Vec<u8>>;

    /// Reads a model from the bytes that [`Model::save`] returned, also in an earlier version of
    /// the plugin.
    ///
    /// # Errors
    /// [`code::MODEL`](crate::code::MODEL) if the bytes are not a complete model of this plugin.
    fn load(bytes: &[u8]) -> Result<Self>;

    /// Reads a model from the bytes of [`Model::save`], for a device and a number of threads. The
    /// default calls [`Model::load`].
    ///
    /// # Errors
    /// * [`code::MODEL`](crate::code::MODEL) if the bytes are not a complete model of this plugin.
    /// * [`code::DEVICE`](crate::code::DEVICE) if the device is missing.
    fn load_with(bytes: &[u8], _setting: &Setting) -> Result<Self> {
        Self::load(bytes)
    }

    /// Returns one importance per column of the table that the model was fitted on. Each importance
    /// is at least 0. Their sum is 1, or all are 0.
    ///
    /// # Errors
    /// [`code::UNSUPPORTED`](crate::code::UNSUPPORTED) if the family does not compute importance.
    /// The default implementation returns this error.
    fn importance(&self) -> Result<Vec<f64>> {
        Err(PluginError::unsupported("this family does not compute importance"))
    }

    /// Returns facts about the fit. The default implementation returns none.
    fn summary(&self) -> Summary {
        Summary::default()
    }
}

/// Facts about a fit, which the host stores with its result.
///
/// ```
/// use oculus_plugin_api::Summary;
///
/// let summary = Summary { rounds: Some(120), device: Some("cuda".into()) };
/// assert_ne!(summary, Summary::default());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Number of boosting rounds or epochs of the kept model. It is absent if the family does not
    /// count them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rounds: Option<u32>,
    /// Device on which the fit ran. It is absent for the CPU.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
}
