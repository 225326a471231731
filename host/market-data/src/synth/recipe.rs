//! The parameters of a synthetic series.
//!
//! In: nothing. Out: a [`Recipe`] with the [`Kind`] of its pattern. Invariant: each kind has one
//! name and one default strength.

use oculus_job::request::Timeframe;

/// The planted pattern of a series. A drift is a log return per daily bar. For another timeframe it
/// is scaled like the standard deviation of returns.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// No pattern. Neither direction nor volatility can be forecast.
    Walk,
    /// The volatility can be forecast, but the direction cannot. The process is GARCH(1,1)
    /// (Bollerslev 1986) with the same long-run variance as the other kinds.
    Garch {
        /// Weight of the last squared return (alpha).
        reaction: f64,
        /// Weight of the last variance (beta). The sum of alpha and beta is below 1.
        persistence: f64,
    },
    /// If RSI_14 is below `rsi_below` and ADX_14 is above `adx_above` at a close, `drift` is added
    /// to the return of each of the next five bars.
    Rule {
        /// RSI_14 must be below this level.
        rsi_below: f64,
        /// ADX_14 must be above this level.
        adx_above: f64,
        /// Log return added to each bar.
        drift: f64,
    },
    /// If RSI_14 is below `rsi_below` at a close, `drift` is added to the return of each of the
    /// next five bars.
    Rebound {
        /// RSI_14 must be below this level.
        rsi_below: f64,
        /// Log return added to each bar.
        drift: f64,
    },
    /// The mean of a bar's log return is the product of four factors. They are `strength`, the
    /// standard deviation of returns, the standardised mean opening gap of the last weeks, and the
    /// position of the previous close in the range of its bar (-1 to 1). A single row shows only
    /// the last gap, so a model needs a window of bars to detect the pattern.
    Gaps {
        /// Strength of the pattern, in standard deviations of returns.
        strength: f64,
    },
}

impl Kind {
    /// All kinds with their names and default strengths, for the command line.
    pub const NAMED: [(&str, Self); 5] = [
        ("walk", Self::Walk),
        ("garch", Self::Garch { reaction: 0.1, persistence: 0.88 }),
        ("rule", Self::Rule { rsi_below: 38.0, adx_above: 22.0, drift: 0.0032 }),
        ("rebound", Self::Rebound { rsi_below: 38.0, drift: 0.02 }),
        ("gaps", Self::Gaps { strength: 1.0 }),
    ];

    /// Returns the kind with another drift, or `None` if the kind has no drift.
    pub fn with_drift(self, drift: f64) -> Option<Self> {
        match self {
            Self::Rule { rsi_below, adx_above, .. } => Some(Self::Rule { rsi_below, adx_above, drift }),
            Self::Rebound { rsi_below, .. } => Some(Self::Rebound { rsi_below, drift }),
            Self::Walk | Self::Garch { .. } | Self::Gaps { .. } => None,
        }
    }

    /// Returns the kind with the given name and with its default strength, or `None` if the name is
    /// unknown.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::NAMED.iter().find(|(known, _)| *known == name).map(|(_, kind)| *kind)
    }
}

/// The parameters of a synthetic series.
#[derive(Clone, Debug, PartialEq)]
pub struct Recipe {
    /// Planted pattern.
    pub kind: Kind,
    /// Symbol of the series.
    pub symbol: String,
    /// Number of the series. Series with the same seed and different numbers are independent of
    /// each other.
    pub stream: u64,
    /// Seed of all random numbers.
    pub seed: u64,
    /// Length of a bar.
    pub timeframe: Timeframe,
    /// Number of bars from 2010-01-04 on, at most [`max_bars`](super::max_bars).
    pub n_bars: usize,
}
