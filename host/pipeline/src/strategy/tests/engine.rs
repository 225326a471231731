//! Compares the backtest engine with a table computed by hand, and with a second engine that works
//! trade by trade instead of bar by bar.

use proptest::prelude::*;

use super::super::backtest::*;

/// A bar: open, high, low, close.
type OhlcRow = [f64; 4];

/// The bars by column: opens, highs, lows, closes.
struct Columns([Vec<f64>; 4]);

impl Columns {
    fn from_rows(rows: &[OhlcRow]) -> Self {
        Self(std::array::from_fn(|column| rows.iter().map(|row| row[column]).collect()))
    }

    fn prices(&self) -> PeriodPrices<'_> {
        let [open, high, low, close] = &self.0;
        PeriodPrices { open, high, low, close }
    }
}

fn is_close(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-12 * a.abs().max(1.0)
}

/// Bars, signals and comments. `E` is an entry signal at the bar's close, `X` an exit signal. A
/// position lasts 3 bars at most, with a stop of 4 % and a target of 6 %. A fill costs 1 %, so
/// 0.99 · 0.99 = 0.9801 of the value remains after a round trip.
const TABLE: [(OhlcRow, &str, &str); 14] = [
    ([100.0, 101.0, 99.0, 100.0], "E", ""),
    ([100.0, 103.0, 99.0, 102.0], "E", "enters at 100; the signal at its close is ignored, since a position is held"),
    ([102.0, 104.0, 101.0, 103.0], "EX", ""),
    ([104.0, 105.0, 103.0, 104.0], "E", "exits at 104, since an exit signal overrides an entry signal"),
    ([100.0, 102.0, 98.0, 101.0], "", "enters at 100"),
    ([101.0, 107.0, 95.0, 100.0], "E", "touches stop 96 and target 106: exits at 96"),
    ([100.0, 103.0, 97.0, 102.0], "E", "enters at 100"),
    ([108.0, 109.0, 107.0, 108.0], "E", "opens beyond target 106: exits at 108"),
    ([100.0, 101.0, 99.0, 100.0], "", "enters at 100"),
    ([100.0, 102.0, 98.0, 101.0], "E", ""),
    ([101.0, 103.0, 99.0, 102.0], "E", ""),
    ([103.0, 104.0, 102.0, 103.0], "E", "held for 3 bars: exits at 103, and does not enter again in this bar"),
    ([100.0, 100.0, 95.0, 97.0], "E", "enters at 100 and exits at the stop 96"),
    ([100.0, 102.0, 99.0, 101.0], "E", "enters at 100 and exits at the last close 101"),
];

#[test]
fn the_engine_reproduces_a_table_computed_by_hand() {
    let columns = Columns::from_rows(&TABLE.map(|(row, ..)| row));
    let marked = |mark: char| TABLE.iter().map(|(_, signals, _)| signals.contains(mark)).collect();
    let signals = Signals { entry: marked('E'), exit: marked('X') };
    let settings = TradeSettings { holding_bars: 3, stop_pct: Some(4.0), target_pct: Some(6.0), cost: 0.01 };
    let run = run(&columns.prices(), &signals, &settings);

    let expected = [
        (1, 3, 104.0, ExitReason::Rule, 1.04 * 0.9801 - 1.0),
        (4, 5, 96.0, ExitReason::Stop, 0.96 * 0.9801 - 1.0),
        (6, 7, 108.0, ExitReason::Target, 1.08 * 0.9801 - 1.0),
        (8, 11, 103.0, ExitReason::Time, 1.03 * 0.9801 - 1.0),
        (12, 12, 96.0, ExitReason::Stop, 0.96 * 0.9801 - 1.0),
        (13, 13, 101.0, ExitReason::End, 1.01 * 0.9801 - 1.0),
    ];
    assert_eq!(run.trips.len(), expected.len(), "{:?}", run.trips);
    for (trip, (entry_bar, exit_bar, exit_price, reason, gain)) in run.trips.iter().zip(expected) {
        assert_eq!((trip.entry_bar, trip.exit_bar, trip.reason), (entry_bar, exit_bar, reason));
        assert!(
            trip.entry_price == 100.0 && is_close(trip.exit_price, exit_price) && is_close(trip.gain, gain),
            "{trip:?}"
        );
    }
    let growth = [
        1.0,
        0.99 * 102.0 / 100.0,
        103.0 / 102.0,
        104.0 / 103.0 * 0.99,
        0.99 * 101.0 / 100.0,
        96.0 / 101.0 * 0.99,
        0.99 * 102.0 / 100.0,
        108.0 / 102.0 * 0.99,
        0.99 * 100.0 / 100.0,
        101.0 / 100.0,
        102.0 / 101.0,
        103.0 / 102.0 * 0.99,
        0.99 * 96.0 / 100.0 * 0.99,
        0.99 * 101.0 / 100.0 * 0.99,
    ];
    assert!(run.growth.iter().zip(growth).all(|(&ours, by_hand)| is_close(ours, by_hand)), "{:?}", run.growth);
    let held = [0, 1, 1, 0, 1, 1, 1, 0, 1, 1, 1, 0, 1, 1].map(|held| held == 1);
    assert_eq!(run.is_held, held);
}

