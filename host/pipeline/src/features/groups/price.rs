//! The bars themselves: prices, returns, the shape of a bar, and the close's place among earlier bars.

use crate::features::kind::{CHANGES, Computation, Defaults, Kind, NONE, ONE, Shared, WINDOW, model, output};
use crate::features::prices::Prices;
use crate::features::window::{deviation, direction, each_bar, highest, lowest, percent, percent_above, ratio, sma};

static SHAPE: Shared = Shared { compute: shape };

pub(in crate::features) static KINDS: &[Kind] = &[
    model("RET", &[1], "return over n bars", CHANGES, ret).down_to_one().defined("100·(close / close[n] − 1)", "%"),
    model("GAP_PCT", &[], "open above the close before", ONE, gap_pct).defined("100·(open / close[1] − 1)", "%"),
    output("BODY_PCT", &[], "close above the open", NONE, Computation::Output(&SHAPE, 0))
        .defined("100·(close / open − 1)", "%"),
    output("UPPER_WICK", &[], "share of the bar above its body", NONE, Computation::Output(&SHAPE, 1))
        .without("0 without a range")
        .defined("(high − max(open, close)) / (high − low)", "share"),
    output("LOWER_WICK", &[], "share of the bar below its body", NONE, Computation::Output(&SHAPE, 2))
        .without("0 without a range")
        .defined("(min(open, close) − low) / (high − low)", "share"),
    output("CLOSE_LOC", &[], "place of the close in its bar", NONE, Computation::Output(&SHAPE, 3))
        .without("0.5 without a range")
        .defined("(close − low) / (high − low)", "share"),
    model("DIST_HIGH", &[20], "close above the highest high of n bars", WINDOW, dist_high)
        .down_to_one()
        .defined("100·(close / max_n(high) − 1)", "%"),
    model("DIST_LOW", &[20], "close above the lowest low of n bars", WINDOW, dist_low)
        .down_to_one()
        .defined("100·(close / min_n(low) − 1)", "%"),
    model("ZSCORE", &[20], "close above its mean in deviations", WINDOW, zscore)
        .without("0 without any")
        .defined("(close − SMA_n) / s_n(close), sample deviation; a line through BB_PCT_B_n", "deviations")
        // Two columns with the same information would share its importance.
        .level(Some("BB_PCT_B")),
    model("CONSEC_UP", &[20], "rises of the close in a row, falls as negative numbers", CHANGES, consec_up)
        .without("0 where it did not change")
        .shown(0)
        .down_to_one()
        .defined("number of last changes with the sign of the latest, times that sign; at most n", "bars"),
    model("INSIDE_BAR", &[], "whether the bar stays within the one before", ONE, inside_bar)
        .defined("1 where high ≤ high[1] and low ≥ low[1], else 0", "0 or 1"),
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

fn open(prices: &Prices, _: &[usize]) -> Vec<f64> {
    prices.open.to_vec()
}

fn high(prices: &Prices, _: &[usize]) -> Vec<f64> {
    prices.high.to_vec()
}

fn low(prices: &Prices, _: &[usize]) -> Vec<f64> {
    prices.low.to_vec()
}

fn close(prices: &Prices, _: &[usize]) -> Vec<f64> {
    prices.close.to_vec()
}

fn volume(prices: &Prices, _: &[usize]) -> Vec<f64> {
    prices.volume.to_vec()
}

/// Source: TA-Lib's ROC.
fn ret(prices: &Prices, p: &[usize]) -> Vec<f64> {
    let close = prices.close;
    each_bar(p[0], close.len(), |bar| percent(close[bar], close[bar - p[0]]))
}

fn gap_pct(prices: &Prices, _: &[usize]) -> Vec<f64> {
    each_bar(1, prices.close.len(), |bar| percent(prices.open[bar], prices.close[bar - 1]))
}

/// Body, upper wick, lower wick, and the close's place in the bar.
fn shape(prices: &Prices, _: &[usize]) -> Vec<Vec<f64>> {
    let share = |of: fn([f64; 4]) -> f64, without_range: f64| {
        let share = |bar: usize| {
            let bar = [prices.open[bar], prices.high[bar], prices.low[bar], prices.close[bar]];
            let [_, high, low, close] = bar;
            ratio(of(bar), high - low, close, without_range)
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

fn dist_high(prices: &Prices, p: &[usize]) -> Vec<f64> {
    percent_above(prices.close, &highest(prices.high, p[0]))
}

fn dist_low(prices: &Prices, p: &[usize]) -> Vec<f64> {
    percent_above(prices.close, &lowest(prices.low, p[0]))
}

fn zscore(prices: &Prices, p: &[usize]) -> Vec<f64> {
    let mean = sma(prices.close, p[0]);
    let deviation = deviation(prices.close, p[0], 1);
    let z = |bar: usize| {
        let close = prices.close[bar];
        ratio(close - mean[bar], deviation[bar], close, 0.0)
    };
    each_bar(0, prices.close.len(), z)
}

/// Counts no further than `n`, so that no value depends on where the bars begin.
fn consec_up(prices: &Prices, p: &[usize]) -> Vec<f64> {
    let n = p[0];
    let most = n as f64;
    let mut run = 0.0;
    let runs = each_bar(1, prices.close.len(), |bar| {
        let sign = direction(prices.close[bar - 1], prices.close[bar]);
        run = if sign * run > 0.0 { run + sign } else { sign };
        f64::clamp(run, -most, most)
    });
    each_bar(n, runs.len(), |bar| runs[bar])
}

fn inside_bar(prices: &Prices, _: &[usize]) -> Vec<f64> {
    let inside = |bar: usize| {
        let higher = direction(prices.high[bar - 1], prices.high[bar]) > 0.0;
        let lower = direction(prices.low[bar - 1], prices.low[bar]) < 0.0;
        f64::from(!higher && !lower)
    };
    each_bar(1, prices.close.len(), inside)
}
