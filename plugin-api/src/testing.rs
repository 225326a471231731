//! The test harness: it runs a plugin in unit tests through the interface that a host uses, without
//! a library to load.
//!
//! In: columns, labels, parameters. Out: the values that cross the boundary, as plain types.
//! Invariant: every call uses [`abi::Module`], so a test sees the same argument checks and caught
//! panics as a host.
//!
//! ```
//! use oculus_plugin_api::prelude::*;
//! use oculus_plugin_api::testing::{Harness, Frame, Listener};
//! # struct Constant;
//! # struct Half;
//! # impl Family for Constant {
//! #     type Model = Half;
//! #     fn manifest() -> Manifest { Manifest::new("constant", "1.0.0") }
//! #     fn fit(_: &Table<'_>, _: &Task<'_>, _: &Params, _: &Ctx<'_, '_>) -> Result<Half> { Ok(Half) }
//! # }
//! # impl Model for Half {
//! #     fn predict(&self, _: &Table<'_>, _: &[u32], out: &mut [f32]) -> Result<()> { out.fill(0.5); Ok(()) }
//! #     fn save(&self) -> Result<Vec<u8>> { Ok(Vec::new()) }
//! #     fn load(_: &[u8]) -> Result<Self> { Ok(Half) }
//! # }
//!
//! let frame = Frame::new(1, 4).column("RSI_14", vec![30.0, 70.0, 25.0, 80.0]);
//! let label = [1.0, 0.0, 1.0, 0.0];
//! let task = Task { label: &label, train_rows: &[0, 1, 2], tune_rows: &[], seed: 1, threads: 1, device: "auto" };
//!
//! let harness = Harness::family::<Constant>();
//! let model = harness.prepare(&frame, task.train_rows)?.fit(&task, "{}", &Listener::default())?;
//! assert_eq!(model.predict(&frame, &[3])?, [0.5]);
//! # Ok::<(), PluginError>(())
//! ```

mod listener;

use std::ptr::NonNull;

use abi_stable::std_types::{RSlice, RStr};

pub use self::listener::Listener;
pub use crate::noise::Noise;
use crate::{
    Extractor, FeatureRole, Manifest, MinedRule, PluginError, PreparedFamily, Result, Setting, Summary, Task, abi,
    module,
};

/// A plugin behind the interface that a host uses.
///
/// ```
/// # use oculus_plugin_api::prelude::*;
/// # struct Constant;
/// # struct Half;
/// # impl Family for Constant {
/// #     type Model = Half;
/// #     fn manifest() -> Manifest { Manifest::new("constant", "1.0.0") }
/// #     fn fit(_: &Table<'_>, _: &Task<'_>, _: &Params, _: &Ctx<'_, '_>) -> Result<Half> { Ok(Half) }
/// # }
/// # impl Model for Half {
/// #     fn predict(&self, _: &Table<'_>, _: &[u32], out: &mut [f32]) -> Result<()> { out.fill(0.5); Ok(()) }
/// #     fn save(&self) -> Result<Vec<u8>> { Ok(Vec::new()) }
/// #     fn load(_: &[u8]) -> Result<Self> { Ok(Half) }
/// # }
/// use oculus_plugin_api::testing::Harness;
///
/// let harness = Harness::family::<Constant>();
/// assert_eq!(harness.manifest()?.id, "constant");
/// assert!(harness.load(&[]).is_ok());
/// # Ok::<(), PluginError>(())
/// ```
pub struct Harness(abi::Module_Ref);

impl Harness {
    /// Returns the plugin that [`export_family!`](crate::export_family) would export.
    pub fn family<F: PreparedFamily>() -> Self {
        Self(module::family_module::<F>())
    }

    /// Returns the plugin that [`export_extractor!`](crate::export_extractor) would export.
    pub fn extractor<E: Extractor>() -> Self {
        Self(module::extractor_module::<E>())
    }

    /// Wraps the module of a loaded library.
    pub fn from_module(module: abi::Module_Ref) -> Self {
        Self(module)
    }

    /// Wraps the module of a loaded library. In API 1.0, [`Harness::from_module`] had this name.
    #[deprecated(note = "renamed to `Harness::from_module`")]
    pub fn of(module: abi::Module_Ref) -> Self {
        Self::from_module(module)
    }

