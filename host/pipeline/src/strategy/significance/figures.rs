//! Figures that say how far a strategy's returns can be trusted.

use serde::{Deserialize, Serialize};

use crate::metrics::{Finite, Interval, Reasons};

/// Probability from which on a Sharpe ratio above 0 is more than chance: 2.5 % of strategies
/// without an edge reach it.
pub(super) const CONFIDENCE: f64 = 0.975;

/// How far the development period can be trusted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DevelopmentSignificance {
    /// Sharpe ratio of a date of the chosen strategy's excess.
    pub sharpe: Option<Finite>,
    /// Probability that the chosen strategy's Sharpe ratio is more than the best of as many tries
    /// without any edge.
    pub deflated_sharpe: Option<Finite>,
    /// The Sharpe ratio of a date that the best of as many tries without any edge is expected to
    /// show.
    pub expected_max_sharpe: Option<Finite>,
    /// Probability of backtest overfitting.
    pub pbo: Option<Finite>,
    /// Why figures are null.
    #[serde(default, skip_serializing_if = "Reasons::is_empty")]
    pub reasons: Reasons,
}

/// How far the test can be trusted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TestSignificance {
    /// Dates of the test.
    pub n_dates: usize,
    /// The same in years.
    pub years: Option<Finite>,
    /// Positions opened and closed.
    pub n_round_trips: usize,
    /// Excess over holding the market at equal exposure, percent a year.
    pub excess_pct_a_year: Option<Finite>,
    /// Its 95 % interval: circular blocks of whole dates, 1,000 draws.
    pub excess_ci95: Option<Interval>,
    /// Annualised Sharpe ratio of the excess.
    pub excess_sharpe: Option<Finite>,
    /// Its 95 % interval, by the same draws.
    pub excess_sharpe_ci95: Option<Interval>,
    /// Probability that the true Sharpe ratio of the excess is more than 0.
    pub probabilistic_sharpe: Option<Finite>,
    /// Dates that this Sharpe ratio needs to be told from 0 at 97.5 %.
    pub min_track_length_dates: Option<Finite>,
    /// The same in years.
    pub years_needed: Option<Finite>,
    /// Why figures are null.
    #[serde(default, skip_serializing_if = "Reasons::is_empty")]
    pub reasons: Reasons,
}
