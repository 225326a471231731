//! Price features: prices, returns, the shape of a bar, and the position of the close relative to
//! earlier bars.

use crate::features::kind::{CHANGES, Computation, Defaults, FeatureKind, NONE, ONE, Shared, WINDOW, model, output};
use crate::features::ohlcv::OhlcvView;
use crate::features::window::{deviation, direction, each_bar, highest, lowest, percent, percent_above, ratio, sma};

static SHAPE: Shared = Shared { compute: shape };

pub(in crate::features) static KINDS: &[FeatureKind] = &[
    model("RET", &[1], "return over n bars", CHANGES, ret).down_to_one().defined("100·(close / close[n] − 1)", "%"),
    model("GAP_PCT", &[], "distance of the open from the previous close", ONE, gap_pct)
        .defined("100·(open / close[1] − 1)", "%"),
    output("BODY_PCT", &[], "distance of the close from the open", NONE, Computation::Output(&SHAPE, 0))
        .defined("100·(close / open − 1)", "%"),
    output("UPPER_WICK", &[], "share of the bar above its body", NONE, Computation::Output(&SHAPE, 1))
        .fallback("0 if the range is 0")
        .defined("(high − max(open, close)) / (high − low)", "share"),
    output("LOWER_WICK", &[], "share of the bar below its body", NONE, Computation::Output(&SHAPE, 2))
        .fallback("0 if the range is 0")
        .defined("(min(open, close) − low) / (high − low)", "share"),
    output("CLOSE_LOC", &[], "position of the close in its bar", NONE, Computation::Output(&SHAPE, 3))
        .fallback("0.5 if the range is 0")
        .defined("(close − low) / (high − low)", "share"),
    model("DIST_HIGH", &[20], "distance of the close from the highest high of n bars", WINDOW, dist_high)
        .down_to_one()
        .defined("100·(close / max_n(high) − 1)", "%"),
    model("DIST_LOW", &[20], "distance of the close from the lowest low of n bars", WINDOW, dist_low)
        .down_to_one()
        .defined("100·(close / min_n(low) − 1)", "%"),
    model("ZSCORE", &[20], "distance of the close from its mean, measured in standard deviations", WINDOW, zscore)
        .fallback("0 if the deviation is 0")
        .defined("(close − SMA_n) / s_n(close), sample deviation; a linear function of BB_PCT_B_n", "deviations")
        // ZSCORE is a linear function of BB_PCT_B, so models receive BB_PCT_B instead. Two
        // equivalent columns in a model would share their importance.
        .level(Some("BB_PCT_B")),
    model(
        "CONSEC_UP",
        &[20],
        "number of consecutive rises of the close, or of falls as a negative number",
        CHANGES,
        consec_up,
    )
    .fallback("0 if the close did not change")
    .shown(0)
    .down_to_one()
    .defined("length of the latest run of changes with one sign, at most n, times that sign", "bars"),
    model("INSIDE_BAR", &[], "whether the bar is within the previous bar", ONE, inside_bar)
        .defined("1 if high ≤ high[1] and low ≥ low[1], else 0", "0 or 1"),
    model("OPEN", &[], "first price", NONE, open).level(None).defined("open", "price"),
    model("HIGH", &[], "highest price", NONE, high).level(None).defined("high", "price"),
    model("LOW", &[], "lowest price", NONE, low).level(None).defined("low", "price"),
    model("CLOSE", &[], "last price", NONE, close).level(None).defined("close", "price"),
    model("VOLUME", &[], "shares traded", NONE, volume).level(Some("VOLUME_RATIO")).defined("volume", "shares"),
];

pub(in crate::features) static DEFAULTS: Defaults = &[
    ("RET", &[1]),
    ("RET", &[2]),
    ("RET", &[3]),
    ("RET", &[5]),
    ("RET", &[10]),
    ("RET", &[20]),
    ("RET", &[60]),
    ("GAP_PCT", &[]),
    ("BODY_PCT", &[]),
    ("UPPER_WICK", &[]),
    ("LOWER_WICK", &[]),
    ("CLOSE_LOC", &[]),
    ("DIST_HIGH", &[20]),
    ("DIST_HIGH", &[252]),
    ("DIST_LOW", &[20]),
    ("DIST_LOW", &[252]),
    ("ZSCORE", &[20]),
    ("CONSEC_UP", &[]),
    ("INSIDE_BAR", &[]),
];

