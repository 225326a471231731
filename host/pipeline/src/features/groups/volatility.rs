//! Volatility features: true ranges, bands and channels around the price, deviation of returns.

use crate::features::kind::{
    CHANGES, Computation, Defaults, FeatureKind, LONGEST_CHANGES, Shared, WINDOW, model, output,
};
use crate::features::ohlcv::OhlcvView;
use crate::features::window::{deviation, each_bar, ema, from_bar, highest, lowest, ratio, sma, sum, wilder, zip};

// Indices of the outputs of `BANDS`, `KELTNER` and `DONCHIAN`.
const UPPER: usize = 0;
const LOWER: usize = 1;
const POSITION: usize = 2;
const WIDTH: usize = 3;

static RANGES: Shared = Shared { compute: average_ranges };
static BANDS: Shared = Shared { compute: bands };
static KELTNER: Shared = Shared { compute: keltner };
static DONCHIAN: Shared = Shared { compute: donchian };

pub(in crate::features) static KINDS: &[FeatureKind] = &[
    output("ATR", &[14], "Wilder's average of the true range", CHANGES, Computation::Output(&RANGES, 0))
        .level(Some("NATR"))
        .defined("Wilder_n(max(high, close[1]) − min(low, close[1]))", "price"),
    output("NATR", &[14], "average true range relative to the close", CHANGES, Computation::Output(&RANGES, 1))
        .defined("100·ATR_n / close", "%"),
    model(
        "ATR_RATIO",
        &[5, 20],
        "short-term average true range relative to the long-term average true range",
        LONGEST_CHANGES,
        atr_ratio,
    )
    .fallback("1 if the long-term value is 0")
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
    output(
        "BB_PCT_B",
        &[20, 200],
        "position of the close between the bands",
        WINDOW,
        Computation::Output(&BANDS, POSITION),
    )
    .fallback("0.5 if the bands coincide")
    .shown(1)
    .in_hundredths(1)
    .defined("(close − BB_LOWER) / (BB_UPPER − BB_LOWER)", "share"),
    output("BB_WIDTH", &[20, 200], "distance between the bands", WINDOW, Computation::Output(&BANDS, WIDTH))
        .shown(1)
        .in_hundredths(1)
        .defined("100·(BB_UPPER − BB_LOWER) / SMA_n", "%"),
    model("BB_SQUEEZE", &[20], "whether Bollinger's bands are inside a Keltner channel", CHANGES, bb_squeeze)
        .fallback("0 if they touch it")
        .shown(0)
        .defined("1 if SMA_n ± 2·σ_n is within EMA_n ± 1.5·EMA_n(true range), else 0", "0 or 1"),
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
        "position of the close in the Keltner channel",
        CHANGES,
        Computation::Output(&KELTNER, POSITION),
    )
    .fallback("0.5 if the channel has no width")
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
        "position of the close in the range of n bars",
        WINDOW,
        Computation::Output(&DONCHIAN, POSITION),
    )
    .fallback("0.5 if the range is 0")
    .defined("(close − min_n(low)) / (max_n(high) − min_n(low))", "share"),
    model("HV", &[20], "standard deviation of log returns, scaled to a year of 252 bars", CHANGES, hv)
        .defined("100·√252·s_n(ln(close / close[1])), sample deviation", "% per year"),
    model(
        "PARKINSON",
        &[20],
        "standard deviation estimated from the bars' ranges, scaled to a year of 252 bars",
        WINDOW,
        parkinson,
    )
    .down_to_one()
    .defined("100·√(252 / (4·ln 2) · mean_n(ln(high / low)²))", "% per year"),
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

/// Number of daily bars per year, which scales a deviation to a year. It is used for all
/// timeframes.
const BARS_PER_YEAR: f64 = 252.0;
/// Smallest width of a channel, as a share of the close. A narrower channel is treated as one
/// without width.
const MIN_WIDTH: f64 = 1e-6;
/// Half of the width of the bands in `BB_SQUEEZE`, in standard deviations.
const SQUEEZE_DEVIATIONS: f64 = 2.0;
/// Half of the width of the channel in `BB_SQUEEZE`, in average true ranges.
const SQUEEZE_RANGES: f64 = 1.5;

/// Computes the average true range, in price and in percent of the close.
fn average_ranges(prices: &OhlcvView, p: &[usize]) -> Vec<Vec<f64>> {
    let atr = atr(prices, p[0]);
    let natr = zip(&atr, prices.close, |atr, close| 100.0 * atr / close);
    vec![atr, natr]
}

/// Computes Wilder's average true range, seeded by the mean of the first `n` ranges. Source:
/// TA-Lib's ATR.
fn atr(prices: &OhlcvView, n: usize) -> Vec<f64> {
    from_bar(1, &true_ranges(prices), |ranges| wilder(ranges, n))
}

/// Computes the true range of each bar; NaN for the first.
fn true_ranges(prices: &OhlcvView) -> Vec<f64> {
    each_bar(1, prices.close.len(), |bar| prices.true_range(bar))
}

