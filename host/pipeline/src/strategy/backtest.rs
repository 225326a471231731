//! The backtest of one symbol, bar by bar: signals at a close act at the next open.
//!
//! In: bars, signals, and trade settings. Out: round trips, and the growth of the capital per bar.
//! Invariant: bar t's growth depends on bars up to t and on signals up to t - 1.
//!
//! The steps of a bar, in this order:
//! 1. At the open, a position is opened if none is held and the previous close signalled an entry
//!    but not an exit.
//! 2. At the open, a position is closed if the previous close signalled an exit, or if the maximum
//!    number of bars is reached. It is also closed if the open is at or beyond its stop or its
//!    target.
//! 3. Within the bar, a touched stop or target fills at its own price, also in the bar of the
//!    entry. If one bar touches both, the stop fills, since their order within the bar is unknown.
//! 4. At the close of the last bar, an open position is closed.
//!
//! The stop and the target apply from the entry on. A bar that closes a position does not open
//! another: the next entry needs a signal at that bar's close or a later one.

/// Prices of a symbol in a period, one entry per bar.
#[derive(Clone, Copy, Debug)]
pub struct PeriodPrices<'a> {
    /// Open prices.
    pub open: &'a [f64],
    /// High prices.
    pub high: &'a [f64],
    /// Low prices.
    pub low: &'a [f64],
    /// Close prices.
    pub close: &'a [f64],
}

/// Decisions at each close, one per bar.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Signals {
    /// Whether to enter at the next open.
    pub entry: Vec<bool>,
    /// Whether to exit at the next open; an exit signal overrides an entry signal.
    pub exit: Vec<bool>,
}

/// Limits and costs of every position.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TradeSettings {
    /// Number of bars after which a position is closed, at least 1: a position entered at the open
    /// of bar t is closed at the open of bar t + `holding_bars`.
    pub holding_bars: usize,
    /// Fall below the entry price, in percent, at which a position is sold.
    pub stop_pct: Option<f64>,
    /// Rise above the entry price, in percent, at which a position is sold.
    pub target_pct: Option<f64>,
    /// Cost of a fill as a fraction of the traded value.
    pub cost: f64,
}

/// The backtest of one symbol.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SymbolRun {
    /// Factor by which each bar multiplied the capital; an open position is valued at the close.
    pub growth: Vec<f64>,
    /// Whether a position was still held after each bar's open.
    pub is_held: Vec<bool>,
    /// Round trips, oldest first.
    pub trips: Vec<RoundTrip>,
}

/// A position that was opened and closed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RoundTrip {
    /// Bar at whose open the position was opened, counted from the first bar of the period.
    pub entry_bar: usize,
    /// Bar in which the position was closed.
    pub exit_bar: usize,
    /// Price paid, before costs.
    pub entry_price: f64,
    /// Price received, before costs.
    pub exit_price: f64,
    /// Reason of the exit.
    pub reason: ExitReason,
    /// Gain after costs, as a fraction of the price paid.
    pub gain: f64,
}

/// The reason why a position was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitReason {
    /// Enough exit rules held at a close.
    Rule,
    /// The maximum number of bars was reached.
    Time,
    /// The stop was reached.
    Stop,
    /// The target was reached.
    Target,
    /// The period was over.
    End,
}

impl ExitReason {
    /// Returns the name that the files of the artifacts use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rule => "rule",
            Self::Time => "time",
            Self::Stop => "stop",
            Self::Target => "target",
            Self::End => "end",
        }
    }
}

