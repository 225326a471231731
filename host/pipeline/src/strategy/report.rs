//! The strategy section of the result: the chosen strategy, its performance in both periods, and
//! all candidates.

use oculus_job::request::operator_schema;
use oculus_plugin_api::Operator;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    candidate::{RuleCount, RuleSource, StrategyCandidate},
    inputs::StrategyInputs,
    performance::{Performance, ReturnFigures},
    significance::{DevelopmentSignificance, TestSignificance},
    trial_run::TrialRun,
};
use crate::{
    features::FeatureTable,
    metrics::{Finite, Reasons, UndefinedError, shortest_decimal},
    rules::{Conjunction, RuleCondition, RuleSide},
};

/// Reason why the Sharpe ratio of a candidate that never traded is null.
const NO_TRADE: &str = "the strategy made no round trips";

/// The strategy section of the result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StrategyReport {
    /// Number of strategies tried.
    pub n_candidates: usize,
    /// Number of strategies with at least 10 round trips in the development period. Only these can
    /// be chosen.
    pub n_eligible: usize,
    /// Cost of a fill in hundredths of a percent of the traded value; never null in practice.
    pub cost_bps: Option<Finite>,
    /// Parameters of the chosen strategy; null if no strategy has enough round trips to be chosen.
    pub parameters: Option<StrategyParameters>,
    /// Performance of the chosen strategy on the dates that it was chosen on; null if none was
    /// chosen.
    pub development: Option<PeriodReport<DevelopmentSignificance>>,
    /// Performance of the chosen strategy on the untouched test period; null if none was chosen.
    pub test: Option<PeriodReport<TestSignificance>>,
    /// All strategies tried, in order.
    pub candidates: Vec<CandidateRow>,
    /// Reason for each null value, by field name.
    #[serde(default, skip_serializing_if = "Reasons::is_empty")]
    pub reasons: Reasons,
}

/// Parameters of a strategy, complete enough for a person or a program to follow it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StrategyParameters {
    /// Rules that are counted for an entry.
    pub entry_rules: FollowedRules,
    /// Rules that are counted for an exit.
    pub exit_rules: FollowedRules,
    /// Number of entry rules that must hold at once; null if the strategy follows no entry rules.
    pub entry_score_threshold: Option<u32>,
    /// Number of exit rules that must hold at once; null if the strategy follows no exit rules.
    pub exit_score_threshold: Option<u32>,
    /// Score of the final model from which a position may be entered, on the scale of the column
    /// `score` of `oculus-host predict`, which is not a probability. Null if the strategy has no
    /// such threshold.
    pub probability_threshold: Option<Finite>,
    /// Standardised score from which a position may be entered: in deviations from the mean of the
    /// scores that a model assigns to its own training rows. This threshold is the same for all
    /// models. Null if the strategy has no such threshold.
    pub probability_threshold_deviations: Option<Finite>,
    /// Share of the development period's scores that reach the threshold, 0 to 1; null if the
    /// strategy has no such threshold.
    pub probability_share: Option<Finite>,
    /// Number of symbols that may be entered at one time: the ones with the highest scores; null if
    /// the strategy does not rank symbols. Results of earlier versions do not have this field.
    pub best_symbols: Option<usize>,
    /// Number of bars after which a position is closed.
    pub holding_bars: usize,
    /// Fall below the entry price, in percent, at which a position is sold; null if the strategy
    /// has no stop.
    pub stop_pct: Option<Finite>,
    /// Rise above the entry price, in percent, at which a position is sold; null if the strategy
    /// has no target.
    pub target_pct: Option<Finite>,
    /// Reason for each null parameter, by field name.
    #[serde(default, skip_serializing_if = "Reasons::is_empty")]
    pub reasons: Reasons,
}

/// Source of the rules that a strategy follows on one side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FollowedSource {
    /// The job's own rules.
    Job,
    /// The stable list of mined rules.
    Stable,
    /// The high-lift list of mined rules.
    HighLift,
    /// The strategy does not count rules on this side.
    None,
}

