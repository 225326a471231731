//! The verdict on an edge: one word, and one sentence that names the decisive figure.
//!
//! In: the significance of development and test. Out: a [`Verdict`]. Invariant: a missing figure
//! never makes an edge.

use serde::{Deserialize, Serialize};

use super::figures::{CONFIDENCE, DevelopmentSignificance, TestSignificance};
use crate::metrics::{Finite, Reasons};

/// Round trips that an edge must have made.
const MIN_ROUND_TRIPS: usize = 10;
/// Probability of backtest overfitting that an edge must stay below.
const MAX_PBO: f64 = 0.5;

/// Whether there is an edge, and why in one sentence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// The word.
    pub verdict: Call,
    /// The sentence.
    pub reason: String,
}

/// Whether there is an edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Call {
    /// It held on the test: not by chance, not by few trades, not by overfitting.
    Edge,
    /// The figures do not decide.
    Inconclusive,
    /// The test shows nothing beyond holding the market.
    NoEdge,
}

/// Decides whether there is an edge.
///
/// `edge` where the probabilistic Sharpe ratio of the test's excess is at least 0.975 with at least
/// 10 round trips, and the probability of backtest overfitting is below 0.5; `no_edge` where the
/// excess is not above 0; else `inconclusive`.
pub fn verdict(development: &DevelopmentSignificance, test: &TestSignificance, n_round_trips: usize) -> Verdict {
    let conclude = |verdict, reason| Verdict { verdict, reason };
    let Some(excess) = test.excess_pct_a_year.map(Finite::get) else {
        let why = why(&test.reasons, "excess_pct_a_year");
        return conclude(Call::Inconclusive, format!("there is no excess over holding the market to judge: {why}"));
    };
    if excess <= 0.0 {
        return conclude(Call::NoEdge, no_gain(excess, n_round_trips));
    }
    let gained = format!("the mean excess over holding the market at equal exposure is {excess:+.1} % a year");
    match doubt(development, test, n_round_trips) {
        Some(doubt) => conclude(Call::Inconclusive, format!("{gained}, but {doubt}")),
        None => {
            let sure = test.probabilistic_sharpe.map_or(0.0, Finite::get);
            let trips = round_trips(n_round_trips);
            let reason = format!("{gained} in {trips}, and with a probability of {sure:.3} that is more than chance");
            conclude(Call::Edge, reason)
        }
    }
}

fn round_trips(n_round_trips: usize) -> String {
    let plural = if n_round_trips == 1 { "" } else { "s" };
    format!("{n_round_trips} round trip{plural}")
}

fn no_gain(excess: f64, n_round_trips: usize) -> String {
    if n_round_trips == 0 {
        return "the strategy opened no position on the test, so it earned nothing beyond holding the market"
            .to_owned();
    }
    format!(
        "the mean excess over holding the market at equal exposure is {excess:+.1} % a year: the strategy added nothing"
    )
}

/// The first figure that leaves a gain in doubt.
fn doubt(development: &DevelopmentSignificance, test: &TestSignificance, n_round_trips: usize) -> Option<String> {
    if n_round_trips < MIN_ROUND_TRIPS {
        let trips = round_trips(n_round_trips);
        return Some(format!("in {trips}, and {MIN_ROUND_TRIPS} are needed to tell that from luck"));
    }
    let Some(sure) = test.probabilistic_sharpe.map(Finite::get) else {
        let why = why(&test.reasons, "probabilistic_sharpe");
        return Some(format!("how likely that is to be chance is unknown: {why}"));
    };
    if sure < CONFIDENCE {
        return Some(too_short(sure, test));
    }
    match development.pbo.map(Finite::get) {
        None => {
            let why = why(&development.reasons, "pbo");
            Some(format!("whether the search only fitted the past is unknown: {why}"))
        }
        Some(pbo) if pbo >= MAX_PBO => Some(format!(
            "what was best on one half of the development dates was no better than the middle of all tries on the other \
             half in {:.0} % of the ways to halve them, and less than {:.0} % is needed",
            100.0 * pbo,
            100.0 * MAX_PBO
        )),
        Some(_) => None,
    }
}

fn too_short(sure: f64, test: &TestSignificance) -> String {
    match (test.years_needed.map(Finite::get), test.years.map(Finite::get)) {
        (Some(needed), Some(years)) => format!(
            "with this Sharpe ratio {needed:.1} years of test would be needed to tell that from chance, and there is \
             {years:.1}"
        ),
        _ => format!("the probability that this is more than chance is {sure:.3}, and {CONFIDENCE} is needed"),
    }
}

fn why<'a>(reasons: &'a Reasons, name: &str) -> &'a str {
    reasons.get(name).unwrap_or("it was not computed")
}
