//! Assembles the result object of a successful job.
//!
//! In: the outputs of every stage. Out: the [`Report`], which serialises to the backend's format.
//! Invariants: every field except `run` is a function of the job, the bars, the seed, the plugins and
//! the earlier submissions; only `submissions`, the verdict and two warnings depend on the latter. Computed numbers have the type [`super::metrics::Finite`], so a number that is not
//! finite has already become null with a reason.

mod origin;
mod rules;
mod run_block;
mod seasons;
mod sections;
#[cfg(test)]
mod tests;

use oculus_job::{
    progress::Phase,
    request::{Job, design_config::DesignConfig},
    result::ResultStatus,
    warning::Warning,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use self::{
    rules::{Comparison, DesignRule, ExtractedRules, FeatureImportance, MinedConjunction, RuleEvidence, RuleOrigin},
    run_block::RunBlock,
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
    submissions::Submissions,
};

/// Inputs of the report: the job, its data and the outputs of every stage.
#[derive(Clone, Copy)]
pub struct ReportInputs<'a> {
    /// The job.
    pub job: &'a Job,
    /// Name of the source of the bars.
    pub source: &'static str,
    /// The bars of all symbols.
    pub market: &'a Market,
    /// The plugins of the job.
    pub participants: &'a Participants,
    /// Features of all rows.
    pub table: &'a FeatureTable,
    /// Resolution of the requested feature names.
    pub features: &'a FeatureReport,
    /// Blocks of the development period, and the test period.
    pub partition: &'a Partition,
    /// The result of the search for a label and a configuration.
    pub outcome: &'a SearchResult,
    /// The fitted model families.
    pub training: &'a Training,
    /// The results of the canaries.
    pub canaries: &'a Canaries,
    /// The job's own rules and the mined rules.
    pub rules: &'a RuleResults,
    /// The chosen strategy.
    pub optimized: &'a OptimizedStrategy,
    /// The designs that were tested on the same test period.
    pub submissions: &'a Submissions,
}

/// The result of a successful job.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Report {
    /// `build_id` of the job, or its `job_id` if it has no `build_id`.
    #[schemars(extend("x-contract" = true))]
    pub build_id: String,
    /// Outcome of the job.
    #[schemars(extend("x-contract" = true, "const" = ResultStatus::Success))]
    pub status: ResultStatus,
    /// Phase in which the job ended.
    #[schemars(extend("x-contract" = true, "const" = Phase::Complete))]
    pub phase: Phase,
    /// Metrics of the winner on the test period.
    #[schemars(extend("x-contract" = true))]
    pub model_metrics: TestMetrics,
    /// Rules with their scores.
    #[schemars(extend("x-contract" = true))]
    pub extracted_rules: ExtractedRules,
    /// Placeholder that the contract with the backend requires: the backtest is run only after
    /// deployment.
    #[schemars(extend("x-contract" = true))]
    pub backtest_results: Backtest,
    /// Configuration of the job with all defaults.
    #[schemars(with = "DesignConfig", extend("x-contract" = true))]
    pub design_config: Value,
    /// One row per family.
    pub models: Vec<ModelRow>,
    /// Labels and trials of the search.
    pub config_search: ConfigSearch,
    /// The chosen strategy and its performance on the untouched test period.
    pub strategy_optimization: StrategyReport,
    /// Conclusion of the strategy's test, with its reason in one sentence.
    pub verdict: Verdict,
    /// The designs that were tested on the same test period. Results of earlier versions lack it.
    #[serde(default)]
    pub submissions: Submissions,
    /// Comparisons of the model with surrogate markets, whose moves cannot be forecast, and with
    /// volatility alone.
    pub canaries: Canaries,
    /// Origin of the result: program version, seed, bars, splits and plugins.
    pub provenance: Provenance,
    /// Warnings of all stages.
    pub warnings: Vec<Warning>,
    /// Fields that differ between two runs of the same job, such as times and paths.
    #[schemars(with = "RunBlock")]
    pub run: Map<String, Value>,
}

// The generic code of serde is compiled in the crate that calls it. These calls are here because
// this crate is compiled in parallel with others, whereas the binary is compiled last.
impl Report {
    /// Reads the result object of a successful job.
    ///
    /// # Errors
    /// Returns an error if a field is missing or has another type, as may be the case in a result
    /// of another version.
    pub fn from_json(result: &Value) -> serde_json::Result<Self> {
        Self::deserialize(result)
    }

    /// Returns the result object that the backend reads.
    ///
    /// # Errors
    /// Returns an error if the report contains a key or a number that JSON cannot represent.
    pub fn to_json(&self) -> serde_json::Result<Value> {
        serde_json::to_value(self)
    }

    /// Returns the indented text of the result object, for people.
    ///
    /// # Errors
    /// Returns an error if the report contains a key or a number that JSON cannot represent.
    pub fn to_indented_json(&self) -> serde_json::Result<Vec<u8>> {
        serde_json::to_vec_pretty(self)
    }
}

/// The placeholder for a backtest in the contract with the backend.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Backtest {
    /// Always `pending`.
    #[schemars(extend("x-contract" = true, "const" = "pending"))]
    pub status: String,
    /// Reason of the status.
    #[schemars(extend("x-contract" = true))]
    pub note: String,
}

impl Backtest {
    /// Returns the placeholder of every successful job.
    fn pending() -> Self {
        let note = "Backtesting requires full strategy deployment. The backtest on past bars is in \
                    strategy_optimization.development and strategy_optimization.test.";
        Self { status: "pending".to_owned(), note: note.to_owned() }
    }
}

/// Assembles the result; its `run` block is empty and is filled in by the caller.
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
        submissions: inputs.submissions.clone(),
        canaries: inputs.canaries.clone(),
        provenance: origin::provenance(inputs),
        warnings: origin::warnings(inputs),
        run: Map::new(),
    }
}
