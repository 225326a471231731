//! The parameters of a synthetic series.
//!
//! In: nothing. Out: a [`Recipe`] with the [`Kind`] of its pattern. Invariant: a kind has one name and one usual strength.

use oculus_job::request::Timeframe;

/// Planted pattern of a series. Drifts are log returns of a day, scaled like deviations to bars of
/// another length.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// No pattern: neither direction nor volatility can be forecast.
    Walk,
    /// Volatility can be forecast, direction cannot: GARCH(1,1) (Bollerslev 1986) around the usual
    /// variance.
    Garch {
        /// Weight of the last squared return.
        reaction: f64,
        /// Weight of the last variance; the sum of both weights is below 1.
        persistence: f64,
    },
    /// After a close at which RSI_14 is below and ADX_14 above a level, each of the next five bars rises by `drift` more.
    Rule {
        /// Level of the RSI.
        rsi_below: f64,
        /// Level of the ADX.
        adx_above: f64,
        /// Log return added to each bar.
        drift: f64,
    },
    /// After a close at which RSI_14 is below a level, each of the next five bars rises by `drift` more.
    Rebound {
        /// Level of the RSI.
        rsi_below: f64,
        /// Log return added to each bar.
        drift: f64,
    },
    /// Each bar's log return has a mean of `strength` deviations times the mean opening gap of the last weeks (in its own
    /// deviations) times where in its range the bar before closed. A row alone shows the last gap only.
    Gaps {
        /// Strength of the pattern, in deviations.
        strength: f64,
    },
}

impl Kind {
    /// Every kind by name, with the strength that the command line uses.
    pub const USUAL: [(&str, Self); 5] = [
        ("walk", Self::Walk),
        ("garch", Self::Garch { reaction: 0.1, persistence: 0.88 }),
        ("rule", Self::Rule { rsi_below: 38.0, adx_above: 22.0, drift: 0.0032 }),
        ("rebound", Self::Rebound { rsi_below: 38.0, drift: 0.02 }),
        ("gaps", Self::Gaps { strength: 1.0 }),
    ];

    /// Returns the kind with another drift per bar; `None` for a kind without a drift.
    pub fn with_drift(self, drift: f64) -> Option<Self> {
        match self {
            Self::Rule { rsi_below, adx_above, .. } => Some(Self::Rule { rsi_below, adx_above, drift }),
            Self::Rebound { rsi_below, .. } => Some(Self::Rebound { rsi_below, drift }),
            Self::Walk | Self::Garch { .. } | Self::Gaps { .. } => None,
        }
    }

    /// Returns the kind of a name, with its usual strength.
    pub fn usual(name: &str) -> Option<Self> {
        Self::USUAL.iter().find(|(known, _)| *known == name).map(|(_, kind)| *kind)
    }
}

/// Parameters of a series.
#[derive(Clone, Debug, PartialEq)]
pub struct Recipe {
    /// Planted pattern.
    pub kind: Kind,
    /// Name of the series.
    pub symbol: String,
    /// Number of the series among those of its seed, which are independent of each other.
    pub stream: u64,
    /// Seed of all random numbers.
    pub seed: u64,
    /// Length of a bar.
    pub timeframe: Timeframe,
    /// Number of bars, from 2010-01-04 on; at most [`most_bars`](super::most_bars).
    pub n_bars: usize,
}
