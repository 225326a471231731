//! The design of a job: the strategy to search for, and the training configuration.
//!
//! In: nothing. Out: [`Design`]. Invariant: every value is within the range that `docs/job.md`
//! states.

use super::rule::Rule;
use super::training_config::TrainingConfig;

/// The strategy to search for, and how to train its models.
#[derive(Clone, Debug, PartialEq)]
pub struct Design {
    /// Length in years of the span that has labels. The span ends at the newest bar.
    pub years: f64,
    /// Type of the strategy. This text is copied into the result and has no other effect.
    pub strategy_type: String,
    /// Description of the strategy. This text is copied into the result and has no other effect.
    pub strategy_description: String,
    /// Rationale of the strategy. This text is copied into the result and has no other effect.
    pub strategy_rationale: String,
    /// Label horizons in sessions, without duplicates.
    pub forward_returns_days_options: Vec<u32>,
    /// Label thresholds in percent, without duplicates.
    pub profit_threshold_options: Vec<f64>,
    /// Number of trials of the config search.
    pub n_iter_search: u32,
    /// Names of features that are always included, in the job's spelling.
    pub priority_features: Vec<String>,
    /// Conditions for opening a position.
    pub entry_rules: Vec<Rule>,
    /// Conditions for closing a position.
    pub exit_rules: Vec<Rule>,
    /// Number of entry rules that must be true at the same bar to open a position.
    pub entry_score_threshold: u32,
    /// Number of exit rules that must be true at the same bar to close a position.
    pub exit_score_threshold: u32,
    /// Number of strategies that the optimisation evaluates.
    pub strategy_trials: u32,
    /// Cost of a fill in basis points (hundredths of a percent) of the traded value.
    pub cost_bps: f64,
    /// Model families to train, and their parameters.
    pub ml_training_config: TrainingConfig,
}
