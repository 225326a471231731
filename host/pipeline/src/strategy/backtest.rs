//! One symbol, bar by bar: signals at a close act at the next open.
//!
//! In: bars, signals, trade settings. Out: round trips, and the growth of the capital per bar.
//! Invariant: bar t's growth depends on bars up to t and on signals up to t - 1.
//!
//! The steps of a bar, in this order:
//! 1. At the open, a position is opened if none is held and the previous close signalled an entry
//!    but not an exit.
//! 2. At the open, a position is closed if the previous close signalled an exit, if it has been held
//!    for the maximum number of bars, or if the open is at or beyond its stop or its target.
//! 3. Within the bar, the bar of the entry included, a touched stop fills at the stop and a touched
//!    target fills at the target. If one bar touches both, the stop fills, since their order within
//!    the bar is unknown.
//! 4. At the close of the last bar, an open position is closed.
//!
//! The stop and the target apply from the entry on. A bar that closes a position does not open
//! another: the next entry needs a signal at that bar's close or a later one.

/// Prices of a period of a symbol's bars; all have one entry per bar.
#[derive(Clone, Copy, Debug)]
pub struct OhlcView<'a> {
    /// Opens.
    pub open: &'a [f64],
    /// Highs.
    pub high: &'a [f64],
    /// Lows.
    pub low: &'a [f64],
    /// Closes.
    pub close: &'a [f64],
}

/// Decisions at each close, one per bar.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Signals {
    /// Whether to enter at the next open.
    pub entry: Vec<bool>,
    /// Whether to leave at the next open; overrides an entry.
    pub exit: Vec<bool>,
}

/// Limits and costs of every position.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TradeSettings {
    /// Bars after which a position is closed, at least 1: entered at the open of t, it is left at
    /// the open of t + this.
    pub holding_bars: usize,
    /// Fall below the price of entry at which it is sold, in percent.
    pub stop_pct: Option<f64>,
    /// Rise above the price of entry at which it is sold, in percent.
    pub target_pct: Option<f64>,
    /// Cost of a fill as a fraction of the traded value.
    pub cost: f64,
}

/// The backtest of one symbol.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SymbolRun {
    /// Factor by which each bar multiplied the capital, marked at closes.
    pub growth: Vec<f64>,
    /// Whether a position outlasted each bar's open.
    pub is_held: Vec<bool>,
    /// Positions, oldest first.
    pub trips: Vec<RoundTrip>,
}

/// A position, opened and closed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RoundTrip {
    /// Bar at whose open it began, from the part's first.
    pub entry_bar: usize,
    /// Bar in which it ended.
    pub exit_bar: usize,
    /// Price paid, before costs.
    pub entry_price: f64,
    /// Price received, before costs.
    pub exit_price: f64,
    /// Why it ended.
    pub reason: ExitReason,
    /// Gain after costs, as a fraction of the price paid.
    pub gain: f64,
}

/// Why a position was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitReason {
    /// Enough exit rules held at a close.
    Rule,
    /// It was held as long as it may be.
    Time,
    /// The stop was reached.
    Stop,
    /// The target was reached.
    Target,
    /// The period ended.
    End,
}

impl ExitReason {
    /// The word in files.
    pub fn word(self) -> &'static str {
        match self {
            Self::Rule => "rule",
            Self::Time => "time",
            Self::Stop => "stop",
            Self::Target => "target",
            Self::End => "end",
        }
    }
}