/// A round trip of the slow engine.
struct SlowTrip {
    trip: RoundTrip,
    /// Whether the position was closed at the open of its last bar.
    ends_at_open: bool,
}

/// Finds round trips one after the other; each ends with the earliest of all events that can close
/// it.
fn slow_trips(rows: &[OhlcRow], signals: &Signals, settings: &TradeSettings) -> Vec<SlowTrip> {
    let n_bars = rows.len();
    let mut trips = Vec::new();
    let mut first_close = 0;
    while let Some(close) = (first_close..n_bars.saturating_sub(1)).find(|&t| signals.entry[t] && !signals.exit[t]) {
        let entry_bar = close + 1;
        let entry_price = rows[entry_bar][0];
        let mut events: Vec<(usize, u8, f64, ExitReason)> = vec![(n_bars - 1, 6, rows[n_bars - 1][3], ExitReason::End)];
        if let Some(signalled) = (entry_bar..n_bars - 1).find(|&t| signals.exit[t]) {
            events.push((signalled + 1, 0, rows[signalled + 1][0], ExitReason::Rule));
        }
        if let Some(row) = rows.get(entry_bar + settings.holding_bars) {
            events.push((entry_bar + settings.holding_bars, 1, row[0], ExitReason::Time));
        }
        if let Some(stop) = settings.stop_pct.map(|pct| entry_price * (1.0 - pct / 100.0)) {
            let jumped = (entry_bar..n_bars).find(|&t| rows[t][0] <= stop);
            events.extend(jumped.map(|t| (t, 2, rows[t][0], ExitReason::Stop)));
            let touched = (entry_bar..n_bars).find(|&t| rows[t][2] <= stop);
            events.extend(touched.map(|t| (t, 4, stop, ExitReason::Stop)));
        }
        if let Some(target) = settings.target_pct.map(|pct| entry_price * (1.0 + pct / 100.0)) {
            let jumped = (entry_bar..n_bars).find(|&t| rows[t][0] >= target);
            events.extend(jumped.map(|t| (t, 3, rows[t][0], ExitReason::Target)));
            let touched = (entry_bar..n_bars).find(|&t| rows[t][1] >= target);
            events.extend(touched.map(|t| (t, 5, target, ExitReason::Target)));
        }
        let &(exit_bar, order, exit_price, reason) = events.iter().min_by_key(|event| (event.0, event.1)).unwrap();
        let gain = exit_price / entry_price * (1.0 - settings.cost).powi(2) - 1.0;
        let trip = RoundTrip { entry_bar, exit_bar, entry_price, exit_price, reason, gain };
        trips.push(SlowTrip { trip, ends_at_open: order < 4 });
        first_close = exit_bar;
    }
    trips
}

/// Computes the capital at each close from the round trips alone.
fn slow_capital(rows: &[OhlcRow], trips: &[SlowTrip], cost: f64) -> Vec<f64> {
    let trips = || trips.iter().map(|slow| &slow.trip);
    let at_close = |bar: usize| {
        let closed: f64 = trips().filter(|trip| trip.exit_bar <= bar).map(|trip| 1.0 + trip.gain).product();
        let open = trips().find(|trip| trip.entry_bar <= bar && bar < trip.exit_bar);
        closed * open.map_or(1.0, |trip| rows[bar][3] / trip.entry_price * (1.0 - cost))
    };
    (0..rows.len()).map(at_close).collect()
}

/// A bar with the signals at its close.
#[derive(Clone, Copy, Debug)]
struct SignalledBar {
    row: OhlcRow,
    entry: bool,
    exit: bool,
}

fn rows_of(bars: &[SignalledBar]) -> Vec<OhlcRow> {
    bars.iter().map(|bar| bar.row).collect()
}

fn signals_of(bars: &[SignalledBar]) -> Signals {
    Signals { entry: bars.iter().map(|bar| bar.entry).collect(), exit: bars.iter().map(|bar| bar.exit).collect() }
}

