//! Measures of how far a strategy's returns can be trusted.

use serde::{Deserialize, Serialize};

use crate::metrics::{Finite, Interval, Reasons};

/// Probability from which on a Sharpe ratio above 0 is more than chance: 2.5 % of strategies
/// without an edge reach it.
pub(super) const CONFIDENCE: f64 = 0.975;

/// How far the development period can be trusted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DevelopmentSignificance {
    /// Sharpe ratio per date of the chosen strategy's excess returns.
    pub sharpe: Option<Finite>,
    /// Probability that the chosen strategy's Sharpe ratio exceeds the best of this many tries
    /// without an edge.
    pub deflated_sharpe: Option<Finite>,
    /// Expected Sharpe ratio per date of the best of this many tries without an edge.
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
    /// Excess over holding the market at equal exposure, percent per year.
    pub excess_pct_a_year: Option<Finite>,
    /// Its 95 % interval: circular blocks of whole dates, 1,000 draws.
    pub excess_ci95: Option<Interval>,
    /// Annualised Sharpe ratio of the excess.
    pub excess_sharpe: Option<Finite>,
    /// Its 95 % interval, by the same draws.
    pub excess_sharpe_ci95: Option<Interval>,
    /// Probability that the true Sharpe ratio of the excess is more than 0.
    pub probabilistic_sharpe: Option<Finite>,
    /// Number of dates after which this Sharpe ratio differs from 0 with 97.5 % confidence.
    pub min_track_length_dates: Option<Finite>,
    /// The same in years.
    pub years_needed: Option<Finite>,
    /// Why figures are null.
    #[serde(default, skip_serializing_if = "Reasons::is_empty")]
    pub reasons: Reasons,
}
