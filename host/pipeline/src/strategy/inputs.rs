//! Inputs of the strategy search.

use crate::{
    bars::Market, features::FeatureTable, labels::Label, metrics::ScoreScale, rules::RuleSet, splits::Partition,
    strategy::ModelChance,
};

/// Data, rules, scores and settings of the strategy search.
#[derive(Clone, Copy)]
pub struct StrategyInputs<'a> {
    /// Bars of all symbols.
    pub market: &'a Market,
    /// Features of all rows.
    pub table: &'a FeatureTable,
    /// Blocks of the development period, and the test period. The rules and scores of fold k are
    /// followed on block k + 1.
    pub partition: &'a Partition,
    /// Label of the model; its horizon and threshold scale holding periods, stops and targets.
    pub label: &'a Label,
    /// Whether enough rows had this label to judge it in the config search. Without that, the
    /// verdict is never `edge`.
    pub label_judged: bool,
    /// Number of different designs that were tested on the test period, including this one; `None`
    /// if it is unknown.
    pub n_submissions: Option<usize>,
    /// Rules that a strategy may follow.
    pub rule_set: &'a RuleSet,
    /// Standardised scores of the winner, one per row of the table: out-of-fold scores on
    /// development rows, scores of the final model on test rows, NaN elsewhere.
    pub scores: &'a [f32],
    /// Comparisons of the winner with surrogate markets; they influence the verdict only.
    pub model_chance: ModelChance,
    /// Scale that converts standardised scores into scores of the final model.
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
    /// Number of threads. This number does not change a byte of the result.
    pub n_parallel: usize,
}
