//! The verdict on a strategy: a conclusion, and one sentence with the decisive figure.
//!
//! In: the significance of the choice in the development period, and of the performance in the test
//! period. Out: a [`Verdict`]. Invariant: a missing figure never results in the verdict `edge`.

use serde::{Deserialize, Serialize};

use super::figures::{CONFIDENCE, DevelopmentSignificance, TestSignificance};
use crate::metrics::{Finite, Reasons};

/// Minimum number of round trips for the verdict `edge`: with fewer, the probabilistic Sharpe ratio
/// is too optimistic.
const MIN_ROUND_TRIPS: usize = 10;
/// The verdict `edge` requires a probability of backtest overfitting below this value; noise has
/// about 0.5.
const MAX_PBO: f64 = 0.5;

/// The conclusion of a strategy's test.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// The conclusion.
    pub verdict: VerdictKind,
    /// The decisive figure, in one sentence.
    pub reason: String,
}

/// The possible conclusions of a strategy's test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VerdictKind {
    /// The strategy has a significant gain in the test period, with enough trades and without signs
    /// of overfitting.
    Edge,
    /// The figures are not sufficient for a conclusion.
    Inconclusive,
    /// In the test period, the strategy gained nothing in excess of holding the market.
    NoEdge,
}

/// Decides whether a strategy has an edge.
///
/// The verdict is `edge` if, in the test period, the probabilistic Sharpe ratio of the excess is at
/// least 0.975 with at least 10 round trips. The probability of backtest overfitting must also be
/// below 0.5. If the mean excess is not above 0, the verdict is `no_edge`. A verdict that is
/// neither `edge` nor `no_edge` is `inconclusive`.
pub fn verdict(development: &DevelopmentSignificance, test: &TestSignificance, n_round_trips: usize) -> Verdict {
    let conclude = |verdict, reason| Verdict { verdict, reason };
    let Some(excess) = test.excess_pct_a_year.map(Finite::get) else {
        let reason = reason_of(&test.reasons, "excess_pct_a_year");
        return conclude(VerdictKind::Inconclusive, format!("the excess over holding the market is unknown: {reason}"));
    };
    // Only a gain needs further figures: a loss is never an edge, whatever its probability.
    if excess <= 0.0 {
        return conclude(VerdictKind::NoEdge, no_gain(excess, n_round_trips));
    }
    let gain = format!("the mean excess over holding the market at equal exposure is {excess:+.1} % per year");
    match doubt(development, test, n_round_trips) {
        Some(doubt) => conclude(VerdictKind::Inconclusive, format!("{gain}, but {doubt}")),
        None => {
            let probability = test.probabilistic_sharpe.map_or(0.0, Finite::get);
            let trips = round_trips(n_round_trips);
            let reason =
                format!("{gain} over {trips}, and the probability that it is more than chance is {probability:.3}");
            conclude(VerdictKind::Edge, reason)
        }
    }
}

fn round_trips(n_round_trips: usize) -> String {
    let plural = if n_round_trips == 1 { "" } else { "s" };
    format!("{n_round_trips} round trip{plural}")
}

fn no_gain(excess: f64, n_round_trips: usize) -> String {
    // The excess of an idle strategy is 0 or -0, and a sentence with that figure would mislead.
    if n_round_trips == 0 {
        return "the strategy did not open a position on the test, so it gained nothing in excess of holding the market"
            .to_owned();
    }
    format!(
        "the mean excess over holding the market at equal exposure is {excess:+.1} % per year: the strategy added nothing"
    )
}

/// Returns a clause on the first figure that is not sufficient for an edge; `None` for an edge.
fn doubt(development: &DevelopmentSignificance, test: &TestSignificance, n_round_trips: usize) -> Option<String> {
    // docs/statistics.md documents this order: round trips, probability, overfitting.
    if n_round_trips < MIN_ROUND_TRIPS {
        let trips = round_trips(n_round_trips);
        return Some(format!("it comes from {trips}, and at least {MIN_ROUND_TRIPS} are needed to rule out luck"));
    }
    let Some(probability) = test.probabilistic_sharpe.map(Finite::get) else {
        let reason = reason_of(&test.reasons, "probabilistic_sharpe");
        return Some(format!("the probability that it is more than chance is unknown: {reason}"));
    };
    if probability < CONFIDENCE {
        return Some(too_short(probability, test));
    }
    match development.pbo.map(Finite::get) {
        None => {
            let reason = reason_of(&development.reasons, "pbo");
            Some(format!("the probability of overfitting is unknown: {reason}"))
        }
        Some(pbo) if pbo >= MAX_PBO => Some(format!(
            "the strategy that was best on one half of the development dates was not above the median of all tries on \
             the other half in {:.0} % of the ways to halve them; less than {:.0} % is required",
            100.0 * pbo,
            100.0 * MAX_PBO
        )),
        Some(_) => None,
    }
}

fn too_short(probability: f64, test: &TestSignificance) -> String {
    match (test.years_needed.map(Finite::get), test.years.map(Finite::get)) {
        (Some(needed), Some(years)) => format!(
            "at this Sharpe ratio {needed:.1} years of test are needed to distinguish it from chance, and the test has \
             {years:.1}"
        ),
        _ => format!("the probability that it is more than chance is {probability:.3}, and {CONFIDENCE} is required"),
    }
}

fn reason_of<'a>(reasons: &'a Reasons, name: &str) -> &'a str {
    reasons.get(name).unwrap_or("it was not computed")
}
