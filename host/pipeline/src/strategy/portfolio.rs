//! All symbols together: on every date the capital is split equally over the symbols that have
//! bars.
//!
//! In: [`PeriodBars`] and each symbol's signals. Out: returns and exposure per date, and trades.
//! Strategy and market are split alike, so that a symbol without bars makes neither of them less
//! invested; intraday bars compound to their date.

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
    /// Round trips, by symbol, then time; bars are those of the symbol.
    pub(super) trades: Vec<Trade>,
}

impl PortfolioRun {
    /// Returns the mean share of the capital that is invested.
    pub(super) fn mean_exposure(&self) -> f64 {
        self.exposure.iter().sum::<f64>() / self.exposure.len().max(1) as f64
    }

    /// Returns the market's returns at the strategy's mean exposure.
    pub(super) fn at_mean_exposure(&self, market: &[f64]) -> Vec<f64> {
        let exposure = self.mean_exposure();
        market.iter().map(|of_market| exposure * of_market).collect()
    }
}

/// Follows signals on all symbols.
///
/// * `signals`: returns the signals of a symbol by its position.
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

/// Returns the market's returns: all symbols held all the time, without costs.
pub(super) fn market(bars: &PeriodBars<'_>) -> Vec<f64> {
    let growth: Vec<Vec<f64>> = bars.symbols.iter().map(|symbol| backtest::market(&symbol.prices)).collect();
    returns(bars, &growth)
}

/// Returns the returns of buying all symbols at their first open and selling them at their last
/// close.
pub(super) fn always_in(bars: &PeriodBars<'_>, cost: f64) -> Vec<f64> {
    let growth: Vec<Vec<f64>> = bars.symbols.iter().map(|symbol| backtest::always_in(&symbol.prices, cost)).collect();
    returns(bars, &growth)
}

/// Returns the mean return of the symbols that have bars, one per date.
fn returns(bars: &PeriodBars<'_>, growth: &[Vec<f64>]) -> Vec<f64> {
    let mut sum = vec![0.0; bars.n_dates()];
    for (symbol, growth) in bars.symbols.iter().zip(growth) {
        for (date_idx, bars_of_date) in dates(symbol) {
            sum[date_idx] += growth[bars_of_date].iter().product::<f64>() - 1.0;
        }
    }
    sum.into_iter().zip(&bars.n_present).map(|(sum, &n_present)| sum / n_present as f64).collect()
}

/// Returns a round trip with its bars counted from the symbol's first.
fn in_all_bars(trip: &RoundTrip, symbol: &SymbolBars<'_>) -> RoundTrip {
    let bar = |bar: usize| symbol.first_bar + bar;
    RoundTrip { entry_bar: bar(trip.entry_bar), exit_bar: bar(trip.exit_bar), ..*trip }
}

fn add_exposure(exposure: &mut [f64], symbol: &SymbolBars<'_>, run: &SymbolRun, n_present: &[usize]) {
    for (date_idx, bars) in dates(symbol) {
        let n_held = run.is_held[bars.clone()].iter().filter(|held| **held).count();
        exposure[date_idx] += n_held as f64 / (bars.len() * n_present[date_idx]) as f64;
    }
}

/// Iterates over the dates of a symbol with their bars.
fn dates(symbol: &SymbolBars<'_>) -> impl Iterator<Item = (usize, Range<usize>)> {
    let sessions = symbol.date_idx.chunk_by(|date, next| date == next);
    sessions.scan(0, |first, session| {
        let bars = *first..*first + session.len();
        *first = bars.end;
        Some((session[0] as usize, bars))
    })
}
