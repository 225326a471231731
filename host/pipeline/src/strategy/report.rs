//! The strategy in the result: what was chosen, what it did before and in the test, and what else
//! was tried.

use oculus_plugin_api::Operator;
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
    metrics::{Finite, Reasons, Undefined, shortest_decimal},
    rules::{Conjunction, RuleCondition, RuleSide},
};

/// Why a strategy that never traded has no Sharpe ratio.
const NO_TRADE: &str = "it made no round trip";

/// The chosen strategy in the result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StrategyReport {
    /// Strategies tried.
    pub n_candidates: usize,
    /// Those with enough round trips in the development period to be chosen.
    pub n_eligible: usize,
    /// Cost of a fill in hundredths of a percent of what is traded.
    pub cost_bps: Option<Finite>,
    /// The chosen strategy.
    pub parameters: Option<StrategyParameters>,
    /// What it did on the dates that it was chosen on.
    pub development: Option<PeriodReport<DevelopmentSignificance>>,
    /// What it did on the untouched test period.
    pub test: Option<PeriodReport<TestSignificance>>,
    /// All strategies tried, in order.
    pub candidates: Vec<CandidateRow>,
    /// Why figures are null.
    #[serde(default, skip_serializing_if = "Reasons::is_empty")]
    pub reasons: Reasons,
}

/// A strategy, to be followed by others.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StrategyParameters {
    /// Rules that are counted to enter.
    pub entry_rules: FollowedRules,
    /// Rules that are counted to leave.
    pub exit_rules: FollowedRules,
    /// Entry rules that must hold at once.
    pub entry_score_threshold: Option<u32>,
    /// Exit rules that must hold at once.
    pub exit_score_threshold: Option<u32>,
    /// The final model's score from which a position may be entered, as `predict` writes it.
    pub probability_threshold: Option<Finite>,
    /// The same in deviations from the mean of a model's scores of its own training rows, in which
    /// the models of the folds and the final one share it.
    pub probability_threshold_deviations: Option<Finite>,
    /// Share of the development's scores that reach it.
    pub probability_share: Option<Finite>,
    /// Bars after which a position is left.
    pub holding_bars: usize,
    /// Fall below the price of entry at which it is sold, in percent.
    pub stop_pct: Option<Finite>,
    /// Rise above the price of entry at which it is sold, in percent.
    pub target_pct: Option<Finite>,
    /// Why parameters are null.
    #[serde(default, skip_serializing_if = "Reasons::is_empty")]
    pub reasons: Reasons,
}

/// Whose rules a strategy follows on one side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FollowedSource {
    /// The job's own rules.
    Job,
    /// The stable list of mined rules.
    Stable,
    /// The high-lift list of mined rules.
    HighLift,
    /// No rules are counted.
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

/// The rules of one side.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FollowedRules {
    /// Whose rules they are.
    pub source: FollowedSource,
    /// One entry per rule: conditions that must hold together.
    pub rules: Vec<Vec<FollowedCondition>>,
}

/// A condition in the form of the job's rules.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FollowedCondition {
    /// The feature's name.
    pub feature: String,
    /// How its value is compared.
    pub operator: Operator,
    /// With what.
    pub threshold: Option<Finite>,
}

/// What the chosen strategy did in a period, and what to compare it with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PeriodReport<S> {
    /// First date.
    pub from: String,
    /// Last date.
    pub to: String,
    /// Dates.
    pub n_dates: usize,
    /// The strategy.
    pub performance: Performance,
    /// All symbols held on every date to the strategy's mean exposure, without costs.
    pub buy_and_hold: ReturnFigures,
    /// All symbols bought at the first open and sold at the last close.
    pub always_in: ReturnFigures,
    /// How far these figures can be trusted.
    #[serde(rename = "honesty")]
    pub significance: S,
}

/// A strategy that was tried.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CandidateRow {
    /// What it does, in short.
    pub strategy: String,
    /// Round trips in the development period.
    pub n_trades: usize,
    /// Annualised Sharpe ratio there of the excess over holding the market at equal exposure.
    pub excess_sharpe: Option<Finite>,
    /// Why it is null.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl StrategyReport {
    /// Reports what was tried, before a strategy is chosen.
    pub(super) fn from_runs(cost_bps: f64, runs: &[TrialRun]) -> Self {
        let mut reasons = Reasons::default();
        Self {
            n_candidates: runs.len(),
            n_eligible: runs.iter().filter(|run| run.is_eligible()).count(),
            cost_bps: reasons.figure("cost_bps", Ok(cost_bps)),
            parameters: None,
            development: None,
            test: None,
            candidates: runs.iter().map(candidate_row).collect(),
            reasons,
        }
    }
}

fn candidate_row(run: &TrialRun) -> CandidateRow {
    let sharpe = run.excess_sharpe.as_ref();
    CandidateRow {
        strategy: short_text(&run.candidate),
        n_trades: run.n_trades,
        excess_sharpe: sharpe.ok().copied().and_then(Finite::new),
        reason: sharpe.err().map(|reason| if run.n_trades == 0 { NO_TRADE.to_owned() } else { reason.to_string() }),
    }
}

/// Reports a strategy so that others can follow it: its mined rules are those of the whole
/// development period.
pub(super) fn parameters(
    candidate: &StrategyCandidate,
    score_threshold: Option<f32>,
    inputs: &StrategyInputs<'_>,
) -> StrategyParameters {
    let mut reasons = Reasons::default();
    let absent = |what: &str| Undefined::because(format!("the strategy has no {what}"));
    let n_entry = candidate.entry.map(|count| count.threshold).ok_or_else(|| absent("entry rules"));
    let n_exit = candidate.exit.map(|count| count.threshold).ok_or_else(|| absent("exit rules"));
    let no_score = || absent("gate on the model's score");
    let deviations = score_threshold.ok_or_else(no_score);
    let no_model = || Undefined::because("the final model has no scores of its training rows");
    let score = |deviations| inputs.score_scale.map(|scale| scale.destandardize(deviations)).ok_or_else(no_model);
    let probability = deviations.clone().and_then(score);
    StrategyParameters {
        entry_rules: followed(candidate.entry, inputs, RuleSide::Entry),
        exit_rules: followed(candidate.exit, inputs, RuleSide::Exit),
        entry_score_threshold: reasons.value("entry_score_threshold", n_entry),
        exit_score_threshold: reasons.value("exit_score_threshold", n_exit),
        probability_threshold: reasons.figure("probability_threshold", probability.map(shortest_decimal)),
        probability_threshold_deviations: reasons
            .figure("probability_threshold_deviations", deviations.map(shortest_decimal)),
        probability_share: reasons.figure("probability_share", candidate.score_share.ok_or_else(no_score)),
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

/// Describes a strategy in a few words.
fn short_text(candidate: &StrategyCandidate) -> String {
    let rules = |side: &str, count: Option<RuleCount>| {
        count.map(|count| format!("{side}: {} of {} rules", count.threshold, count.source))
    };
    let parts = [
        rules("entry", candidate.entry),
        candidate.score_share.map(|share| format!("top {:.0} % of scores", 100.0 * share)),
        rules("exit", candidate.exit),
        Some(format!("{} bars", candidate.holding_bars)),
        candidate.stop_pct.map(|pct| format!("stop {pct} %")),
        candidate.target_pct.map(|pct| format!("target {pct} %")),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}
