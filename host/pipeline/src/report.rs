//! Assembles the result object of a successful job.
//!
//! In: what every stage found. Out: [`Report`], which serialises to the backend's format. Everything outside `run` is a
//! function of the job, its bars, seed and plugins. Computed numbers are [`super::metrics::Finite`] by type: one that is not has become
//! null with a reason before it gets here.

mod origin;
mod rules;
mod sections;
#[cfg(test)]
mod tests;

use oculus_job::{progress::Phase, request::Job, result::ResultStatus, warning::Warning};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use self::{
    rules::{Comparison, DesignRule, ExtractedRules, Importance, MinedConjunction, RuleOrigin, Worth},
    sections::{BarsOfSymbol, BarsProvenance, ConfigSearch, Plugin, Provenance, SplitSpans},
};
use super::{
    bars::Market,
    canaries::Canaries,
    features::{FeatureReport, FeatureTable},
    models::{ModelRow, TestMetrics, Training},
    participants::Participants,
    rules::RuleResults,
    search::SearchResult,
    splits::Partition,
    strategy::{OptimizedStrategy, StrategyReport, significance::Verdict},
};

/// What the stages found and where it came from.
#[derive(Clone, Copy)]
pub struct ReportInputs<'a> {
    /// The job.
    pub job: &'a Job,
    /// Name of the source of its bars.
    pub source: &'static str,
    /// Its bars.
    pub market: &'a Market,
    /// The plugins that took part.
    pub participants: &'a Participants,
    /// Features of all rows.
    pub table: &'a FeatureTable,
    /// How the requested features resolved.
    pub features: &'a FeatureReport,
    /// The calendar.
    pub partition: &'a Partition,
    /// The config search.
    pub outcome: &'a SearchResult,
    /// The families.
    pub training: &'a Training,
    /// Results of the canaries.
    pub canaries: &'a Canaries,
    /// Rules, the job's and the mined.
    pub rules: &'a RuleResults,
    /// The strategy.
    pub optimized: &'a OptimizedStrategy,
}

/// The result of a successful job.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Report {
    /// The job's id.
    pub build_id: String,
    /// Always [`ResultStatus::Success`].
    pub status: ResultStatus,
    /// Always [`Phase::Complete`].
    pub phase: Phase,
    /// The winner on the test.
    pub model_metrics: TestMetrics,
    /// Rules and what they are worth.
    pub extracted_rules: ExtractedRules,
    /// The contract's note that backtesting comes later.
    pub backtest_results: Backtest,
    /// The configuration used.
    pub design_config: Value,
    /// One row per family.
    pub models: Vec<ModelRow>,
    /// Labels and trials of the search.
    pub config_search: ConfigSearch,
    /// The chosen strategy, and what it did on the untouched test period.
    pub strategy_optimization: StrategyReport,
    /// Whether there is an edge, and why in one sentence.
    pub verdict: Verdict,
    /// Whether the scores would look the same if there were nothing to find.
    pub canaries: Canaries,
    /// Where everything came from.
    pub provenance: Provenance,
    /// What the reader should know.
    pub warnings: Vec<Warning>,
    /// What differs between two runs of the same job.
    pub run: Map<String, Value>,
}

// serde's code for the whole report is compiled where it is called first: here, in a crate that the
// compiler builds next to others, rather than in the binary's, which it builds last.
impl Report {
    /// Reads the result object of a successful job.
    ///
    /// # Errors
    /// A field that is missing or of another type, as in the result of another version.
    pub fn from_json(result: &Value) -> serde_json::Result<Self> {
        Self::deserialize(result)
    }

    /// Returns the result object that the backend reads.
    ///
    /// # Errors
    /// A key or number that JSON does not have.
    pub fn to_json(&self) -> serde_json::Result<Value> {
        serde_json::to_value(self)
    }

    /// Returns the indented text of the result object, which people read.
    ///
    /// # Errors
    /// A key or number that JSON does not have.
    pub fn to_indented_json(&self) -> serde_json::Result<Vec<u8>> {
        serde_json::to_vec_pretty(self)
    }
}

/// The contract's note on backtesting.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Backtest {
    /// `pending`.
    pub status: String,
    /// Why.
    pub note: String,
}

impl Backtest {
    /// Returns the note of every successful job.
    fn pending() -> Self {
        Self { status: "pending".to_owned(), note: "Backtesting requires full strategy deployment".to_owned() }
    }
}

/// Puts the result together; its `run` block is the caller's to fill.
pub fn build(inputs: &ReportInputs<'_>) -> Report {
    let training = inputs.training;
    Report {
        build_id: inputs.job.build_id.clone(),
        status: ResultStatus::Success,
        phase: Phase::Complete,
        model_metrics: training.test.clone(),
        extracted_rules: rules::extracted(inputs.table, &training.winner, inputs.rules),
        backtest_results: Backtest::pending(),
        design_config: inputs.job.design_config(),
        models: training.rows.clone(),
        config_search: sections::config_search(inputs.outcome),
        strategy_optimization: inputs.optimized.report.clone(),
        verdict: inputs.optimized.verdict.clone(),
        canaries: inputs.canaries.clone(),
        provenance: origin::provenance(inputs),
        warnings: origin::warnings(inputs),
        run: Map::new(),
    }
}