/// Follows the signals over all bars. Each entry invests the whole capital, including earlier
/// gains.
///
/// An entry converts the share `1 - cost` of the capital into stock. At an exit, the share
/// `1 - cost` of the stock's value is converted back into capital.
pub fn run(prices: &PeriodPrices<'_>, signals: &Signals, settings: &TradeSettings) -> SymbolRun {
    let n_bars = prices.close.len();
    let after_cost = 1.0 - settings.cost;
    let mut run = SymbolRun { growth: vec![1.0; n_bars], is_held: vec![false; n_bars], trips: Vec::new() };
    let mut held: Option<Position> = None;
    for bar in 0..n_bars {
        // The first bar of a period has no earlier close within the period, so it cannot follow a
        // signal.
        let is_signalled = |side: &[bool]| bar > 0 && side[bar - 1];
        let exit_signalled = is_signalled(&signals.exit);
        if held.is_none() && is_signalled(&signals.entry) && !exit_signalled {
            held = Some(Position::entered(bar, prices.open[bar], settings));
            run.growth[bar] = after_cost;
        }
        // An entry falls through to here: its stop and target apply from the bar of the entry on.
        let Some(position) = &mut held else { continue };
        let Some(exit) = position.exit(bar, prices, exit_signalled) else {
            run.growth[bar] *= prices.close[bar] / position.marked_at;
            run.is_held[bar] = true;
            // The next bar counts its return from here, so that no gain is counted twice.
            position.marked_at = prices.close[bar];
            continue;
        };
        run.growth[bar] *= exit.price / position.marked_at * after_cost;
        // A position that is closed at the open is not exposed to the bar.
        run.is_held[bar] = !exit.is_at_open;
        run.trips.push(position.closed(bar, &exit, after_cost));
        held = None;
    }
    run
}

/// Returns the growth per bar of a capital that buys at the first open and sells at the last close.
pub fn always_in(prices: &PeriodPrices<'_>, cost: f64) -> Vec<f64> {
    let mut growth = market(prices);
    // With a single bar, both fills are in that bar.
    for end in [0, growth.len().saturating_sub(1)] {
        if let Some(factor) = growth.get_mut(end) {
            *factor *= 1.0 - cost;
        }
    }
    growth
}

/// Returns the growth per bar of stock that is held all the time: the first bar counts from its
/// open, each later bar from the previous close.
pub fn market(prices: &PeriodPrices<'_>) -> Vec<f64> {
    let before = prices.open.first().into_iter().chain(prices.close);
    prices.close.iter().zip(before).map(|(close, before)| close / before).collect()
}

/// An open position.
#[derive(Clone, Copy)]
struct Position {
    entry_bar: usize,
    entry_price: f64,
    /// First bar at whose open the maximum holding period is over.
    due_bar: usize,
    stop: f64,
    target: f64,
    /// Price at which the position was last valued; the growth includes all gains up to it.
    marked_at: f64,
}

/// The exit from a position.
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
            // A holding period of `usize::MAX` means no limit.
            due_bar: bar.saturating_add(settings.holding_bars.max(1)),
            // A price never reaches an infinite stop or target.
            stop: settings.stop_pct.map_or(f64::NEG_INFINITY, |stop_pct| open * (1.0 - stop_pct / 100.0)),
            target: settings.target_pct.map_or(f64::INFINITY, |target_pct| open * (1.0 + target_pct / 100.0)),
            marked_at: open,
        }
    }

    /// Returns the exit in a bar, if there is one. The order of the branches is the order of
    /// events: a signal and the maximum holding period act at the open, before any price within the
    /// bar. If the open is beyond the stop or the target, the position is closed at the open: the
    /// price of the stop or target itself was not traded.
    fn exit(&self, bar: usize, prices: &PeriodPrices<'_>, exit_signalled: bool) -> Option<Exit> {
        let open = prices.open[bar];
        let at_open = |reason| Some(Exit { price: open, reason, is_at_open: true });
        let within_bar = |price, reason| Some(Exit { price, reason, is_at_open: false });
        if exit_signalled {
            at_open(ExitReason::Rule)
        } else if bar >= self.due_bar {
            at_open(ExitReason::Time)
        } else if open <= self.stop {
            at_open(ExitReason::Stop)
        } else if open >= self.target {
            at_open(ExitReason::Target)
        } else if prices.low[bar] <= self.stop {
            within_bar(self.stop, ExitReason::Stop)
        } else if prices.high[bar] >= self.target {
            within_bar(self.target, ExitReason::Target)
        } else if bar + 1 == prices.close.len() {
            within_bar(prices.close[bar], ExitReason::End)
        } else {
            None
        }
    }

    fn closed(&self, bar: usize, exit: &Exit, after_cost: f64) -> RoundTrip {
        RoundTrip {
            entry_bar: self.entry_bar,
            exit_bar: bar,
            entry_price: self.entry_price,
            exit_price: exit.price,
            reason: exit.reason,
            gain: after_cost * exit.price / self.entry_price * after_cost - 1.0,
        }
    }
}