fn atr_ratio(prices: &OhlcvView, p: &[usize]) -> Vec<f64> {
    let short = atr(prices, p[0]);
    let long = atr(prices, p[1]);
    each_bar(0, prices.close.len(), |bar| ratio(short[bar], long[bar], prices.close[bar], 1.0))
}

/// Computes Bollinger's bands, the position of the close between them, and their distance in
/// percent of their middle.
fn bands(prices: &OhlcvView, p: &[usize]) -> Vec<Vec<f64>> {
    let middle = sma(prices.close, p[0]);
    let half = widths(&deviation(prices.close, p[0], 0), p[1]);
    let mut outputs = around(prices, &middle, &half);
    outputs.push(zip(&half, &middle, |half, middle| 100.0 * 2.0 * half / middle));
    outputs
}

/// Computes the Keltner channel and the position of the close in it.
///
/// Source: Raschke's form, which uses the exponential average of the true range.
fn keltner(prices: &OhlcvView, p: &[usize]) -> Vec<Vec<f64>> {
    around(prices, &ema(prices.close, p[0]), &widths(&keltner_ranges(prices, p[0]), p[1]))
}

fn keltner_ranges(prices: &OhlcvView, n: usize) -> Vec<f64> {
    from_bar(1, &true_ranges(prices), |ranges| ema(ranges, n))
}

/// Multiplies each value by a number of hundredths.
fn widths(values: &[f64], hundredths: usize) -> Vec<f64> {
    values.iter().map(|value| hundredths as f64 / 100.0 * value).collect()
}

/// Computes the upper end and the lower end of a band around a middle, and the position of the
/// close between them.
///
/// * `half`: distance of each end from the middle.
fn around(prices: &OhlcvView, middle: &[f64], half: &[f64]) -> Vec<Vec<f64>> {
    let upper = zip(middle, half, |middle, half| middle + half);
    let lower = zip(middle, half, |middle, half| middle - half);
    let position = position(prices, &upper, &lower);
    vec![upper, lower, position]
}

/// Computes the position of the close between two ends: 0 at the lower one, 1 at the upper one.
fn position(prices: &OhlcvView, upper: &[f64], lower: &[f64]) -> Vec<f64> {
    let position = |bar: usize| {
        let close = prices.close[bar];
        let width = upper[bar] - lower[bar];
        // In a channel narrower than a millionth of the close, the position would depend on
        // rounding errors.
        if width < MIN_WIDTH * close { 0.5 } else { (close - lower[bar]) / width }
    };
    each_bar(0, prices.close.len(), position)
}

fn bb_squeeze(prices: &OhlcvView, p: &[usize]) -> Vec<f64> {
    let n = p[0];
    let simple = sma(prices.close, n);
    let deviation = deviation(prices.close, n, 0);
    let exponential = ema(prices.close, n);
    let range = keltner_ranges(prices, n);
    let squeezed = |bar: usize| {
        // The distance by which the channel extends beyond the bands, on the side where this
        // distance is smaller. `ratio` returns 1 for a positive distance, and 0 for one that is
        // negative or only rounding noise.
        let room =
            SQUEEZE_RANGES * range[bar] - SQUEEZE_DEVIATIONS * deviation[bar] - (simple[bar] - exponential[bar]).abs();
        ratio(room, room.max(0.0), prices.close[bar], 0.0)
    };
    each_bar(n, prices.close.len(), squeezed)
}

fn donchian(prices: &OhlcvView, p: &[usize]) -> Vec<Vec<f64>> {
    let upper = highest(prices.high, p[0]);
    let lower = lowest(prices.low, p[0]);
    let position = position(prices, &upper, &lower);
    vec![upper, lower, position]
}

fn hv(prices: &OhlcvView, p: &[usize]) -> Vec<f64> {
    historical(prices, p[0])
}

/// Computes the sample deviation of log returns over `n` bars, in percent per year.
pub(super) fn historical(prices: &OhlcvView, n: usize) -> Vec<f64> {
    let returns = each_bar(1, prices.close.len(), |bar| (prices.close[bar] / prices.close[bar - 1]).ln());
    let yearly = 100.0 * BARS_PER_YEAR.sqrt();
    from_bar(1, &returns, |returns| deviation(returns, n, 1).into_iter().map(|deviation| yearly * deviation).collect())
}

/// Computes the volatility from the ranges of the bars, in percent per year. Source: Parkinson
/// (1980).
fn parkinson(prices: &OhlcvView, p: &[usize]) -> Vec<f64> {
    let squares = zip(prices.high, prices.low, |high, low| (high / low).ln().powi(2));
    let share = BARS_PER_YEAR / (4.0 * std::f64::consts::LN_2 * p[0] as f64);
    sum(&squares, p[0]).into_iter().map(|sum| 100.0 * (share * sum).sqrt()).collect()
}
