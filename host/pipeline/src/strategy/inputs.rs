//! Inputs of the strategy search.

use crate::{
    bars::Market, features::FeatureTable, labels::Label, metrics::ScoreScale, rules::RuleSet, splits::Partition,
};

/// Everything that strategies are made of and tried on.
#[derive(Clone, Copy)]
pub struct StrategyInputs<'a> {
    /// Bars.
    pub market: &'a Market,
    /// Features.
    pub table: &'a FeatureTable,
    /// The calendar: the rules and scores of fold k are followed on block k + 1.
    pub partition: &'a Partition,
    /// The label of the model: its horizon and threshold scale holding periods, stops and targets.
    pub label: &'a Label,
    /// Rules.
    pub rule_set: &'a RuleSet,
    /// The winner's scores in deviations, one per row of the table: out of fold on development
    /// rows, of the final model on test rows, NaN elsewhere.
    pub scores: &'a [f32],
    /// Scale that converts deviations into the final model's own scores.
    pub score_scale: Option<ScoreScale>,
    /// Number of entry rules that must hold at once in the job's own strategy.
    pub entry_score_threshold: u32,
    /// Number of exit rules that must hold at once in the job's own strategy.
    pub exit_score_threshold: u32,
    /// Cost of a fill in hundredths of a percent of the traded value.
    pub cost_bps: f64,
    /// Number of strategies to try.
    pub n_trials: usize,
    /// Seed of all random numbers.
    pub seed: u64,
    /// Number of threads; changes no byte of the result.
    pub n_side_by_side: usize,
}
