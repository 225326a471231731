//! The plugin under test: its module, the panel, and the standard arguments of its calls.
//!
//! Fits use the declared defaults, but a small number of rounds. They run on the CPU if the plugin
//! supports it.

use std::sync::OnceLock;

use serde_json::{Map, json};

use super::claim_error::{ClaimError, ClaimResult, describe};
use super::finding::Depth;
use super::panel::Panel;
use crate::testing::{Fitted, Frame, Harness, Listener};
use crate::{Manifest, MinedRule, ParamKind, Result, Role, Setting, Task};

/// Rounds or epochs per fit of the suite, if the plugin counts them. The number is small, because
/// the suite runs dozens of fits.
const N_ROUNDS: i64 = 3;
/// Largest number of synthetic history days. Without this limit, a third-party plugin with a large
/// default could exhaust time and memory.
const MAX_LOOKBACK: i64 = 5000;

/// The inputs of an extraction.
#[derive(Clone, Copy)]
pub(crate) struct Extraction<'e> {
    pub(crate) frame: &'e Frame,
    pub(crate) task: Task<'e>,
    pub(crate) scores: &'e [f32],
}

/// The plugin under test with its inputs.
pub(crate) struct Subject<'h> {
    pub(crate) harness: &'h Harness,
    pub(crate) manifest: Manifest,
    pub(crate) panel: Panel,
    pub(crate) frame: Frame,
    n_rounds: i64,
    train_rows: Vec<u32>,
    tune_rows: Vec<u32>,
    /// The model of the standard task. It is fitted on first use, because most claims need it.
    first: OnceLock<Result<Fitted>>,
}

impl<'h> Subject<'h> {
    /// Creates a subject whose panel is small for a probe and has enough history for the plugin's
    /// windows.
    pub(crate) fn new(harness: &'h Harness, manifest: Manifest, depth: Depth) -> Self {
        // With a shorter history, a sequence model would return NaN for every row.
        let lookback = manifest.lookback_param.as_deref().and_then(|name| whole_default(&manifest, name));
        let n_before = lookback.map_or(0, |(rows, ..)| rows.clamp(0, MAX_LOOKBACK) as u32);
        let (panel, n_rounds) = match depth {
            Depth::Probe => (Panel::new(2, n_before, 60), 1),
            Depth::Suite => (Panel::new(3, n_before, 120), N_ROUNDS),
        };
        let train_rows = panel.days(panel.train());
        let tune_rows = panel.days(panel.tune());
        Self { harness, manifest, frame: panel.frame(), panel, n_rounds, train_rows, tune_rows, first: OnceLock::new() }
    }