    /// Returns the plugin's manifest.
    ///
    /// # Errors
    /// * The plugin's error.
    /// * [`code::PARAMS`](crate::code::PARAMS) if [`Manifest::check`] finds problems. The message
    ///   lists them. A host rejects a plugin with such problems.
    pub fn manifest(&self) -> Result<Manifest> {
        let json = self.0.describe()().into_result()?;
        let manifest: Manifest = serde_json::from_str(&json).map_err(PluginError::engine)?;
        manifest.check().map_err(|problems| PluginError::params(problems.join("; ")))?;
        Ok(manifest)
    }

    /// Prepares a table with the default setting.
    ///
    /// # Errors
    /// Returns the plugin's error.
    pub fn prepare<'a>(&self, frame: &'a Frame, learn_rows: &[u32]) -> Result<Prepared<'a>> {
        self.prepare_with(frame, learn_rows, &Setting::default(), &Listener::default())
    }

    /// Prepares a table.
    ///
    /// # Errors
    /// Returns the plugin's error.
    pub fn prepare_with<'a>(
        &self,
        frame: &'a Frame,
        learn_rows: &[u32],
        setting: &Setting,
        listener: &Listener,
    ) -> Result<Prepared<'a>> {
        let learn_rows = RSlice::from_slice(learn_rows);
        let setting = setting.to_json()?;
        let prepared = self.0.prepare()(frame.table(), learn_rows, setting.as_str().into(), listener.host());
        prepared.into_result().map(Prepared)
    }

    /// Loads a model from the bytes of [`Fitted::save`], with the default setting.
    ///
    /// # Errors
    /// Returns the plugin's error.
    pub fn load(&self, bytes: &[u8]) -> Result<Fitted> {
        self.load_with(bytes, &Setting::default())
    }

    /// Loads a model from the bytes of [`Fitted::save`].
    ///
    /// # Errors
    /// Returns the plugin's error.
    pub fn load_with(&self, bytes: &[u8], setting: &Setting) -> Result<Fitted> {
        self.0.load()(RSlice::from_slice(bytes), setting.to_json()?.as_str().into()).into_result().map(Fitted)
    }

    /// Returns the plugin's extension with this name, if it has one.
    /// [`Extension`](crate::Extension) documents the pointer.
    ///
    /// # Errors
    /// Returns the plugin's error.
    pub fn extension(&self, name: &str) -> Result<Option<NonNull<()>>> {
        self.0.extension()(name.into()).into_result().map(|pointer| NonNull::new(pointer.cast_mut()))
    }

    /// Extracts rules with default parameters. `scores` contains one score per row of the table.
    ///
    /// # Errors
    /// Returns the plugin's error.
    pub fn extract(
        &self,
        frame: &Frame,
        task: &Task<'_>,
        scores: &[f32],
        listener: &Listener,
    ) -> Result<Vec<MinedRule>> {
        self.extract_with(frame, (task, scores), "{}", listener)
    }

    /// Extracts rules. `params` is a JSON object; `scores` contains one score per row of the table.
    ///
    /// # Errors
    /// Returns the plugin's error.
    pub fn extract_with(
        &self,
        frame: &Frame,
        (task, scores): (&Task<'_>, &[f32]),
        params: &str,
        listener: &Listener,
    ) -> Result<Vec<MinedRule>> {
        let scores = RSlice::from_slice(scores);
        let json =
            self.0.extract()(frame.table(), raw_task(task), scores, params.into(), listener.host()).into_result()?;
        serde_json::from_str(&json).map_err(PluginError::engine)
    }
}

/// The former name of [`Harness`], from API 1.0.
#[deprecated(note = "renamed to `Harness`")]
pub type Bench = Harness;