impl From<RuleSource> for FollowedSource {
    fn from(source: RuleSource) -> Self {
        match source {
            RuleSource::Job => Self::Job,
            RuleSource::Stable => Self::Stable,
            RuleSource::HighLift => Self::HighLift,
        }
    }
}

/// The rules that a strategy follows on one side.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FollowedRules {
    /// Source of the rules.
    pub source: FollowedSource,
    /// One list of conditions per rule; all conditions of a rule must hold.
    pub rules: Vec<Vec<FollowedCondition>>,
}

/// A condition of a rule, in the form of the job's rules.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FollowedCondition {
    /// Canonical name of the feature.
    pub feature: String,
    /// Comparison operator.
    #[schemars(schema_with = "operator_schema")]
    pub operator: Operator,
    /// Value that the feature is compared with; never null in practice.
    pub threshold: Option<Finite>,
}

/// Performance of the chosen strategy in a period, with the market for comparison.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PeriodReport<S> {
    /// First date of the period.
    pub from: String,
    /// Last date of the period.
    pub to: String,
    /// Number of dates.
    pub n_dates: usize,
    /// Figures of the strategy.
    pub performance: Performance,
    /// Figures of the market at the strategy's exposure: on each date, all symbols are held with
    /// the mean exposure that the strategy had on all dates before it, the development period
    /// included. There are no costs. The excess of the strategy is the difference to these daily
    /// returns.
    pub buy_and_hold: ReturnFigures,
    /// Figures of a fully invested portfolio: all symbols are bought at the first open and sold at
    /// the last close.
    pub always_in: ReturnFigures,
    /// Statistical significance of these figures. Results of earlier versions have the field under
    /// its former name.
    #[serde(alias = "honesty")]
    pub significance: S,
}

/// A strategy that was tried.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CandidateRow {
    /// Short description of the strategy.
    pub strategy: String,
    /// Whether this strategy was chosen: it has the highest `excess_sharpe` of all strategies with
    /// at least 10 round trips in the development period.
    pub chosen: bool,
    /// Number of round trips in the development period.
    pub n_trades: usize,
    /// Annualised Sharpe ratio of the excess over holding the market at equal exposure, in the
    /// development period; null if the strategy did not trade.
    pub excess_sharpe: Option<Finite>,
    /// Reason why the Sharpe ratio is null.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl StrategyReport {
    /// Creates a report of the tried strategies, before the chosen one is tested.
    ///
    /// * `chosen_idx`: the run of the chosen strategy; `None` if none is eligible.
    pub(super) fn from_runs(cost_bps: f64, runs: &[TrialRun], chosen_idx: Option<usize>) -> Self {
        let mut reasons = Reasons::default();
        Self {
            n_candidates: runs.len(),
            n_eligible: runs.iter().filter(|run| run.is_eligible()).count(),
            cost_bps: reasons.figure("cost_bps", Ok(cost_bps)),
            parameters: None,
            development: None,
            test: None,
            candidates: runs.iter().enumerate().map(|(idx, run)| candidate_row(run, chosen_idx == Some(idx))).collect(),
            reasons,
        }
    }
}

fn candidate_row(run: &TrialRun, chosen: bool) -> CandidateRow {
    let sharpe = run.excess_sharpe.as_ref();
    CandidateRow {
        strategy: short_text(&run.candidate),
        chosen,
        n_trades: run.n_trades,
        excess_sharpe: sharpe.ok().copied().and_then(Finite::new),
        reason: sharpe.err().map(|reason| if run.n_trades == 0 { NO_TRADE.to_owned() } else { reason.to_string() }),
    }
}

