//! The outline of the strategy that a job searches for.
//!
//! In: nothing. Out: [`Design`]. Invariant: every value is within the range that `docs/job.md` states.

use super::rule::Rule;
use super::training_config::TrainingConfig;

/// The strategy's outline and how to train for it.
#[derive(Clone, Debug, PartialEq)]
pub struct Design {
    /// Labelled span in years.
    pub years: f64,
    /// Kind of strategy; echoed, changes nothing.
    pub strategy_type: String,
    /// Description of the strategy; echoed in the result, without any effect.
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
