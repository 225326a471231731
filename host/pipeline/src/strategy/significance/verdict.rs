//! The verdict on a strategy: a conclusion, and one sentence with the decisive figure.
//!
//! In: the significance of the choice in the development period, and of the performance in the test
//! period. Out: a [`Verdict`]. Invariant: a missing figure never results in the verdict `edge`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::figures::{CONFIDENCE, DevelopmentSignificance, TestSignificance};
use crate::metrics::{Finite, Interval, Reasons};
use crate::models::MAX_CHANCE_P;

/// Minimum number of round trips for the verdict `edge`: with fewer, the probabilistic Sharpe ratio
/// is too optimistic.
const MIN_ROUND_TRIPS: usize = 10;
/// The verdict `edge` requires a probability of backtest overfitting below this value; noise has
/// about 0.5.
const MAX_PBO: f64 = 0.5;

/// Figures from which the verdict on a strategy follows.
#[derive(Clone, Copy, Debug)]
pub struct VerdictInputs<'a> {
    /// Significance of the choice in the development period.
    pub development: &'a DevelopmentSignificance,
    /// Significance of the performance in the test period.
    pub test: &'a TestSignificance,
    /// Number of round trips in the test period.
    pub n_round_trips: usize,
    /// Whether enough rows had the label of the model to judge it.
    pub label_judged: bool,
    /// Number of different designs that were tested on this test period, including this one; `None`
    /// if it is unknown.
    pub n_submissions: Option<usize>,
    /// The model, if the strategy follows its scores.
    pub model: Option<ModelChance>,
}

/// Comparisons of a model with surrogate markets, whose moves cannot be forecast.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ModelChance {
    /// Probability that chance reaches the model's AUC of the test period; `None` if it is unknown.
    pub auc_p: Option<f64>,
    /// Probability that chance reaches the score of the lead family's prior on the validation rows;
    /// `None` if it is unknown.
    pub surrogates_p: Option<f64>,
}

impl ModelChance {
    /// Returns the probability that chance reaches both figures, by Fisher's combination of the two
    /// (Fisher, *Statistical Methods for Research Workers*, 1932). They come from different dates, so
    /// they are independent if the moves cannot be forecast. Without the second one, the first one is
    /// returned; without the first one, `None`.
    fn combined_p(self) -> Option<f64> {
        let auc_p = self.auc_p?;
        let Some(surrogates_p) = self.surrogates_p else { return Some(auc_p) };
        // −2·ln of the product has a χ² distribution with 4 degrees of freedom.
        let product = auc_p * surrogates_p;
        Some(product * (1.0 - product.ln()))
    }
}

/// The conclusion of a strategy's test.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Verdict {
    /// The conclusion.
    pub verdict: VerdictKind,
    /// The decisive figure, in one sentence.
    pub reason: String,
}

/// The possible conclusions of a strategy's test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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

/// Returns the probabilistic Sharpe ratio that the verdict `edge` requires if `n` designs were tested
/// on the same test period. If all of them are held to it, the chance of a wrong `edge` among them is
/// at most 2.5 % (Dunn, *Multiple Comparisons Among Means*, 1961).
pub fn required_confidence(n: usize) -> f64 {
    1.0 - (1.0 - CONFIDENCE) / n.max(1) as f64
}

/// Decides whether a strategy has an edge.
///
/// The verdict is `edge` if, in the test period, the probabilistic Sharpe ratio of the excess is at
/// least 0.975 with at least 10 round trips, and the 95 % interval of the mean excess is above 0.
/// If several designs were tested on the test period, the ratio must reach [`required_confidence`].
/// The probability of backtest overfitting must also be below 0.5, and the label of the model must
/// have been judged. If the strategy follows the scores of the model, the model must be more than
/// chance: chance reaches its AUC of the test period, and the validation score of its prior, with a
/// combined probability of at most 5 %.
///
/// If the mean excess is not above 0, the verdict is `no_edge`. A verdict that is neither `edge` nor
/// `no_edge` is `inconclusive`.
pub fn verdict(inputs: &VerdictInputs<'_>) -> Verdict {
    let VerdictInputs { test, n_round_trips, .. } = *inputs;
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
    match doubt(inputs) {
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
fn doubt(inputs: &VerdictInputs<'_>) -> Option<String> {
    let VerdictInputs { development, test, n_round_trips, label_judged, n_submissions, model } = *inputs;
    // docs/statistics.md documents this order: round trips, probability, submissions, interval,
    // overfitting, label, model.
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
    if let Some(doubt) = submissions_doubt(probability, n_submissions).or_else(|| interval_doubt(test)) {
        return Some(doubt);
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
        Some(_) if !label_judged => {
            Some("too few rows have the label to judge it, so the model behind the strategy was not judged".to_owned())
        }
        Some(_) => model.and_then(model_doubt),
    }
}

/// Returns a clause on the model whose scores the strategy follows; `None` if it is more than chance.
fn model_doubt(model: ModelChance) -> Option<String> {
    match model.combined_p() {
        Some(p) if p <= MAX_CHANCE_P => None,
        Some(p) => Some(format!(
            "it follows the scores of a model that may be chance: chance reaches its validation score and its AUC of the \
             test period with a combined probability of {p:.2}, and at most {MAX_CHANCE_P} is required"
        )),
        None => Some("it follows the scores of a model whose AUC was not compared with chance".to_owned()),
    }
}

/// Returns a clause on the number of designs that were tested on the same test period; `None` if the
/// probability suffices for their number.
fn submissions_doubt(probability: f64, n_submissions: Option<usize>) -> Option<String> {
    let Some(n) = n_submissions else {
        return Some("the number of designs that were tested on the same test period is unknown".to_owned());
    };
    let required = required_confidence(n);
    (probability < required).then(|| {
        format!(
            "the probability that it is more than chance is {probability:.5}, and {required:.5} is required because \
             {n} different designs were tested on the same test period"
        )
    })
}

/// Returns a clause on the interval of the excess; `None` if the interval is above 0.
fn interval_doubt(test: &TestSignificance) -> Option<String> {
    let Some(Interval(low, _)) = test.excess_ci95 else {
        let reason = reason_of(&test.reasons, "excess_ci95");
        return Some(format!("the interval of the excess is unknown: {reason}"));
    };
    (low.get() <= 0.0).then(|| {
        format!("the 95 % interval of the excess begins at {:+.1} % per year, and more than 0 is required", low.get())
    })
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
