//! The strategy in the result: what was chosen, what it did before and in the test, and what else was tried.

use oculus_plugin_api::Operator;
use serde::Serialize;

use super::{
    Inputs,
    candidate::{Candidate, RuleCount, Source},
    honesty::{DevelopmentHonesty, TestHonesty},
    performance::{Figures, Performance},
    stretch::Attempt,
};
use crate::{
    features::FeatureTable,
    metrics::{Finite, Reasons, Undefined},
    rules::{Clause, Conjunction, Lists, RuleBook, Sides},
};

/// Why a strategy that never traded has no Sharpe ratio.
const NO_TRADE: &str = "it made no round trip";

/// The chosen strategy in the result.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StrategyReport {
    /// Strategies tried.
    pub n_candidates: usize,
    /// Those with enough round trips in the development period to be chosen.
    pub n_eligible: usize,
    /// Cost of a fill in hundredths of a percent of what is traded.
    pub cost_bps: Option<Finite>,
    /// The chosen strategy.
    pub parameters: Option<Parameters>,
    /// What it did on the dates that it was chosen on.
    pub development: Option<Period<DevelopmentHonesty>>,
    /// What it did on the untouched test period.
    pub test: Option<Period<TestHonesty>>,
    /// All strategies tried, in order.
    pub candidates: Vec<CandidateRow>,
    /// Why figures are null.
    #[serde(skip_serializing_if = "Reasons::is_empty")]
    pub reasons: Reasons,
}

/// A strategy, to be followed by others.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Parameters {
    /// Rules that are counted to enter.
    pub entry_rules: Followed,
    /// Rules that are counted to leave.
    pub exit_rules: Followed,
    /// Entry rules that must hold at once.
    pub entry_score_threshold: Option<u32>,
    /// Exit rules that must hold at once.
    pub exit_score_threshold: Option<u32>,
    /// The final model's score from which a position may be entered, as `predict` writes it.
    pub probability_threshold: Option<Finite>,
    /// The same in deviations from the mean of a model's scores of its own training rows, in which the models of the
    /// folds and the final one share it.
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
    #[serde(skip_serializing_if = "Reasons::is_empty")]
    pub reasons: Reasons,
}

/// The rules of one side.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Followed {
    /// `job`, `stable`, `high_lift`, or `none`.
    pub source: &'static str,
    /// One a rule: conditions that hold together.
    pub rules: Vec<Vec<Condition>>,
}

/// A condition in the form of the job's rules.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Condition {
    /// The feature's name.
    pub feature: String,
    /// How its value is compared.
    pub operator: Operator,
    /// With what.
    pub threshold: Option<Finite>,
}

/// What the chosen strategy did in a period, and what to compare it with.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Period<H> {
    /// First date.
    pub from: String,
    /// Last date.
    pub to: String,
    /// Dates.
    pub n_dates: usize,
    /// The strategy.
    pub performance: Performance,
    /// All symbols held on every date to the strategy's mean exposure, without costs.
    pub buy_and_hold: Figures,
    /// All symbols bought at the first open and sold at the last close.
    pub always_in: Figures,
    /// How far these figures can be trusted.
    pub honesty: H,
}

/// A strategy that was tried.
#[derive(Clone, Debug, PartialEq, Serialize)]
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

/// The report before anything is chosen.
pub(super) fn of_attempts(cost_bps: f64, tried: &[Attempt]) -> StrategyReport {
    let mut reasons = Reasons::default();
    StrategyReport {
        n_candidates: tried.len(),
        n_eligible: tried.iter().filter(|attempt| attempt.is_eligible()).count(),
        cost_bps: reasons.figure("cost_bps", Ok(cost_bps)),
        parameters: None,
        development: None,
        test: None,
        candidates: tried.iter().map(row).collect(),
        reasons,
    }
}

fn row(attempt: &Attempt) -> CandidateRow {
    let sharpe = attempt.excess_sharpe.as_ref();
    CandidateRow {
        strategy: in_short(&attempt.candidate),
        n_trades: attempt.n_trades,
        excess_sharpe: sharpe.ok().copied().and_then(Finite::of),
        reason: sharpe.err().map(|reason| if attempt.n_trades == 0 { NO_TRADE.to_owned() } else { reason.to_string() }),
    }
}

