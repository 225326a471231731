//! Figures of the statistical significance of a strategy's returns.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::metrics::{Finite, Interval, Reasons};

/// Probability from which a Sharpe ratio above 0 is treated as more than chance: 2.5 % of the
/// strategies without an edge reach it.
pub(super) const CONFIDENCE: f64 = 0.975;

/// Significance of the choice of a strategy in the development period.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DevelopmentSignificance {
    /// Sharpe ratio of the chosen strategy's excess returns per date, not annualised; null if they
    /// are constant.
    pub sharpe: Option<Finite>,
    /// Probability that the chosen strategy's Sharpe ratio is above `expected_max_sharpe`, which
    /// luck reaches: 0.95 or more is good, and under 0.5 luck alone explains more than was found.
    /// Null if either Sharpe ratio is null.
    pub deflated_sharpe: Option<Finite>,
    /// Expected Sharpe ratio per date, not annualised, of the best of `n_candidates` strategies
    /// without an edge; null if no strategy was tried.
    pub expected_max_sharpe: Option<Finite>,
    /// Probability of backtest overfitting (PBO), 0 to 1: low is good, noise has about 0.5, and the
    /// verdict `edge` requires less than 0.5. Null if there are fewer than two
    /// strategies with enough round trips, or too few dates.
    pub pbo: Option<Finite>,
    /// Reason for each null figure, by field name.
    #[serde(default, skip_serializing_if = "Reasons::is_empty")]
    pub reasons: Reasons,
}

/// Significance of the performance of a strategy in the test period.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TestSignificance {
    /// Number of dates in the test period.
    pub n_dates: usize,
    /// Length of the test period in years; null without dates.
    pub years: Option<Finite>,
    /// Number of round trips.
    pub n_round_trips: usize,
    /// Mean excess over holding the market at equal exposure, in percent per year; null without
    /// dates.
    pub excess_pct_a_year: Option<Finite>,
    /// 95 % interval of the mean excess: a Student-t interval around the standard deviation of a
    /// bootstrap of 1,000 draws, in circular blocks of whole dates. Null under 4 blocks.
    pub excess_ci95: Option<Interval>,
    /// Annualised Sharpe ratio of the excess; null if the excess is constant.
    pub excess_sharpe: Option<Finite>,
    /// 95 % interval of that Sharpe ratio, computed in the same way from the same draws; null under
    /// 4 blocks.
    pub excess_sharpe_ci95: Option<Interval>,
    /// Probability that the true Sharpe ratio of the excess is more than 0; null if the excess has
    /// fewer than three distinct values.
    pub probabilistic_sharpe: Option<Finite>,
    /// Number of dates after which this Sharpe ratio differs from 0 with 97.5 % confidence; null if
    /// this ratio is not above 0.
    pub min_track_length_dates: Option<Finite>,
    /// Number of years after which this Sharpe ratio differs from 0 with 97.5 % confidence; null if
    /// this ratio is not above 0.
    pub years_needed: Option<Finite>,
    /// Reason for each null figure, by field name.
    #[serde(default, skip_serializing_if = "Reasons::is_empty")]
    pub reasons: Reasons,
}
