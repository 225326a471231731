//! The equity curve of the chosen strategy, for the artifacts.

use super::backtest::RoundTrip;

/// Equity and trades of the chosen strategy in the development and the test period; empty if no
/// strategy was chosen.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EquityCurve {
    /// One point per date.
    pub equity: Vec<EquityPoint>,
    /// Round trips of the development period, sorted by symbol and time.
    pub development_trades: Vec<Trade>,
    /// Round trips of the test period, sorted by symbol and time.
    pub test_trades: Vec<Trade>,
}

/// Equity at the end of a date; the equity is 1 at the start of the period.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EquityPoint {
    /// Days since 1970-01-01.
    pub day: i32,
    /// Whether the date belongs to the test period.
    pub is_test: bool,
    /// Equity of the strategy.
    pub strategy: f64,
    /// Equity of holding all symbols at the strategy's mean exposure over all earlier dates.
    pub buy_and_hold: f64,
    /// Equity of holding all symbols all the time.
    pub always_in: f64,
    /// Share of the capital that is invested.
    pub exposure: f64,
}

/// A round trip in one of the symbols.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Trade {
    /// Index of the symbol in the market.
    pub symbol_idx: usize,
    /// The round trip; its bars are counted from the symbol's first bar.
    pub trip: RoundTrip,
}