/// Follows the signals over all bars with the whole capital, gains included.
///
/// Of a capital of 1 an entry puts 1 - cost into shares; of what they bring an exit leaves 1 -
/// cost.
pub fn run(prices: &OhlcView<'_>, signals: &Signals, settings: &TradeSettings) -> SymbolRun {
    let n_bars = prices.close.len();
    let keep = 1.0 - settings.cost;
    let mut run = SymbolRun { growth: vec![1.0; n_bars], is_held: vec![false; n_bars], trips: Vec::new() };
    let mut held: Option<Position> = None;
    for bar in 0..n_bars {
        let is_signalled = |side: &[bool]| bar > 0 && side[bar - 1];
        let exit_signalled = is_signalled(&signals.exit);
        if held.is_none() && is_signalled(&signals.entry) && !exit_signalled {
            held = Some(Position::entered(bar, prices.open[bar], settings));
            run.growth[bar] = keep;
        }
        let Some(position) = &mut held else { continue };
        let Some(exit) = position.exit(bar, prices, exit_signalled) else {
            run.growth[bar] *= prices.close[bar] / position.marked_at;
            run.is_held[bar] = true;
            position.marked_at = prices.close[bar];
            continue;
        };
        run.growth[bar] *= exit.price / position.marked_at * keep;
        run.is_held[bar] = !exit.is_at_open;
        run.trips.push(position.closed(bar, &exit, keep));
        held = None;
    }
    run
}

/// What each bar multiplies a capital by that buys at the first open and sells at the last close.
pub fn always_in(prices: &OhlcView<'_>, cost: f64) -> Vec<f64> {
    let mut growth = market(prices);
    for end in [0, growth.len().saturating_sub(1)] {
        if let Some(factor) = growth.get_mut(end) {
            *factor *= 1.0 - cost;
        }
    }
    growth
}

/// What each bar makes of 1 that is held: the first from its open on, each later one from the close
/// before.
pub fn market(prices: &OhlcView<'_>) -> Vec<f64> {
    let before = prices.open.first().into_iter().chain(prices.close);
    prices.close.iter().zip(before).map(|(close, before)| close / before).collect()
}

/// An open position.
#[derive(Clone, Copy)]
struct Position {
    entry_bar: usize,
    entry_price: f64,
    /// First bar at whose open it has been held as long as it may be.
    due_bar: usize,
    stop: f64,
    target: f64,
    /// Price up to which its worth is in the growth already.
    marked_at: f64,
}

/// The end of a position.
struct Exit {
    price: f64,
    reason: ExitReason,
    is_at_open: bool,
}

impl Position {
    fn entered(bar: usize, open: f64, settings: &TradeSettings) -> Self {
        Self {
            entry_bar: bar,
            entry_price: open,
            due_bar: bar.saturating_add(settings.holding_bars.max(1)),
            stop: settings.stop_pct.map_or(f64::NEG_INFINITY, |stop_pct| open * (1.0 - stop_pct / 100.0)),
            target: settings.target_pct.map_or(f64::INFINITY, |target_pct| open * (1.0 + target_pct / 100.0)),
            marked_at: open,
        }
    }

    fn exit(&self, bar: usize, prices: &OhlcView<'_>, exit_signalled: bool) -> Option<Exit> {
        let open = prices.open[bar];
        let at_open = |reason| Some(Exit { price: open, reason, is_at_open: true });
        let later = |price, reason| Some(Exit { price, reason, is_at_open: false });
        if exit_signalled {
            at_open(ExitReason::Rule)
        } else if bar >= self.due_bar {
            at_open(ExitReason::Time)
        } else if open <= self.stop {
            at_open(ExitReason::Stop)
        } else if open >= self.target {
            at_open(ExitReason::Target)
        } else if prices.low[bar] <= self.stop {
            later(self.stop, ExitReason::Stop)
        } else if prices.high[bar] >= self.target {
            later(self.target, ExitReason::Target)
        } else if bar + 1 == prices.close.len() {
            later(prices.close[bar], ExitReason::End)
        } else {
            None
        }
    }

    fn closed(&self, bar: usize, exit: &Exit, keep: f64) -> RoundTrip {
        RoundTrip {
            entry_bar: self.entry_bar,
            exit_bar: bar,
            entry_price: self.entry_price,
            exit_price: exit.price,
            reason: exit.reason,
            gain: keep * exit.price / self.entry_price * keep - 1.0,
        }
    }
}