/// Returns the parameters of a strategy. The mined rules in the parameters come from the whole
/// development period, and are followed from the test period on.
pub(super) fn parameters(
    candidate: &StrategyCandidate,
    score_threshold: Option<f32>,
    inputs: &StrategyInputs<'_>,
) -> StrategyParameters {
    let mut reasons = Reasons::default();
    let absent = |name: &str| UndefinedError::because(format!("the strategy has no {name}"));
    let n_entry = candidate.entry.map(|count| count.threshold).ok_or_else(|| absent("entry rules"));
    let n_exit = candidate.exit.map(|count| count.threshold).ok_or_else(|| absent("exit rules"));
    let no_score = || absent("threshold on the model's score");
    let deviations = score_threshold.ok_or_else(no_score);
    let no_model = || UndefinedError::because("the final model has no scores of its training rows");
    let score = |deviations| inputs.score_scale.map(|scale| scale.destandardise(deviations)).ok_or_else(no_model);
    let probability = deviations.clone().and_then(score);
    StrategyParameters {
        entry_rules: followed(candidate.entry, inputs, RuleSide::Entry),
        exit_rules: followed(candidate.exit, inputs, RuleSide::Exit),
        entry_score_threshold: reasons.value("entry_score_threshold", n_entry),
        exit_score_threshold: reasons.value("exit_score_threshold", n_exit),
        // The shortest decimal parses to the same `f32`, so a user of the threshold selects the
        // same rows.
        probability_threshold: reasons.figure("probability_threshold", probability.map(shortest_decimal)),
        probability_threshold_deviations: reasons
            .figure("probability_threshold_deviations", deviations.map(shortest_decimal)),
        probability_share: reasons.figure("probability_share", candidate.score_share().ok_or_else(no_score)),
        best_symbols: reasons.value("best_symbols", candidate.best_symbols().ok_or_else(|| absent("rank of symbols"))),
        holding_bars: candidate.holding_bars,
        stop_pct: reasons.figure("stop_pct", candidate.stop_pct.ok_or_else(|| absent("stop"))),
        target_pct: reasons.figure("target_pct", candidate.target_pct.ok_or_else(|| absent("target"))),
        reasons,
    }
}

fn followed(count: Option<RuleCount>, inputs: &StrategyInputs<'_>, side: RuleSide) -> FollowedRules {
    let Some(count) = count else { return FollowedRules { source: FollowedSource::None, rules: Vec::new() } };
    let rules = match count.source.list() {
        None => inputs.rule_set.job.get(side),
        Some(name) => inputs.rule_set.last.get(side).get(name),
    };
    let conditions = |rule: &Conjunction| rule.0.iter().map(|it| followed_condition(it, inputs.table)).collect();
    FollowedRules { source: count.source.into(), rules: rules.iter().map(conditions).collect() }
}

fn followed_condition(condition: &RuleCondition, table: &FeatureTable) -> FollowedCondition {
    FollowedCondition {
        feature: table.names[condition.feature_idx].clone(),
        operator: condition.operator,
        threshold: Finite::new(shortest_decimal(condition.threshold)),
    }
}

/// Describes a strategy in one line.
fn short_text(candidate: &StrategyCandidate) -> String {
    let plural = |n: usize| if n == 1 { "" } else { "s" };
    let rules = |side: &str, count: Option<RuleCount>| {
        count.map(|RuleCount { source, threshold }| {
            format!("{side}: at least {threshold} {source} rule{}", plural(threshold as usize))
        })
    };
    let parts = [
        rules("entry", candidate.entry),
        candidate.score_share().map(|share| format!("top {:.0} % of scores", 100.0 * share)),
        candidate.best_symbols().map(|n| format!("the {n} highest score{} of the date", plural(n))),
        rules("exit", candidate.exit),
        Some(format!("held for at most {} bar{}", candidate.holding_bars, plural(candidate.holding_bars))),
        candidate.stop_pct.map(|pct| format!("stop {pct} %")),
        candidate.target_pct.map(|pct| format!("target {pct} %")),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}
