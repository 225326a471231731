//! All symbols together: on every date the capital is split equally over those that have bars then.
//!
//! In: a [`Part`] and each symbol's signals. Out: returns and exposure of whole dates, and trades. Strategy and market are
//! split alike, so that a symbol without bars makes neither of them less invested; intraday bars compound to their date.

use std::ops::Range;

use super::{
    Trade,
    backtest::{self, Orders, RoundTrip, Run, Signals},
    part::{Part, SymbolPart},
};

/// What a strategy did on each date of a part.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Held {
    /// Returns as fractions, one a date.
    pub(super) returns: Vec<f64>,
    /// Share of the capital that is invested, one a date.
    pub(super) exposure: Vec<f64>,
    /// Round trips, by symbol, then time; bars are those of the symbol.
    pub(super) trades: Vec<Trade>,
}

impl Held {
    /// Mean share of the capital that is invested.
    pub(super) fn mean_exposure(&self) -> f64 {
        self.exposure.iter().sum::<f64>() / self.exposure.len().max(1) as f64
    }

    /// The market's returns at the strategy's mean exposure.
    pub(super) fn matched(&self, market: &[f64]) -> Vec<f64> {
        let exposure = self.mean_exposure();
        market.iter().map(|of_market| exposure * of_market).collect()
    }
}

/// Follows signals on all symbols.
///
/// * `signals`: those of a symbol by its index.
pub(super) fn hold(part: &Part<'_>, orders: &Orders, signals: impl Fn(usize) -> Signals) -> Held {
    let mut held = Held { exposure: vec![0.0; part.n_dates()], ..Held::default() };
    let mut runs = Vec::with_capacity(part.symbols.len());
    for (symbol_idx, symbol) in part.symbols.iter().enumerate() {
        let run = backtest::run(&symbol.prices, &signals(symbol_idx), orders);
        add_exposure(&mut held.exposure, symbol, &run, &part.n_present);
        held.trades.extend(run.trips.iter().map(|trip| Trade { symbol_idx, trip: in_all_bars(trip, symbol) }));
        runs.push(run.growth);
    }
    held.returns = returns(part, &runs);
    held
}

/// The market's returns: all symbols held all the time, without costs.
pub(super) fn market(part: &Part<'_>) -> Vec<f64> {
    let growth: Vec<Vec<f64>> = part.symbols.iter().map(|symbol| backtest::market(&symbol.prices)).collect();
    returns(part, &growth)
}

/// Returns of buying all symbols at their first open and selling them at their last close.
pub(super) fn always_in(part: &Part<'_>, cost: f64) -> Vec<f64> {
    let growth: Vec<Vec<f64>> = part.symbols.iter().map(|symbol| backtest::always_in(&symbol.prices, cost)).collect();
    returns(part, &growth)
}

/// Mean over the symbols that have bars of what these made of each date.
fn returns(part: &Part<'_>, growth: &[Vec<f64>]) -> Vec<f64> {
    let mut sum = vec![0.0; part.n_dates()];
    for (symbol, growth) in part.symbols.iter().zip(growth) {
        for (date_idx, bars) in dates(symbol) {
            sum[date_idx] += growth[bars].iter().product::<f64>() - 1.0;
        }
    }
    sum.into_iter().zip(&part.n_present).map(|(sum, &n_present)| sum / n_present as f64).collect()
}

/// A round trip with its bars counted from the symbol's first.
fn in_all_bars(trip: &RoundTrip, symbol: &SymbolPart<'_>) -> RoundTrip {
    let bar = |bar: usize| symbol.first_bar + bar;
    RoundTrip { entry_bar: bar(trip.entry_bar), exit_bar: bar(trip.exit_bar), ..*trip }
}

fn add_exposure(exposure: &mut [f64], symbol: &SymbolPart<'_>, run: &Run, n_present: &[usize]) {
    for (date_idx, bars) in dates(symbol) {
        let n_held = run.is_held[bars.clone()].iter().filter(|held| **held).count();
        exposure[date_idx] += n_held as f64 / (bars.len() * n_present[date_idx]) as f64;
    }
}

/// The bars of each date of a symbol.
fn dates(symbol: &SymbolPart<'_>) -> impl Iterator<Item = (usize, Range<usize>)> {
    let sessions = symbol.date_idx.chunk_by(|date, next| date == next);
    sessions.scan(0, |first, session| {
        let bars = *first..*first + session.len();
        *first = bars.end;
        Some((session[0] as usize, bars))
    })
}
