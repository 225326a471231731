//! One symbol, bar by bar: signals at a close act at the next open.
//!
//! In: bars, signals, orders. Out: round trips and the return of each bar. Invariant: bar t's return depends on bars up
//! to t and on signals up to t - 1.

/// A round trip.
#[derive(Clone, Debug, PartialEq)]
pub struct Trade {
    /// Ticker's index.
    pub symbol_idx: usize,
    /// Bar at whose open it began, in its symbol's bars.
    pub entry_bar: usize,
    /// Bar in which it ended.
    pub exit_bar: usize,
    /// Price paid, before costs.
    pub entry_price: f64,
    /// Price got, before costs.
    pub exit_price: f64,
    /// Why it ended.
    pub reason: ExitReason,
    /// What it gained after costs, as a fraction of what was paid.
    pub gain: f64,
    /// Whether it belongs to the test.
    pub is_test: bool,
}

/// Why a position was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitReason {
    /// Enough exit rules held at a close.
    Rule,
    /// It was held as long as it may be.
    Time,
    /// The stop was touched.
    Stop,
    /// The target was touched.
    Target,
    /// The period ended.
    End,
}
