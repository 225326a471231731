//! The job as the backend writes it, checked once into types that need no further check.
//!
//! In: the payload's text. Out: a [`Job`] with every default resolved, or one refusal that names all its problems.
//! Invariant: every value of a [`Job`] is within its range.
//!
//! Jobs are written by a language model, so numbers may be texts, whole numbers may end in `.0`,
//! `null` means absent, and unknown fields are ignored. `docs/job.md` has the table of fields.

mod cursor;
mod read;
mod rule;
#[cfg(test)]
mod tests;
mod timeframe;

use serde_json::{Map, Value, json};

use self::cursor::{Cursor, Problems};
use crate::code::ErrorCode;
use crate::failure::Failure;
use crate::progress::Phase;

pub use oculus_plugin_api::Operator;

pub use self::read::is_symbol;
pub use self::rule::Rule;
pub use self::timeframe::Timeframe;

/// Longest payload that is read, in bytes.
pub const MAX_PAYLOAD_BYTES: usize = 5_000_000;
/// Seed of a job that names none.
pub const DEFAULT_SEED: u64 = 42;
/// Problems that a refusal names; the rest is counted.
const MAX_NAMED_PROBLEMS: usize = 20;

/// A checked job.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    /// Id in the queue and in progress events: `job_id`, else `build_id`.
    pub id: String,
    /// Id that the result echoes: `build_id`, else `job_id`.
    pub build_id: String,
    /// Owner of the job; empty when the job names none.
    pub user_id: String,
    /// Tickers without duplicates, in the job's order; safe as file names.
    pub symbols: Vec<String>,
    /// Length of a bar.
    pub timeframe: Timeframe,
    /// The strategy to search for.
    pub design: Design,
}

/// The strategy's outline and how to train for it.
#[derive(Clone, Debug, PartialEq)]
pub struct Design {
    /// Labelled span in years.
    pub years: f64,
    /// Kind of strategy; echoed, changes nothing.
    pub strategy_type: String,
    /// What the strategy does; echoed, changes nothing.
    pub strategy_description: String,
    /// Why it should work; echoed, changes nothing.
    pub strategy_rationale: String,
    /// Label horizons in sessions, without duplicates.
    pub forward_returns_days_options: Vec<u32>,
    /// Label thresholds in percent, without duplicates.
    pub profit_threshold_options: Vec<f64>,
    /// Trials of the config search.
    pub n_iter_search: u32,
    /// Features that are always in, as the job spells them.
    pub priority_features: Vec<String>,
    /// Conditions that speak for opening a position.
    pub entry_rules: Vec<Rule>,
    /// Conditions that speak for closing it.
    pub exit_rules: Vec<Rule>,
    /// Number of entry rules that must hold at the same time to open; a fraction is rounded up.
    pub entry_score_threshold: u32,
    /// Number of exit rules that must hold at the same time to close; a fraction is rounded up.
    pub exit_score_threshold: u32,
    /// Strategies that the optimizer tries.
    pub strategy_trials: u32,
    /// Cost of a fill in hundredths of a percent of the traded value.
    pub cost_bps: f64,
    /// Families and their parameters.
    pub ml_training_config: TrainingConfig,
}

/// Which model families to train and how.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainingConfig {
    /// Family that leads the config search, by a name that its plugin declares.
    pub config_search_model: String,
    /// Walk-forward folds.
    pub cv_folds: u32,
    /// Further families asked for by name.
    pub families: Vec<String>,
    /// Rule extractor asked for by name.
    pub rule_extractor: Option<String>,
    /// Seed of all randomness of the job.
    pub seed: u64,
    /// All other fields, nulls left out: flags and prefixed parameters, for the plugins' manifests to interpret.
    pub options: Map<String, Value>,
}

impl Job {
    /// Reads and checks a job.
    ///
    /// # Errors
    /// A refusal in phase `queued`: `payload_too_large`, `malformed_json`, or `invalid_job`, whose message names every
    /// problem by path, with what was found and what was needed.
    pub fn parse(payload: &str) -> Result<Self, Failure> {
        Self::from_value(&parse_payload(payload)?)
    }

    /// Checks a job whose payload [`parse_payload`] has read.
    ///
    /// # Errors
    /// A refusal in phase `queued`, `invalid_job`, like [`Job::parse`].
    pub fn from_value(payload: &Value) -> Result<Self, Failure> {
        let problems = Problems::default();
        let job = read::job(&Cursor::root(payload, &problems));
        match (job, problems.into_vec()) {
            (Some(job), problems) if problems.is_empty() => Ok(job),
            (_, problems) => Err(refused(
                ErrorCode::InvalidJob,
                name_problems(&problems),
                "docs/job.md lists the fields of a job and their ranges",
            )),
        }
    }

    /// Returns the configuration with all defaults resolved, as the result echoes it.
    pub fn design_config(&self) -> Value {
        let design = &self.design;
        let config = &design.ml_training_config;
        json!({
            "forward_returns_days_options": design.forward_returns_days_options,
            "profit_threshold_options": design.profit_threshold_options,
            "n_iter_search": design.n_iter_search,
            "cv_folds": config.cv_folds,
            "config_search_model": config.config_search_model,
            "train_neural_networks": config.flag("train_neural_networks"),
            "train_lstm": config.flag("train_lstm"),
            "symbols": self.symbols,
            "timeframe": self.timeframe,
            "years": design.years,
            "strategy_type": design.strategy_type,
            "strategy_description": design.strategy_description,
            "strategy_rationale": design.strategy_rationale,
            "priority_features": design.priority_features,
            "entry_rules": design.entry_rules,
            "exit_rules": design.exit_rules,
            "entry_score_threshold": design.entry_score_threshold,
            "exit_score_threshold": design.exit_score_threshold,
            "strategy_trials": design.strategy_trials,
            "cost_bps": design.cost_bps,
            "families": config.families,
            "rule_extractor": config.rule_extractor.as_deref().unwrap_or_default(),
            "seed": config.seed,
            "options": config.options,
        })
    }
}

impl TrainingConfig {
    /// Returns whether a flag such as `train_lstm` is set.
    pub fn flag(&self, name: &str) -> bool {
        self.options.get(name).and_then(Value::as_bool).unwrap_or(false)
    }
}

/// Parses the text of a job as JSON, without checking its fields.
///
/// # Errors
/// A refusal in phase `queued`: `payload_too_large` or `malformed_json`.
pub fn parse_payload(payload: &str) -> Result<Value, Failure> {
    if payload.len() > MAX_PAYLOAD_BYTES {
        let message = format!("the job has {} bytes, at most {MAX_PAYLOAD_BYTES} are read", payload.len());
        return Err(refused(ErrorCode::PayloadTooLarge, message, "send the design only, without data"));
    }
    serde_json::from_str(payload).map_err(|error| {
        refused(
            ErrorCode::MalformedJson,
            format!("the job is not JSON: {error}"),
            "send one JSON object, as docs/job.md shows",
        )
    })
}

fn refused(code: ErrorCode, message: impl Into<String>, hint: &str) -> Failure {
    Failure::refused(Phase::Queued, code, message, hint)
}

fn name_problems(problems: &[String]) -> String {
    let mut named = problems[..problems.len().min(MAX_NAMED_PROBLEMS)].join("; ");
    if problems.len() > MAX_NAMED_PROBLEMS {
        named.push_str(&format!("; and {} more", problems.len() - MAX_NAMED_PROBLEMS));
    }
    named
}
