//! How far a strategy's figures can be trusted: corrected for what was tried, for chance, and for the market's own rise.
//!
//! In: returns of whole dates in excess of holding the market at equal exposure. Out: figures, and a [`Verdict`].

use serde::Serialize;

use crate::pipeline::metrics::{Finite, Interval, Reasons};

/// How far the development period can be trusted.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct DevelopmentHonesty {
    /// Probability that the chosen strategy's Sharpe ratio is more than the best of as many tries without any edge.
    pub deflated_sharpe: Option<Finite>,
    /// The Sharpe ratio of a date that the best of as many tries without any edge is expected to show.
    pub expected_max_sharpe: Option<Finite>,
    /// Probability of backtest overfitting.
    pub pbo: Option<Finite>,
    /// Why figures are null.
    #[serde(skip_serializing_if = "Reasons::is_empty")]
    pub reasons: Reasons,
}

/// How far the test can be trusted.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct TestHonesty {
    /// Excess over holding the market at equal exposure, percent a year.
    pub excess_pct_a_year: Option<Finite>,
    /// Its 95 % interval: circular blocks of whole dates, 1,000 draws.
    pub excess_ci95: Option<Interval>,
    /// Annualised Sharpe ratio of the excess.
    pub excess_sharpe: Option<Finite>,
    /// Its 95 % interval.
    pub excess_sharpe_ci95: Option<Interval>,
    /// Probability that the true Sharpe ratio of the excess is more than 0.
    pub probabilistic_sharpe: Option<Finite>,
    /// Dates that this Sharpe ratio needs to be told from 0 at 97.5 %.
    pub min_track_length_dates: Option<Finite>,
    /// The same in years.
    pub years_needed: Option<Finite>,
    /// Why figures are null.
    #[serde(skip_serializing_if = "Reasons::is_empty")]
    pub reasons: Reasons,
}

/// Whether there is an edge, and why in one sentence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// The word.
    pub verdict: Call,
    /// The sentence.
    pub reason: String,
}

/// What can be said of an edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Call {
    /// It held on the test: not by chance, not by few trades, not by overfitting.
    Edge,
    /// It cannot be told.
    Inconclusive,
    /// The test shows nothing beyond holding the market.
    NoEdge,
}

/// Returns of the test's dates, in excess of holding the market at equal exposure.
#[derive(Clone, Copy, Debug)]
pub struct Tested<'a> {
    /// One a date, as fractions.
    pub excess: &'a [f64],
    /// Positions opened and closed.
    pub n_round_trips: usize,
    /// Dates of a year: 252, or 52 of weekly bars.
    pub dates_a_year: f64,
    /// Dates of a bootstrap's block.
    pub block_dates: usize,
    /// Where all randomness starts.
    pub seed: u64,
}

/// How far the development period can be trusted.
///
/// * `candidates`: shape `[n_candidates][n_dates]`: each candidate's returns in excess of holding the market.
/// * `chosen_idx`: the one that was chosen.
pub fn development(candidates: &[Vec<f64>], chosen_idx: usize) -> DevelopmentHonesty {
    let _ = (candidates, chosen_idx);
    DevelopmentHonesty::default()
}

/// How far the test can be trusted.
pub fn test(tested: &Tested<'_>) -> TestHonesty {
    let _ = tested;
    TestHonesty::default()
}

/// What can be said of an edge.
pub fn verdict(development: &DevelopmentHonesty, test: &TestHonesty, n_round_trips: usize) -> Verdict {
    let _ = (development, test, n_round_trips);
    Verdict { verdict: Call::Inconclusive, reason: "no strategy was tried".to_owned() }
}
