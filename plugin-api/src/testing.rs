//! Unit tests of plugins: a plugin runs through its real module, as in a host, without a library to load.
//!
//! In: columns, labels, parameters. Out: the values that cross the boundary, in plain types. Invariant: every call goes
//! through [`abi::Module`], so a test gets the argument checks and the caught panics that a host gets.
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

use std::ptr::NonNull;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use abi_stable::erased_types::TD_Opaque;
use abi_stable::std_types::{RSlice, RStr};

pub use crate::noise::Noise;
use crate::{
    Extractor, FeatureRole, Manifest, MinedRule, PluginError, PreparedFamily, Result, Setting, Summary, Task, abi,
    module,
};

/// A plugin with the interface that a host uses.
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

    /// Wraps the module of a loaded library. The name of [`Harness::from_module`] in API 1.0.
    #[deprecated(note = "renamed to `Harness::from_module`")]
    pub fn of(module: abi::Module_Ref) -> Self {
        Self::from_module(module)
    }

    /// Returns the plugin's manifest.
    ///
    /// # Errors
    /// The plugin's error, or [`code::PARAMS`](crate::code::PARAMS) with all problems that [`Manifest::check`] finds. A
    /// host rejects a plugin with such problems.
    pub fn manifest(&self) -> Result<Manifest> {
        let json = self.0.describe()().into_result()?;
        let manifest: Manifest = serde_json::from_str(&json).map_err(PluginError::engine)?;
        manifest.check().map_err(|problems| PluginError::params(problems.join("; ")))?;
        Ok(manifest)
    }

    /// Prepares a table with the default setting.
    ///
    /// # Errors
    /// The plugin's error.
    pub fn prepare<'a>(&self, frame: &'a Frame, learn_rows: &[u32]) -> Result<Prepared<'a>> {
        self.prepare_with(frame, learn_rows, &Setting::default(), &Listener::default())
    }

    /// Prepares a table.
    ///
    /// # Errors
    /// The plugin's error.
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
    /// The plugin's error.
    pub fn load(&self, bytes: &[u8]) -> Result<Fitted> {
        self.load_with(bytes, &Setting::default())
    }

    /// Loads a model from the bytes of [`Fitted::save`].
    ///
    /// # Errors
    /// The plugin's error.
    pub fn load_with(&self, bytes: &[u8], setting: &Setting) -> Result<Fitted> {
        self.0.load()(RSlice::from_slice(bytes), setting.to_json()?.as_str().into()).into_result().map(Fitted)
    }

    /// Returns the plugin's extension of a name, if it has one; [`Extension`](crate::Extension) documents the pointer.
    ///
    /// # Errors
    /// The plugin's error.
    pub fn extension(&self, name: &str) -> Result<Option<NonNull<()>>> {
        self.0.extension()(name.into()).into_result().map(|pointer| NonNull::new(pointer.cast_mut()))
    }

    /// Mines rules with default parameters; `scores` has one score per row.
    ///
    /// # Errors
    /// The plugin's error.
    pub fn extract(
        &self,
        frame: &Frame,
        task: &Task<'_>,
        scores: &[f32],
        listener: &Listener,
    ) -> Result<Vec<MinedRule>> {
        self.extract_with(frame, (task, scores), "{}", listener)
    }

    /// Mines rules; `params` is a JSON object.
    ///
    /// # Errors
    /// The plugin's error.
    pub fn extract_with(
        &self,
        frame: &Frame,
        (task, scores): (&Task<'_>, &[f32]),
        params: &str,
        listener: &Listener,
    ) -> Result<Vec<MinedRule>> {
        let scores = RSlice::from_slice(scores);
        let json = self.0.extract()(frame.table(), raw(task), scores, params.into(), listener.host()).into_result()?;
        serde_json::from_str(&json).map_err(PluginError::engine)
    }
}

/// The name of [`Harness`] in API 1.0.
#[deprecated(note = "renamed to `Harness`")]
pub type Bench = Harness;

/// A prepared table.
pub struct Prepared<'a>(abi::PreparedBox<'a>);

impl Prepared<'_> {
    /// Fits one model; `params` is a JSON object.
    ///
    /// # Errors
    /// The plugin's error.
    pub fn fit(&self, task: &Task<'_>, params: &str, listener: &Listener) -> Result<Fitted> {
        self.0.fit(raw(task), params.into(), listener.host()).into_result().map(Fitted)
    }
}