    /// Returns the standard task.
    pub(crate) fn task(&self) -> Task<'_> {
        Task {
            label: &self.panel.label,
            train_rows: &self.train_rows,
            tune_rows: &self.tune_rows,
            seed: 7,
            threads: 1,
            device: self.device(),
        }
    }

    /// Returns the device of the standard calls.
    fn device(&self) -> &'static str {
        if self.runs_on_cpu() { "cpu" } else { "auto" }
    }

    pub(crate) fn runs_on_cpu(&self) -> bool {
        self.manifest.devices.iter().any(|device| device == "cpu")
    }

    /// Makes a claim inapplicable if the plugin cannot run on the CPU, because only results on the
    /// CPU must be reproducible.
    pub(crate) fn needs_cpu(&self) -> ClaimResult {
        if self.runs_on_cpu() {
            return Ok(());
        }
        Err(ClaimError::inapplicable(
            "it does not support the device `cpu`, and other devices need not reproduce the same bits",
        ))
    }

    /// Returns the setting of a call that belongs to a task, for example of the call that prepares
    /// its table.
    pub(crate) fn setting(&self, task: &Task<'_>) -> Setting {
        Setting { device: task.device.to_owned(), threads: task.threads, seed: task.seed }
    }

    /// Returns a number of rounds and the parameters that set it. The number is the standard number
    /// multiplied by `times`, limited to the allowed range. Returns `None` if no parameter counts
    /// rounds.
    pub(crate) fn rounds(&self, times: i64) -> Option<(i64, String)> {
        let name = self.manifest.rounds_param.as_deref()?;
        let (_, min, max) = whole_default(&self.manifest, name)?;
        let n_rounds = (times * self.n_rounds).max(min).min(max);
        Some((n_rounds, json!({ name: n_rounds }).to_string()))
    }

    /// Returns the standard parameters: the defaults, but with few rounds.
    pub(crate) fn params(&self) -> String {
        self.rounds(1).map_or_else(|| "{}".to_owned(), |(_, params)| params)
    }

    /// Returns the standard parameters with one parameter added or replaced.
    pub(crate) fn params_with(&self, name: &str, value: serde_json::Value) -> String {
        let mut params: Map<_, _> = serde_json::from_str(&self.params()).unwrap_or_default();
        params.insert(name.to_owned(), value);
        serde_json::Value::from(params).to_string()
    }

    /// Prepares a table and fits a model with the standard parameters.
    pub(crate) fn fit(&self, frame: &Frame, task: &Task<'_>) -> Result<Fitted> {
        self.fit_with(frame, task, &self.params(), &Listener::default())
    }

    /// Prepares a table and fits a model. The listener receives the reports of the fit only.
    pub(crate) fn fit_with(&self, frame: &Frame, task: &Task<'_>, params: &str, listener: &Listener) -> Result<Fitted> {
        let setting = self.setting(task);
        // `prepare` gets its own listener, so that the claims count the checks of the fit only.
        let prepared = self.harness.prepare_with(frame, task.train_rows, &setting, &Listener::default())?;
        prepared.fit(task, params, listener)
    }

    /// Returns the result of the standard fit, which runs once.
    pub(crate) fn first(&self) -> &Result<Fitted> {
        self.first.get_or_init(|| self.fit(&self.frame, &self.task()))
    }

    /// Returns the model of the standard fit, for claims that need one. A failed fit makes such a
    /// claim inapplicable, because another claim reports the failure.
    pub(crate) fn model(&self) -> std::result::Result<&Fitted, ClaimError> {
        self.first()
            .as_ref()
            .map_err(|error| ClaimError::inapplicable(format!("the standard fit failed: {}", describe(error))))
    }

    /// Returns whether the plugin is a rule extractor.
    pub(crate) fn is_extractor(&self) -> bool {
        self.manifest.role == Role::Rules
    }

    /// Checks that the standard call returns a model or rules.
    pub(crate) fn accepts_valid_input(&self) -> ClaimResult {
        if self.is_extractor() { self.rules().map(drop) } else { self.model().map(drop) }
    }

    /// Returns copies of the table and the labels, with changed values in these rows.
    pub(crate) fn with_changed_rows(&self, rows: &[u32]) -> (Frame, Vec<f32>) {
        let mut frame = self.frame.clone();
        let mut label = self.panel.label.clone();
        let n_rows = frame.n_rows();
        for column in frame.values_mut().chunks_mut(n_rows) {
            // A large change of scale and sign affects any statistic that includes these rows.
            rows.iter().for_each(|&row| column[row as usize] = 7.0 - 50.0 * column[row as usize]);
        }
        for &row in rows {
            label[row as usize] = if row % 2 == 0 { f32::NAN } else { 1.0 - label[row as usize] };
        }
        (frame, label)
    }

    /// Returns the inputs of the standard extraction.
    pub(crate) fn extraction(&self) -> Extraction<'_> {
        Extraction { frame: &self.frame, task: self.task(), scores: &self.panel.scores }
    }

    /// Extracts rules with the standard parameters.
    pub(crate) fn extract(&self, extraction: &Extraction<'_>) -> Result<Vec<MinedRule>> {
        self.extract_with(extraction, &self.params(), &Listener::default())
    }

    /// Extracts rules with parameters and a listener.
    pub(crate) fn extract_with(
        &self,
        extraction: &Extraction<'_>,
        params: &str,
        listener: &Listener,
    ) -> Result<Vec<MinedRule>> {
        self.harness.extract_with(extraction.frame, (&extraction.task, extraction.scores), params, listener)
    }

    /// Returns the rules of the standard extraction, for claims that need them. A failed extraction
    /// makes such a claim inapplicable, because another claim reports the failure.
    pub(crate) fn rules(&self) -> std::result::Result<Vec<MinedRule>, ClaimError> {
        let rules = self.extract(&self.extraction());
        rules.map_err(|error| ClaimError::inapplicable(format!("the standard extraction failed: {}", describe(&error))))
    }
}

/// Returns three values of a whole-number parameter: the default, the smallest allowed one and the
/// largest allowed one.
fn whole_default(manifest: &Manifest, name: &str) -> Option<(i64, i64, i64)> {
    match manifest.params.iter().find(|param| param.name == name)?.kind {
        ParamKind::Int { default, min, max } => Some((default, min, max)),
        _ => None,
    }
}