/// A prepared table, returned by [`Harness::prepare`].
///
/// ```
/// # use oculus_plugin_api::prelude::*;
/// # struct Constant;
/// # struct Half;
/// # impl Family for Constant {
/// #     type Model = Half;
/// #     fn manifest() -> Manifest { Manifest::new("constant", "1.0.0") }
/// #     fn fit(_: &Table<'_>, _: &Task<'_>, _: &Params, _: &Ctx<'_, '_>) -> Result<Half> { Ok(Half) }
/// # }
/// # impl Model for Half {
/// #     fn predict(&self, _: &Table<'_>, _: &[u32], out: &mut [f32]) -> Result<()> { out.fill(0.5); Ok(()) }
/// #     fn save(&self) -> Result<Vec<u8>> { Ok(Vec::new()) }
/// #     fn load(_: &[u8]) -> Result<Self> { Ok(Half) }
/// # }
/// use oculus_plugin_api::testing::{Frame, Harness, Listener};
///
/// let frame = Frame::new(1, 2).column("RSI_14", vec![30.0, 70.0]);
/// let prepared = Harness::family::<Constant>().prepare(&frame, &[0, 1])?;
/// let task = Task { label: &[1.0, 0.0], train_rows: &[0, 1], tune_rows: &[], seed: 1, threads: 1, device: "auto" };
/// assert!(prepared.fit(&task, "{}", &Listener::default()).is_ok());
/// # Ok::<(), PluginError>(())
/// ```
pub struct Prepared<'a>(abi::PreparedBox<'a>);

impl Prepared<'_> {
    /// Fits one model. `params` is a JSON object.
    ///
    /// # Errors
    /// Returns the plugin's error.
    pub fn fit(&self, task: &Task<'_>, params: &str, listener: &Listener) -> Result<Fitted> {
        self.0.fit(raw_task(task), params.into(), listener.host()).into_result().map(Fitted)
    }

    /// Fits one model that starts from a base score per row of the table.
    ///
    /// # Errors
    /// * The plugin's error.
    /// * [`code::UNSUPPORTED`](crate::code::UNSUPPORTED) if the family has no base score.
    pub fn fit_from(&self, task: &Task<'_>, base_score: &[f32], params: &str, listener: &Listener) -> Result<Fitted> {
        let base_score = RSlice::from_slice(base_score);
        self.0.fit_from(raw_task(task), base_score, params.into(), listener.host()).into_result().map(Fitted)
    }
}

/// A fitted or loaded model.
///
/// ```
/// # use oculus_plugin_api::prelude::*;
/// # struct Constant;
/// # struct Half;
/// # impl Family for Constant {
/// #     type Model = Half;
/// #     fn manifest() -> Manifest { Manifest::new("constant", "1.0.0") }
/// #     fn fit(_: &Table<'_>, _: &Task<'_>, _: &Params, _: &Ctx<'_, '_>) -> Result<Half> { Ok(Half) }
/// # }
/// # impl Model for Half {
/// #     fn predict(&self, _: &Table<'_>, _: &[u32], out: &mut [f32]) -> Result<()> { out.fill(0.5); Ok(()) }
/// #     fn save(&self) -> Result<Vec<u8>> { Ok(b"half".to_vec()) }
/// #     fn load(_: &[u8]) -> Result<Self> { Ok(Half) }
/// # }
/// use oculus_plugin_api::testing::{Frame, Harness};
///
/// let model = Harness::family::<Constant>().load(b"half")?;
/// assert_eq!(model.predict(&Frame::new(1, 3), &[0, 2])?, [0.5, 0.5]);
/// assert_eq!(model.save()?, b"half");
/// # Ok::<(), PluginError>(())
/// ```
pub struct Fitted(abi::ModelBox);

impl Fitted {
    /// Returns one score per row of `rows`, in the order of the rows.
    ///
    /// # Errors
    /// Returns the plugin's error.
    pub fn predict(&self, frame: &Frame, rows: &[u32]) -> Result<Vec<f32>> {
        // The buffer is filled with NaN, so that a score that the plugin does not write is NaN.
        let mut out = vec![f32::NAN; rows.len()];
        self.0.predict(frame.table(), RSlice::from_slice(rows), out.as_mut_slice().into()).into_result()?;
        Ok(out)
    }

    /// Returns one score per row of `rows`, in the order of the rows. The plugin receives the
    /// services of the host, and one base score per row of the table or an empty list.
    ///
    /// # Errors
    /// * The plugin's error.
    /// * [`code::UNSUPPORTED`](crate::code::UNSUPPORTED) if there is a base score and the family
    ///   does not support one.
    pub fn predict_with(
        &self,
        frame: &Frame,
        rows: &[u32],
        base_score: &[f32],
        listener: &Listener,
    ) -> Result<Vec<f32>> {
        let mut out = vec![f32::NAN; rows.len()];
        let rows = RSlice::from_slice(rows);
        let base_score = RSlice::from_slice(base_score);
        let scores = out.as_mut_slice().into();
        self.0.predict_with(frame.table(), rows, base_score, scores, listener.host()).into_result()?;
        Ok(out)
    }

