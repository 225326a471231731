//! Made-up bars: random walks, alone or with something to find in them, and what an oracle would know of them.
//!
//! In: a [`Recipe`]. Out: a [`Synthetic`] series, the same on every machine. Returns are normal and independent but for
//! what the [`Kind`] adds. Prices have six decimals, volumes none.

mod calendar;
mod course;
pub mod files;
mod noise;
mod oracle;
#[cfg(test)]
mod tests;

use oculus_job::request::Timeframe;
use oculus_pipeline::bars::Bars;

pub use calendar::most_bars;
pub use oracle::{Oracle, base_rate, oracle_auc};

use course::PriceProcess;
use noise::Noise;

/// What there is to find. Drifts are log returns of a day, scaled like deviations to bars of another length.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// Nothing: neither direction nor volatility can be forecast.
    Walk,
    /// Volatility, no direction: GARCH(1,1) (Bollerslev 1986) around the usual variance.
    Garch {
        /// Weight of the last squared return.
        reaction: f64,
        /// Weight of the last variance; together below 1.
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
        /// How much of it there is.
        strength: f64,
    },
}

impl Kind {
    /// Every kind by name, as strong as the command makes it.
    pub const USUAL: [(&str, Self); 5] = [
        ("walk", Self::Walk),
        ("garch", Self::Garch { reaction: 0.1, persistence: 0.88 }),
        ("rule", Self::Rule { rsi_below: 38.0, adx_above: 22.0, drift: 0.0032 }),
        ("rebound", Self::Rebound { rsi_below: 38.0, drift: 0.02 }),
        ("gaps", Self::Gaps { strength: 1.0 }),
    ];

    /// The same with another rise a bar; `None` for a kind without one.
    pub fn with_drift(self, drift: f64) -> Option<Self> {
        match self {
            Self::Rule { rsi_below, adx_above, .. } => Some(Self::Rule { rsi_below, adx_above, drift }),
            Self::Rebound { rsi_below, .. } => Some(Self::Rebound { rsi_below, drift }),
            Self::Walk | Self::Garch { .. } | Self::Gaps { .. } => None,
        }
    }

    /// The usual kind of a name.
    pub fn usual(name: &str) -> Option<Self> {
        Self::USUAL.iter().find(|(known, _)| *known == name).map(|(_, kind)| *kind)
    }
}

/// Which series to make.
#[derive(Clone, Debug, PartialEq)]
pub struct Recipe {
    /// What there is to find.
    pub kind: Kind,
    /// Its name.
    pub symbol: String,
    /// Which of the series of a seed; each is independent of the others.
    pub stream: u64,
    /// Seed.
    pub seed: u64,
    /// Length of a bar.
    pub timeframe: Timeframe,
    /// Number of bars, from 2010-01-04 on; at most [`most_bars`].
    pub n_bars: usize,
}

/// A series and who knows how it was made.
#[derive(Clone, Debug)]
pub struct Synthetic {
    /// The bars.
    pub bars: Bars,
    /// Knows the probability of every rise.
    pub oracle: Oracle,
}

/// Makes a series.
///
/// ```
/// use oculus_job::request::Timeframe;
/// use oculus_market_data::synth::{Kind, Recipe, generate};
///
/// let symbol = "AAA".to_owned();
/// let recipe = Recipe { kind: Kind::Walk, symbol, stream: 0, seed: 1, timeframe: Timeframe::Day1, n_bars: 300 };
/// assert_eq!(generate(&recipe).bars, generate(&recipe).bars);
/// ```
pub fn generate(recipe: &Recipe) -> Synthetic {
    let n_bars = recipe.n_bars;
    let column = || Vec::with_capacity(n_bars);
    let mut bars = Bars {
        symbol: recipe.symbol.clone(),
        time: calendar::times(recipe.timeframe, n_bars),
        open: column(),
        high: column(),
        low: column(),
        close: column(),
        volume: column(),
    };
    for [open, high, low, close, volume] in courses(recipe).map(|(_, bar)| bar).take(bars.time.len()) {
        bars.open.push(to_decimals(open));
        bars.high.push(to_decimals(high));
        bars.low.push(to_decimals(low));
        bars.close.push(to_decimals(close));
        bars.volume.push(volume.round());
    }
    Synthetic { bars, oracle: Oracle::new(recipe.clone()) }
}

/// The endless course of a recipe, bar by bar, with what is known after each.
fn courses(recipe: &Recipe) -> impl Iterator<Item = (PriceProcess, [f64; 5])> {
    let mut noise = Noise::new(recipe.seed, recipe.stream);
    let mut course = PriceProcess::new(recipe.kind, recipe.timeframe);
    std::iter::repeat_with(move || {
        let bar = course.step(&noise.draws());
        (course, bar)
    })
}

/// To six decimals.
fn to_decimals(price: f64) -> f64 {
    (price * 1e6).round() / 1e6
}