/// Draws whole prices, so that opens, stops and targets are often exactly equal; most bars open
/// with a gap.
fn any_bar() -> impl Strategy<Value = SignalledBar> {
    let price = 90..=110_i32;
    let wick = 0..=6_i32;
    (price.clone(), price, wick.clone(), wick, proptest::bool::weighted(0.4), proptest::bool::weighted(0.15)).prop_map(
        |(open, close, up, down, entry, exit)| {
            let row = [open, open.max(close) + up, open.min(close) - down, close].map(f64::from);
            SignalledBar { row, entry, exit }
        },
    )
}

fn any_settings() -> impl Strategy<Value = TradeSettings> {
    let level = || prop_oneof![Just(None), prop_oneof![Just(1.0), Just(5.0), Just(10.0)].prop_map(Some)];
    (1..=6_usize, level(), level(), prop_oneof![Just(0.0), Just(0.001)]).prop_map(
        |(holding_bars, stop_pct, target_pct, cost)| TradeSettings { holding_bars, stop_pct, target_pct, cost },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn the_engine_equals_a_slow_engine_that_works_trade_by_trade(bars in prop::collection::vec(any_bar(), 0..60), settings in any_settings()) {
        let rows = rows_of(&bars);
        let signals = signals_of(&bars);
        let columns = Columns::from_rows(&rows);
        let run = run(&columns.prices(), &signals, &settings);
        let slow = slow_trips(&rows, &signals, &settings);
        prop_assert_eq!(run.trips.len(), slow.len());
        for (ours, theirs) in run.trips.iter().zip(slow.iter().map(|slow| &slow.trip)) {
            prop_assert!(is_close(ours.gain, theirs.gain), "{:?} {:?}", ours, theirs);
            prop_assert_eq!(RoundTrip { gain: 0.0, ..*ours }, RoundTrip { gain: 0.0, ..*theirs });
        }
        let mut capital = 1.0;
        for (growth, slow_capital) in run.growth.iter().zip(slow_capital(&rows, &slow, settings.cost)) {
            capital *= growth;
            prop_assert!(is_close(capital, slow_capital), "{} {}", capital, slow_capital);
        }
        for (bar, &is_held) in run.is_held.iter().enumerate() {
            let lasts = |SlowTrip { trip, ends_at_open }: &SlowTrip| {
                trip.entry_bar <= bar && (bar < trip.exit_bar || (bar == trip.exit_bar && !ends_at_open))
            };
            prop_assert_eq!(is_held, slow.iter().any(lasts), "bar {}", bar);
        }
    }

    #[test]
    fn a_bar_does_not_depend_on_later_bars(
        bars in prop::collection::vec(any_bar(), 3..40),
        others in prop::collection::vec(any_bar(), 40),
        settings in any_settings(),
        share in 0.0..1.0_f64,
    ) {
        // The last two bars are never compared, because every position is closed in the last bar.
        let first_changed = 1 + (share * (bars.len() - 2) as f64) as usize;
        let mut changed = bars.clone();
        changed[first_changed..].copy_from_slice(&others[..bars.len() - first_changed]);
        // The signal at the close of the bar before acts in the first changed bar, so that signal
        // may change too.
        changed[first_changed - 1].entry = others[0].entry;
        changed[first_changed - 1].exit = others[0].exit;
        let [ours, theirs] = [&bars, &changed].map(|bars| {
            run(&Columns::from_rows(&rows_of(bars)).prices(), &signals_of(bars), &settings)
        });
        prop_assert_eq!(&ours.growth[..first_changed], &theirs.growth[..first_changed]);
        prop_assert_eq!(&ours.is_held[..first_changed], &theirs.is_held[..first_changed]);
    }
}

#[test]
fn always_in_equals_the_market_minus_the_cost_of_two_fills() {
    let columns = Columns::from_rows(&TABLE.map(|(row, ..)| row));
    let product = |growth: Vec<f64>| growth.into_iter().product::<f64>();
    let market_growth = product(market(&columns.prices()));
    assert!(is_close(market_growth, 101.0 / 100.0));
    assert!(is_close(product(always_in(&columns.prices(), 0.01)), market_growth * 0.9801));
    let one_bar = Columns::from_rows(&[[100.0, 110.0, 90.0, 105.0]]);
    assert!(is_close(product(always_in(&one_bar.prices(), 0.01)), 1.05 * 0.9801));
    assert!(always_in(&Columns::from_rows(&[]).prices(), 0.01).is_empty());
}
