//! A plugin on trial: its module, the panel, and what its fits are called with.
//!
//! Fits take the declared defaults but for the number of rounds, which is small, and run on the CPU
//! where the plugin can.

use std::sync::OnceLock;

use serde_json::{Map, json};

use super::claim_error::{ClaimError, ClaimResult, describe};
use super::finding::Depth;
use super::panel::Panel;
use crate::testing::{Fitted, Frame, Harness, Listener};
use crate::{Manifest, MinedRule, ParamKind, Result, Role, Setting, Task};

/// Rounds or epochs of a fit of the suite, where the plugin counts them.
const N_ROUNDS: i64 = 3;
/// History that is made up at most, whatever a plugin wants by default.
const MAX_LOOKBACK: i64 = 5000;

/// What rules are extracted from.
#[derive(Clone, Copy)]
pub(crate) struct Extraction<'e> {
    pub(crate) frame: &'e Frame,
    pub(crate) task: Task<'e>,
    pub(crate) scores: &'e [f32],
}

/// The plugin, and what it is tried on.
pub(crate) struct Subject<'h> {
    pub(crate) harness: &'h Harness,
    pub(crate) manifest: Manifest,
    pub(crate) panel: Panel,
    pub(crate) frame: Frame,
    n_rounds: i64,
    train_rows: Vec<u32>,
    tune_rows: Vec<u32>,
    first: OnceLock<Result<Fitted>>,
}

impl<'h> Subject<'h> {
    /// Makes the panel: small for a probe, and long enough for the plugin's windows.
    pub(crate) fn new(harness: &'h Harness, manifest: Manifest, depth: Depth) -> Self {
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

    /// What is learnt unless a claim says otherwise.
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

    fn device(&self) -> &'static str {
        if self.runs_on_cpu() { "cpu" } else { "auto" }
    }

    fn runs_on_cpu(&self) -> bool {
        self.manifest.devices.iter().any(|device| device == "cpu")
    }

    /// The same bits are promised on the CPU only.
    pub(crate) fn needs_cpu(&self) -> ClaimResult {
        if self.runs_on_cpu() {
            return Ok(());
        }
        Err(ClaimError::inapplicable("it has no device `cpu`, and elsewhere the same bits are not promised"))
    }

    /// Device and threads of everything but fits.
    pub(crate) fn setting(&self, task: &Task<'_>) -> Setting {
        Setting { device: task.device.to_owned(), threads: task.threads, seed: task.seed }
    }

    /// Parameters with this many times the usual rounds, and the number; none where nothing counts rounds.
    pub(crate) fn rounds(&self, times: i64) -> Option<(i64, String)> {
        let name = self.manifest.rounds_param.as_deref()?;
        let (_, min, max) = whole_default(&self.manifest, name)?;
        let n_rounds = (times * self.n_rounds).max(min).min(max);
        Some((n_rounds, json!({ name: n_rounds }).to_string()))
    }

    /// What a fit takes: the defaults, but few rounds.
    pub(crate) fn params(&self) -> String {
        self.rounds(1).map_or_else(|| "{}".to_owned(), |(_, params)| params)
    }

    /// As [`Subject::params`], and one more.
    pub(crate) fn params_and(&self, name: &str, value: serde_json::Value) -> String {
        let mut params: Map<_, _> = serde_json::from_str(&self.params()).unwrap_or_default();
        params.insert(name.to_owned(), value);
        serde_json::Value::from(params).to_string()
    }

    /// Prepares and fits on the rows to train on.
    pub(crate) fn fit(&self, frame: &Frame, task: &Task<'_>) -> Result<Fitted> {
        self.fit_with(frame, task, &self.params(), &Listener::default())
    }

    /// Fits as [`Subject::fit`] does; the listener receives the events of the fit only.
    pub(crate) fn fit_with(&self, frame: &Frame, task: &Task<'_>, params: &str, listener: &Listener) -> Result<Fitted> {
        let setting = self.setting(task);
        let prepared = self.harness.prepare_with(frame, task.train_rows, &setting, &Listener::default())?;
        prepared.fit(task, params, listener)
    }

    /// The model of the usual task, fitted once.
    pub(crate) fn first(&self) -> &Result<Fitted> {
        self.first.get_or_init(|| self.fit(&self.frame, &self.task()))
    }

    /// The model of the usual task, for claims that begin with one.
    pub(crate) fn model(&self) -> std::result::Result<&Fitted, ClaimError> {
        self.first()
            .as_ref()
            .map_err(|error| ClaimError::inapplicable(format!("there is no model: {}", describe(error))))
    }

    /// Whether it mines rules, and fits no models.
    pub(crate) fn is_extractor(&self) -> bool {
        self.manifest.role == Role::Rules
    }

    /// Whether the usual task gives a model, or rules.
    pub(crate) fn works(&self) -> ClaimResult {
        if self.is_extractor() { self.rules().map(drop) } else { self.model().map(drop) }
    }

    /// The table and the labels with other values on some rows.
    pub(crate) fn disturbed(&self, rows: &[u32]) -> (Frame, Vec<f32>) {
        let mut frame = self.frame.clone();
        let mut label = self.panel.label.clone();
        let n_rows = frame.n_rows();
        for column in frame.values_mut().chunks_mut(n_rows) {
            rows.iter().for_each(|&row| column[row as usize] = 7.0 - 50.0 * column[row as usize]);
        }
        for &row in rows {
            label[row as usize] = if row % 2 == 0 { f32::NAN } else { 1.0 - label[row as usize] };
        }
        (frame, label)
    }

    /// The usual extraction.
    pub(crate) fn extraction(&self) -> Extraction<'_> {
        Extraction { frame: &self.frame, task: self.task(), scores: &self.panel.scores }
    }

    /// Extracts rules with the usual parameters.
    pub(crate) fn extract(&self, extraction: &Extraction<'_>) -> Result<Vec<MinedRule>> {
        self.extract_with(extraction, &self.params(), &Listener::default())
    }

    /// As [`Subject::extract`], with other parameters and a listener.
    pub(crate) fn extract_with(
        &self,
        extraction: &Extraction<'_>,
        params: &str,
        listener: &Listener,
    ) -> Result<Vec<MinedRule>> {
        self.harness.extract_with(extraction.frame, (&extraction.task, extraction.scores), params, listener)
    }

    /// The rules of the usual task, for claims that begin with some.
    pub(crate) fn rules(&self) -> std::result::Result<Vec<MinedRule>, ClaimError> {
        let rules = self.extract(&self.extraction());
        rules.map_err(|error| ClaimError::inapplicable(format!("there are no rules: {}", describe(&error))))
    }
}

/// Default, least and most of a whole number.
fn whole_default(manifest: &Manifest, name: &str) -> Option<(i64, i64, i64)> {
    match manifest.params.iter().find(|param| param.name == name)?.kind {
        ParamKind::Int { default, min, max } => Some((default, min, max)),
        _ => None,
    }
}