fn open(prices: &OhlcvView, _: &[usize]) -> Vec<f64> {
    prices.open.to_vec()
}

fn high(prices: &OhlcvView, _: &[usize]) -> Vec<f64> {
    prices.high.to_vec()
}

fn low(prices: &OhlcvView, _: &[usize]) -> Vec<f64> {
    prices.low.to_vec()
}

fn close(prices: &OhlcvView, _: &[usize]) -> Vec<f64> {
    prices.close.to_vec()
}

fn volume(prices: &OhlcvView, _: &[usize]) -> Vec<f64> {
    prices.volume.to_vec()
}

/// Computes the return over `n` bars in percent. Source: TA-Lib's ROC.
fn ret(prices: &OhlcvView, p: &[usize]) -> Vec<f64> {
    let close = prices.close;
    each_bar(p[0], close.len(), |bar| percent(close[bar], close[bar - p[0]]))
}

fn gap_pct(prices: &OhlcvView, _: &[usize]) -> Vec<f64> {
    each_bar(1, prices.close.len(), |bar| percent(prices.open[bar], prices.close[bar - 1]))
}

/// Computes the body, the upper wick, the lower wick, and the position of the close in the bar.
fn shape(prices: &OhlcvView, _: &[usize]) -> Vec<Vec<f64>> {
    let share = |part: fn([f64; 4]) -> f64, without_range: f64| {
        let share = |bar: usize| {
            let bar = [prices.open[bar], prices.high[bar], prices.low[bar], prices.close[bar]];
            let [_, high, low, close] = bar;
            ratio(part(bar), high - low, close, without_range)
        };
        each_bar(0, prices.close.len(), share)
    };
    vec![
        percent_above(prices.close, prices.open),
        share(|[open, high, _, close]| high - open.max(close), 0.0),
        share(|[open, _, low, close]| open.min(close) - low, 0.0),
        share(|[_, _, low, close]| close - low, 0.5),
    ]
}

fn dist_high(prices: &OhlcvView, p: &[usize]) -> Vec<f64> {
    percent_above(prices.close, &highest(prices.high, p[0]))
}

fn dist_low(prices: &OhlcvView, p: &[usize]) -> Vec<f64> {
    percent_above(prices.close, &lowest(prices.low, p[0]))
}

fn zscore(prices: &OhlcvView, p: &[usize]) -> Vec<f64> {
    let mean = sma(prices.close, p[0]);
    let deviation = deviation(prices.close, p[0], 1);
    let z = |bar: usize| {
        let close = prices.close[bar];
        ratio(close - mean[bar], deviation[bar], close, 0.0)
    };
    each_bar(0, prices.close.len(), z)
}

/// Counts consecutive rises of the close, up to `n`. Without the limit `n`, a value could depend on
/// the first bar of the series.
fn consec_up(prices: &OhlcvView, p: &[usize]) -> Vec<f64> {
    let n = p[0];
    let max = n as f64;
    let mut run = 0.0;
    let runs = each_bar(1, prices.close.len(), |bar| {
        let sign = direction(prices.close[bar - 1], prices.close[bar]);
        run = if sign * run > 0.0 { run + sign } else { sign };
        f64::clamp(run, -max, max)
    });
    each_bar(n, runs.len(), |bar| runs[bar])
}

fn inside_bar(prices: &OhlcvView, _: &[usize]) -> Vec<f64> {
    let inside = |bar: usize| {
        let higher = direction(prices.high[bar - 1], prices.high[bar]) > 0.0;
        let lower = direction(prices.low[bar - 1], prices.low[bar]) < 0.0;
        f64::from(!higher && !lower)
    };
    each_bar(1, prices.close.len(), inside)
}