    /// Saves the model as bytes.
    ///
    /// # Errors
    /// Returns the plugin's error.
    pub fn save(&self) -> Result<Vec<u8>> {
        self.0.save().into_result().map(Into::into)
    }

    /// Returns one importance per column of the table.
    ///
    /// # Errors
    /// Returns the plugin's error.
    pub fn importance(&self) -> Result<Vec<f64>> {
        self.0.importance().into_result().map(Into::into)
    }

    /// Returns facts about the fit.
    ///
    /// # Errors
    /// * The plugin's error.
    /// * [`code::ENGINE`](crate::code::ENGINE) if the result is not the JSON of a [`Summary`].
    pub fn summary(&self) -> Result<Summary> {
        serde_json::from_str(&self.0.summary().into_result()?).map_err(PluginError::engine)
    }
}

/// Converts a task to the type that crosses the boundary.
fn raw_task<'a>(task: &Task<'a>) -> abi::Task<'a> {
    abi::Task {
        label: RSlice::from_slice(task.label),
        train_rows: RSlice::from_slice(task.train_rows),
        tune_rows: RSlice::from_slice(task.tune_rows),
        seed: task.seed,
        threads: task.threads as u32,
        device: task.device.into(),
    }
}

/// A table that owns its columns. Each symbol has one bar per day, starting on 1970-01-01. All
/// symbols have the same days.
///
/// ```
/// use oculus_plugin_api::testing::Frame;
///
/// let frame = Frame::new(2, 3).column("RSI_14", vec![30.0; 6]).rule_column("SMA_20", vec![101.5; 6]);
/// assert_eq!(frame.n_rows(), 6);
/// assert_eq!(frame.table().day.as_slice(), [0, 1, 2, 0, 1, 2]);
/// ```
#[derive(Clone, Debug)]
pub struct Frame {
    values: Vec<f32>,
    names: Vec<RStr<'static>>,
    roles: Vec<u32>,
    time: Vec<i64>,
    day: Vec<i32>,
    symbol: Vec<u32>,
}

impl Frame {
    /// Creates a table with `n_symbols × n_days` rows and no columns.
    pub fn new(n_symbols: u32, n_days: u32) -> Self {
        let rows = || (0..n_symbols).flat_map(|symbol| (0..n_days).map(move |day| (symbol, day as i32)));
        Self {
            values: Vec::new(),
            names: Vec::new(),
            roles: Vec::new(),
            time: rows().map(|(_, day)| i64::from(day) * 86_400).collect(),
            day: rows().map(|(_, day)| day).collect(),
            symbol: rows().map(|(symbol, _)| symbol).collect(),
        }
    }

    /// Adds a feature for models and rules, with one value per row.
    #[must_use]
    pub fn column(self, name: &'static str, values: Vec<f32>) -> Self {
        self.with(name, FeatureRole::Model, values)
    }

    /// Adds a feature for rules only, with one value per row.
    #[must_use]
    pub fn rule_column(self, name: &'static str, values: Vec<f32>) -> Self {
        self.with(name, FeatureRole::Rule, values)
    }

    fn with(mut self, name: &'static str, role: FeatureRole, values: Vec<f32>) -> Self {
        self.values.extend(values);
        self.names.push(name.into());
        self.roles.push(role.code());
        self
    }

    /// Returns the number of rows.
    pub fn n_rows(&self) -> usize {
        self.day.len()
    }

    /// Returns all values, column-major, to modify them.
    pub fn values_mut(&mut self) -> &mut [f32] {
        &mut self.values
    }

    /// Returns the table in the form in which it crosses the boundary.
    /// [`Table::new`](crate::Table::new) rejects it if the length of a column differs from the
    /// number of rows.
    pub fn table(&self) -> abi::Table<'_> {
        abi::Table {
            values: RSlice::from_slice(&self.values),
            n_rows: self.day.len() as u64,
            n_features: self.names.len() as u64,
            names: RSlice::from_slice(&self.names),
            roles: RSlice::from_slice(&self.roles),
            time: RSlice::from_slice(&self.time),
            day: RSlice::from_slice(&self.day),
            symbol: RSlice::from_slice(&self.symbol),
        }
    }
}
