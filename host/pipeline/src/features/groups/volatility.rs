//! How far prices swing: true ranges, bands and channels around the price, deviation of returns.

use crate::features::kind::{CHANGES, Computation, Defaults, Kind, LONGEST_CHANGES, Shared, WINDOW, model, output};
use crate::features::prices::Prices;
use crate::features::window::{deviation, each_bar, ema, from, highest, lowest, ratio, sma, sum, wilder, zip};

/// The outputs of [`BANDS`], [`KELTNER`] and [`DONCHIAN`].
const UPPER: usize = 0;
const LOWER: usize = 1;
const PLACE: usize = 2;
const WIDTH: usize = 3;

static RANGES: Shared = Shared { compute: average_ranges };
static BANDS: Shared = Shared { compute: bands };
static KELTNER: Shared = Shared { compute: keltner };
static DONCHIAN: Shared = Shared { compute: donchian };

pub(in crate::features) static KINDS: &[Kind] = &[
    output("ATR", &[14], "Wilder's average of the true range", CHANGES, Computation::Output(&RANGES, 0))
        .level(Some("NATR"))
        .defined("Wilder_n(max(high, close[1]) − min(low, close[1]))", "price"),
    output("NATR", &[14], "the same beside the close", CHANGES, Computation::Output(&RANGES, 1))
        .defined("100·ATR_n / close", "%"),
    model("ATR_RATIO", &[5, 20], "a short average range beside a long one", LONGEST_CHANGES, atr_ratio)
        .without("1 without any")
        .defined("ATR_n / ATR_m", "ratio"),
    output("BB_UPPER", &[20, 200], "Bollinger's upper band", WINDOW, Computation::Output(&BANDS, UPPER))
        .shown(1)
        .in_hundredths(1)
        .level(Some("BB_PCT_B"))
        .defined("SMA_n + m·σ_n(close), population deviation", "price"),
    output("BB_LOWER", &[20, 200], "Bollinger's lower band", WINDOW, Computation::Output(&BANDS, LOWER))
        .shown(1)
        .in_hundredths(1)
        .level(Some("BB_PCT_B"))
        .defined("SMA_n − m·σ_n(close), population deviation", "price"),
    output("BB_PCT_B", &[20, 200], "place of the close between the bands", WINDOW, Computation::Output(&BANDS, PLACE))
        .without("0.5 where they touch")
        .shown(1)
        .in_hundredths(1)
        .defined("(close − BB_LOWER) / (BB_UPPER − BB_LOWER)", "share"),
    output("BB_WIDTH", &[20, 200], "distance of the bands", WINDOW, Computation::Output(&BANDS, WIDTH))
        .shown(1)
        .in_hundredths(1)
        .defined("100·(BB_UPPER − BB_LOWER) / SMA_n", "%"),
    model("BB_SQUEEZE", &[20], "whether Bollinger's bands lie inside a Keltner channel", CHANGES, bb_squeeze)
        .without("0 where they touch it")
        .shown(0)
        .defined("1 where SMA_n ± 2·σ_n lies within EMA_n ± 1.5·EMA_n(true range), else 0", "0 or 1"),
    output(
        "KELTNER_UPPER",
        &[20, 200],
        "upper end of the Keltner channel",
        CHANGES,
        Computation::Output(&KELTNER, UPPER),
    )
    .shown(1)
    .in_hundredths(1)
    .level(Some("KELTNER_POS"))
    .defined("EMA_n + m·EMA_n(true range)", "price"),
    output(
        "KELTNER_LOWER",
        &[20, 200],
        "lower end of the Keltner channel",
        CHANGES,
        Computation::Output(&KELTNER, LOWER),
    )
    .shown(1)
    .in_hundredths(1)
    .level(Some("KELTNER_POS"))
    .defined("EMA_n − m·EMA_n(true range)", "price"),
    output(
        "KELTNER_POS",
        &[20, 200],
        "place of the close in the Keltner channel",
        CHANGES,
        Computation::Output(&KELTNER, PLACE),
    )
    .without("0.5 where it has no width")
    .shown(1)
    .in_hundredths(1)
    .defined("(close − KELTNER_LOWER) / (KELTNER_UPPER − KELTNER_LOWER)", "share"),
    output("DONCHIAN_UPPER", &[20], "highest high of n bars", WINDOW, Computation::Output(&DONCHIAN, UPPER))
        .level(Some("DONCHIAN_POS"))
        .defined("max_n(high)", "price"),
    output("DONCHIAN_LOWER", &[20], "lowest low of n bars", WINDOW, Computation::Output(&DONCHIAN, LOWER))
        .level(Some("DONCHIAN_POS"))
        .defined("min_n(low)", "price"),
    output(
        "DONCHIAN_POS",
        &[20],
        "place of the close in the range of n bars",
        WINDOW,
        Computation::Output(&DONCHIAN, PLACE),
    )
    .without("0.5 without a range")
    .defined("(close − min_n(low)) / (max_n(high) − min_n(low))", "share"),
    model("HV", &[20], "deviation of log returns, stated for a year of 252 bars", CHANGES, hv)
        .defined("100·√252·s_n(ln(close / close[1])), sample deviation", "% a year"),
    model("PARKINSON", &[20], "deviation that the bars' ranges tell, stated for a year of 252 bars", WINDOW, parkinson)
        .down_to_one()
        .defined("100·√(252 / (4·ln 2) · mean_n(ln(high / low)²))", "% a year"),
];

