//! The backtest of all symbols together: on every date the capital is split equally over the
//! symbols that have bars.
//!
//! In: the [`PeriodBars`], and each symbol's signals. Out: returns and exposure per date, and
//! trades. The capital of the strategy and of the market is split in the same way, so a symbol
//! without bars does not reduce the exposure of either. The returns of intraday bars are compounded
//! per date.

use std::ops::Range;

use super::{
    backtest::{self, RoundTrip, Signals, SymbolRun, TradeSettings},
    equity_curve::Trade,
    period_bars::{PeriodBars, SymbolBars},
};

/// The backtest of a strategy on all symbols of a period.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct PortfolioRun {
    /// Returns as fractions, one per date.
    pub(super) returns: Vec<f64>,
    /// Share of the capital that is invested, one per date.
    pub(super) exposure: Vec<f64>,
    /// Round trips, sorted by symbol and time; their bars are counted from the symbol's first bar.
    pub(super) trades: Vec<Trade>,
}

impl PortfolioRun {
    /// Returns the mean share of the capital that is invested.
    pub(super) fn mean_exposure(&self) -> f64 {
        self.exposure.iter().sum::<f64>() / self.exposure.len().max(1) as f64
    }

    /// Returns the returns in excess of [`PortfolioRun::matched_market`], one per date.
    pub(super) fn excess(&self, market: &[f64], history: &[f64]) -> Vec<f64> {
        let matched = self.matched_market(market, history);
        self.returns.iter().zip(matched).map(|(strategy, market)| strategy - market).collect()
    }

    /// Returns the market's returns at the strategy's mean exposure over all earlier dates, one per
    /// date.
    ///
    /// The mean over the run itself would be known only at its end. In a short period of a random
    /// walk, prices return to their own mean in hindsight, so a strategy that buys low prices would
    /// gain over that comparison without any edge. Over a share of the market that is known before
    /// each date, a strategy without an edge has an expected gain of 0, except for costs.
    ///
    /// * `market`: returns of the market, one per date of the run.
    /// * `history`: the strategy's exposures on the dates before the run, oldest first.
    pub(super) fn matched_market(&self, market: &[f64], history: &[f64]) -> Vec<f64> {
        self.earlier_exposure(history).iter().zip(market).map(|(exposure, change)| exposure * change).collect()
    }

    /// Returns the mean exposure over all earlier dates, one per date.
    ///
    /// Entry t is the mean of `history` and of the run's exposures before date t. Without any
    /// earlier date it is 0, the exposure of every strategy on the first date of a run: that date
    /// follows no signal.
    fn earlier_exposure(&self, history: &[f64]) -> Vec<f64> {
        let mut sum: f64 = history.iter().sum();
        let mean_before = |(idx, exposure): (usize, &f64)| {
            let n_earlier = history.len() + idx;
            let mean = if n_earlier == 0 { 0.0 } else { sum / n_earlier as f64 };
            sum += exposure;
            mean
        };
        self.exposure.iter().enumerate().map(mean_before).collect()
    }
}

/// Backtests the signals of all symbols.
///
/// * `signals`: function that returns the signals of the symbol at an index.
pub(super) fn backtest(
    bars: &PeriodBars<'_>,
    settings: &TradeSettings,
    signals: impl Fn(usize) -> Signals,
) -> PortfolioRun {
    let mut exposure = vec![0.0; bars.n_dates()];
    let mut trades = Vec::new();
    let mut growth = Vec::with_capacity(bars.symbols.len());
    for (symbol_idx, symbol) in bars.symbols.iter().enumerate() {
        let run = backtest::run(&symbol.prices, &signals(symbol_idx), settings);
        add_exposure(&mut exposure, symbol, &run, &bars.n_present);
        trades.extend(run.trips.iter().map(|trip| Trade { symbol_idx, trip: in_all_bars(trip, symbol) }));
        growth.push(run.growth);
    }
    PortfolioRun { returns: returns(bars, &growth), exposure, trades }
}

/// Computes the market's returns: all symbols are held all the time, without costs.
pub(super) fn market(bars: &PeriodBars<'_>) -> Vec<f64> {
    let growth: Vec<Vec<f64>> = bars.symbols.iter().map(|symbol| backtest::market(&symbol.prices)).collect();
    returns(bars, &growth)
}

/// Computes the returns of a portfolio that buys all symbols at their first open and sells them at
/// their last close.
pub(super) fn always_in(bars: &PeriodBars<'_>, cost: f64) -> Vec<f64> {
    let growth: Vec<Vec<f64>> = bars.symbols.iter().map(|symbol| backtest::always_in(&symbol.prices, cost)).collect();
    returns(bars, &growth)
}

/// Computes the mean return of the symbols that have bars, one per date.
fn returns(bars: &PeriodBars<'_>, growth: &[Vec<f64>]) -> Vec<f64> {
    let mut sum = vec![0.0; bars.n_dates()];
    for (symbol, growth) in bars.symbols.iter().zip(growth) {
        for (date_idx, bars_of_date) in dates(symbol) {
            sum[date_idx] += growth[bars_of_date].iter().product::<f64>() - 1.0;
        }
    }
    // A date exists only if some symbol has a bar on it, so `n_present` is never 0.
    sum.into_iter().zip(&bars.n_present).map(|(sum, &n_present)| sum / n_present as f64).collect()
}

/// Returns a round trip whose bars are counted from the symbol's first bar, not from the period's.
fn in_all_bars(trip: &RoundTrip, symbol: &SymbolBars<'_>) -> RoundTrip {
    let bar = |bar: usize| symbol.first_bar + bar;
    RoundTrip { entry_bar: bar(trip.entry_bar), exit_bar: bar(trip.exit_bar), ..*trip }
}

fn add_exposure(exposure: &mut [f64], symbol: &SymbolBars<'_>, run: &SymbolRun, n_present: &[usize]) {
    for (date_idx, bars) in dates(symbol) {
        let n_held = run.is_held[bars.clone()].iter().filter(|held| **held).count();
        // On each date, every symbol has an equal part of the capital, and every bar of a symbol
        // counts for an equal part of the date.
        exposure[date_idx] += n_held as f64 / (bars.len() * n_present[date_idx]) as f64;
    }
}

/// Iterates over the dates of a symbol, each with its bars.
fn dates(symbol: &SymbolBars<'_>) -> impl Iterator<Item = (usize, Range<usize>)> {
    let sessions = symbol.date_idx.chunk_by(|date, next| date == next);
    sessions.scan(0, |first, session| {
        let bars = *first..*first + session.len();
        *first = bars.end;
        Some((session[0] as usize, bars))
    })
}