/// A fitted model.
pub struct Fitted(abi::ModelBox);

impl Fitted {
    /// Returns one score per row of `rows`, in their order.
    ///
    /// # Errors
    /// The plugin's error.
    pub fn predict(&self, frame: &Frame, rows: &[u32]) -> Result<Vec<f32>> {
        let mut out = vec![f32::NAN; rows.len()];
        self.0.predict(frame.table(), RSlice::from_slice(rows), out.as_mut_slice().into()).into_result()?;
        Ok(out)
    }

    /// Saves the model as bytes.
    ///
    /// # Errors
    /// The plugin's error.
    pub fn save(&self) -> Result<Vec<u8>> {
        self.0.save().into_result().map(Into::into)
    }

    /// Returns the importance of each column, as a share.
    ///
    /// # Errors
    /// The plugin's error.
    pub fn importance(&self) -> Result<Vec<f64>> {
        self.0.importance().into_result().map(Into::into)
    }

    /// Returns the rounds kept and the device used by the fit.
    ///
    /// # Errors
    /// The plugin's error, or [`code::ENGINE`](crate::code::ENGINE) if the answer is not the JSON of a [`Summary`].
    pub fn summary(&self) -> Result<Summary> {
        serde_json::from_str(&self.0.summary().into_result()?).map_err(PluginError::engine)
    }
}

fn raw<'a>(task: &Task<'a>) -> abi::Task<'a> {
    abi::Task {
        label: RSlice::from_slice(task.label),
        train_rows: RSlice::from_slice(task.train_rows),
        tune_rows: RSlice::from_slice(task.tune_rows),
        seed: task.seed,
        threads: task.threads as u32,
        device: task.device.into(),
    }
}

/// A table that owns its columns: all symbols have one bar per day, on the same days from 1970-01-01 on.
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
    /// Creates a table without columns, of `n_symbols × n_days` rows.
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

    /// Adds a feature for models and rules; one value per row.
    #[must_use]
    pub fn column(self, name: &'static str, values: Vec<f32>) -> Self {
        self.with(name, FeatureRole::Model, values)
    }

    /// Adds a feature for rules only; one value per row.
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

    /// Returns the table as it crosses the boundary, which rejects columns whose length differs from the table's.
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

/// A host that records the reports of a plugin, and cancels at a set check.
#[derive(Debug)]
pub struct Listener {
    calls_left: AtomicUsize,
    n_asked: AtomicUsize,
    lines: Mutex<Vec<String>>,
}

impl Default for Listener {
    /// Creates a host that never cancels.
    fn default() -> Self {
        Self::cancelling_at(usize::MAX)
    }
}

impl Listener {
    /// Creates a host that reports a cancelled job from the `n_checks`-th check on, counted from 1.
    pub fn cancelling_at(n_checks: usize) -> Self {
        let calls_left = AtomicUsize::new(n_checks.saturating_sub(1));
        Self { calls_left, n_asked: AtomicUsize::new(0), lines: Mutex::default() }
    }

    /// Returns the number of times that the plugin checked for cancellation.
    pub fn n_asked(&self) -> usize {
        self.n_asked.load(Ordering::Relaxed)
    }

    /// Returns all reports of the plugin, in order: `progress 0.5 half`, `metric loss 3 0.7`, `log 2 odd`.
    pub fn heard(&self) -> Vec<String> {
        self.lines.lock().map(|lines| lines.clone()).unwrap_or_default()
    }

    fn host(&self) -> abi::HostRef<'_> {
        abi::Host_TO::from_ptr(self, TD_Opaque)
    }

    fn record(&self, line: String) {
        if let Ok(mut lines) = self.lines.lock() {
            lines.push(line);
        }
    }
}

impl abi::Host for Listener {
    fn progress(&self, fraction: f64, message: RStr<'_>) {
        self.record(format!("progress {fraction} {message}"));
    }

    fn metric(&self, name: RStr<'_>, step: u64, value: f64) {
        self.record(format!("metric {name} {step} {value}"));
    }

    fn log(&self, level: u32, message: RStr<'_>) {
        self.record(format!("log {level} {message}"));
    }

    fn cancelled(&self) -> bool {
        self.n_asked.fetch_add(1, Ordering::Relaxed);
        self.calls_left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_err()
    }
}