pub(in crate::features) static DEFAULTS: Defaults = &[
    ("ATR", &[14]),
    ("NATR", &[14]),
    ("ATR_RATIO", &[5, 20]),
    ("BB_UPPER", &[]),
    ("BB_LOWER", &[]),
    ("BB_PCT_B", &[]),
    ("BB_WIDTH", &[]),
    ("BB_SQUEEZE", &[]),
    ("KELTNER_POS", &[]),
    ("DONCHIAN_POS", &[]),
    ("HV", &[10]),
    ("HV", &[20]),
    ("HV", &[60]),
    ("PARKINSON", &[20]),
];

/// Bars a year, to state a daily deviation as a yearly one; other timeframes are scaled alike.
const BARS_A_YEAR: f64 = 252.0;
/// Share of the close below which a channel has no width.
const LEAST_WIDTH: f64 = 1e-6;
/// Half width of a squeeze's bands, in deviations.
const SQUEEZE_DEVIATIONS: f64 = 2.0;
/// Half width of a squeeze's channel, in average ranges.
const SQUEEZE_RANGES: f64 = 1.5;

/// The average true range, in price and in percent of the close.
fn average_ranges(prices: &Prices, p: &[usize]) -> Vec<Vec<f64>> {
    let atr = atr(prices, p[0]);
    let natr = zip(&atr, prices.close, |atr, close| 100.0 * atr / close);
    vec![atr, natr]
}

/// Wilder's average true range, seeded by the mean of the first `n`. Source: TA-Lib's ATR.
fn atr(prices: &Prices, n: usize) -> Vec<f64> {
    from(1, &true_ranges(prices), |ranges| wilder(ranges, n))
}

/// The true range of each bar, undefined for the first.
fn true_ranges(prices: &Prices) -> Vec<f64> {
    each_bar(1, prices.close.len(), |bar| prices.true_range(bar))
}

fn atr_ratio(prices: &Prices, p: &[usize]) -> Vec<f64> {
    let short = atr(prices, p[0]);
    let long = atr(prices, p[1]);
    each_bar(0, prices.close.len(), |bar| ratio(short[bar], long[bar], prices.close[bar], 1.0))
}

/// Bollinger's bands, the close's place between them, 0 at the lower one, and their distance in percent of the middle.
fn bands(prices: &Prices, p: &[usize]) -> Vec<Vec<f64>> {
    let middle = sma(prices.close, p[0]);
    let half = widths(&deviation(prices.close, p[0], 0), p[1]);
    let mut outputs = around(prices, &middle, &half);
    outputs.push(zip(&half, &middle, |half, middle| 100.0 * 2.0 * half / middle));
    outputs
}