/// A strategy as others can follow it: its mined rules are those of the whole development period.
pub(super) fn parameters(candidate: &Candidate, gate: Option<f32>, inputs: &Inputs<'_>) -> Parameters {
    let mut reasons = Reasons::default();
    let absent = |what: &str| Undefined::because(format!("the strategy has no {what}"));
    let threshold = |count: Option<RuleCount>| count.map(|count| count.threshold);
    let entry_threshold = threshold(candidate.entry).ok_or_else(|| absent("entry rules"));
    let exit_threshold = threshold(candidate.exit).ok_or_else(|| absent("exit rules"));
    let no_gate = || absent("gate on the model's score");
    let deviations = gate.ok_or_else(no_gate);
    let no_model = || Undefined::because("the final model has no scores of its training rows");
    let probability =
        deviations.clone().and_then(|standard| inputs.spread.map(|spread| spread.score(standard)).ok_or_else(no_model));
    Parameters {
        entry_rules: followed(candidate.entry, inputs, |job| &job.entry, |mined| &mined.entry),
        exit_rules: followed(candidate.exit, inputs, |job| &job.exit, |mined| &mined.exit),
        entry_score_threshold: reasons.value("entry_score_threshold", entry_threshold),
        exit_score_threshold: reasons.value("exit_score_threshold", exit_threshold),
        probability_threshold: reasons.figure("probability_threshold", probability.map(as_written)),
        probability_threshold_deviations: reasons
            .figure("probability_threshold_deviations", deviations.map(as_written)),
        probability_share: reasons.figure("probability_share", candidate.gate_share.ok_or_else(no_gate)),
        holding_bars: candidate.holding_bars,
        stop_pct: reasons.figure("stop_pct", candidate.stop_pct.ok_or_else(|| absent("stop"))),
        target_pct: reasons.figure("target_pct", candidate.target_pct.ok_or_else(|| absent("target"))),
        reasons,
    }
}

fn followed(
    count: Option<RuleCount>,
    inputs: &Inputs<'_>,
    job: fn(&Sides<Vec<Conjunction>>) -> &Vec<Conjunction>,
    mined: fn(&Sides<Lists>) -> &Lists,
) -> Followed {
    let RuleBook { job: own, last, .. } = inputs.book;
    let Some(count) = count else { return Followed { source: "none", rules: Vec::new() } };
    let rules = match count.source {
        Source::Job => job(own),
        Source::Stable => &mined(last).stable,
        Source::HighLift => &mined(last).high_lift,
    };
    let rule = |rule: &Conjunction| rule.0.iter().map(|clause| condition(clause, inputs.table)).collect();
    Followed { source: count.source.word(), rules: rules.iter().map(rule).collect() }
}

fn condition(clause: &Clause, table: &FeatureTable) -> Condition {
    Condition {
        feature: table.names[clause.feature_idx].clone(),
        operator: clause.operator,
        threshold: Finite::of(as_written(clause.threshold)),
    }
}

/// The decimal number that a person would write for it: 34.6, not 34.599998474121094.
fn as_written(value: f32) -> f64 {
    value.to_string().parse().unwrap_or_else(|_| f64::from(value))
}

/// What a strategy does, in short.
fn in_short(candidate: &Candidate) -> String {
    let rules = |side: &str, count: Option<RuleCount>| {
        count.map(|count| format!("{side}: {} of {} rules", count.threshold, count.source.word().replace('_', "-")))
    };
    let parts = [
        rules("entry", candidate.entry),
        candidate.gate_share.map(|share| format!("top {:.0} % of scores", 100.0 * share)),
        rules("exit", candidate.exit),
        Some(format!("{} bars", candidate.holding_bars)),
        candidate.stop_pct.map(|pct| format!("stop {pct} %")),
        candidate.target_pct.map(|pct| format!("target {pct} %")),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}