/// The Keltner channel and the close's place in it. Source: Raschke's form, with the exponential average of the range.
fn keltner(prices: &Prices, p: &[usize]) -> Vec<Vec<f64>> {
    around(prices, &ema(prices.close, p[0]), &widths(&keltner_ranges(prices, p[0]), p[1]))
}

fn keltner_ranges(prices: &Prices, n: usize) -> Vec<f64> {
    from(1, &true_ranges(prices), |ranges| ema(ranges, n))
}

/// Multiplies each value by a number of hundredths.
fn widths(values: &[f64], hundredths: usize) -> Vec<f64> {
    values.iter().map(|value| hundredths as f64 / 100.0 * value).collect()
}

/// Returns the upper end, the lower end, and the close's place between them, of a band around a middle.
///
/// * `half`: distance of each end from the middle.
fn around(prices: &Prices, middle: &[f64], half: &[f64]) -> Vec<Vec<f64>> {
    let upper = zip(middle, half, |middle, half| middle + half);
    let lower = zip(middle, half, |middle, half| middle - half);
    let place = place(prices, &upper, &lower);
    vec![upper, lower, place]
}

/// Returns the close's place between two ends, 0 at the lower one, 1 at the upper; 0.5 where they are closer than a
/// millionth of the close, since rounding is not small relative to such a width.
fn place(prices: &Prices, upper: &[f64], lower: &[f64]) -> Vec<f64> {
    let place = |bar: usize| {
        let close = prices.close[bar];
        let width = upper[bar] - lower[bar];
        if width < LEAST_WIDTH * close { 0.5 } else { (close - lower[bar]) / width }
    };
    each_bar(0, prices.close.len(), place)
}

fn bb_squeeze(prices: &Prices, p: &[usize]) -> Vec<f64> {
    let n = p[0];
    let simple = sma(prices.close, n);
    let deviation = deviation(prices.close, n, 0);
    let exponential = ema(prices.close, n);
    let range = keltner_ranges(prices, n);
    let squeezed = |bar: usize| {
        // What the channel is wider by on the side where it is least so; of nothing but rounding, it is none.
        let room =
            SQUEEZE_RANGES * range[bar] - SQUEEZE_DEVIATIONS * deviation[bar] - (simple[bar] - exponential[bar]).abs();
        ratio(room, room.max(0.0), prices.close[bar], 0.0)
    };
    each_bar(n, prices.close.len(), squeezed)
}

fn donchian(prices: &Prices, p: &[usize]) -> Vec<Vec<f64>> {
    let upper = highest(prices.high, p[0]);
    let lower = lowest(prices.low, p[0]);
    let place = place(prices, &upper, &lower);
    vec![upper, lower, place]
}

fn hv(prices: &Prices, p: &[usize]) -> Vec<f64> {
    historical(prices, p[0])
}

/// Sample deviation of log returns over `n` bars, in percent a year.
pub(super) fn historical(prices: &Prices, n: usize) -> Vec<f64> {
    let returns = each_bar(1, prices.close.len(), |bar| (prices.close[bar] / prices.close[bar - 1]).ln());
    let yearly = 100.0 * BARS_A_YEAR.sqrt();
    from(1, &returns, |returns| deviation(returns, n, 1).into_iter().map(|deviation| yearly * deviation).collect())
}

/// Source: Parkinson (1980).
fn parkinson(prices: &Prices, p: &[usize]) -> Vec<f64> {
    let squares = zip(prices.high, prices.low, |high, low| (high / low).ln().powi(2));
    let share = BARS_A_YEAR / (4.0 * std::f64::consts::LN_2 * p[0] as f64);
    sum(&squares, p[0]).into_iter().map(|sum| 100.0 * (share * sum).sqrt()).collect()
}
