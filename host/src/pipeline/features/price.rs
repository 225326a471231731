//! The bars themselves: prices, returns, and the close's place among them.

use super::{
    catalogue::{CHANGES, Defaults, Kind, NONE, ONE, Prices, WINDOW, model},
    window::{highest, lowest, percent_above, ratio, undefined},
};

pub(super) static KINDS: &[Kind] = &[
    model("RET", &[1], "return over n bars, %", (CHANGES, ret)).down_to_one(),
    model("GAP_PCT", &[], "open above the close before, %", (ONE, gap_pct)),
    model("CLOSE_LOC", &[], "place of the close in its bar, 0 to 1; 0.5 without a range", (NONE, close_loc)),
    model("DIST_HIGH", &[20], "close above the highest high of n bars, %", (WINDOW, dist_high)).down_to_one(),
    model("DIST_LOW", &[20], "close above the lowest low of n bars, %", (WINDOW, dist_low)).down_to_one(),
    model("OPEN", &[], "first price", (NONE, open)).level(None),
    model("HIGH", &[], "highest price", (NONE, high)).level(None),
    model("LOW", &[], "lowest price", (NONE, low)).level(None),
    model("CLOSE", &[], "last price", (NONE, close)).level(None),
    model("VOLUME", &[], "shares traded", (NONE, volume)).level(Some("VOLUME_RATIO")),
];

pub(super) static DEFAULTS: Defaults = &[
    ("RET", &[1]),
    ("RET", &[2]),
    ("RET", &[5]),
    ("RET", &[10]),
    ("RET", &[20]),
    ("RET", &[60]),
    ("GAP_PCT", &[]),
    ("CLOSE_LOC", &[]),
    ("DIST_HIGH", &[20]),
    ("DIST_LOW", &[20]),
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

fn ret(prices: &Prices, p: &[usize]) -> Vec<f64> {
    let mut out = undefined(p[0], prices.close.len());
    let later = prices.close.get(p[0]..).unwrap_or_default();
    out.extend(percent_above(later, prices.close));
    out
}

fn gap_pct(prices: &Prices, _: &[usize]) -> Vec<f64> {
    let mut out = undefined(1, prices.close.len());
    let later = prices.open.get(1..).unwrap_or_default();
    out.extend(percent_above(later, prices.close));
    out
}

/// 0 at the bar's low, 1 at its high; 0.5 without a range.
fn close_loc(prices: &Prices, _: &[usize]) -> Vec<f64> {
    let place = |bar: usize| {
        let (high, low, close) = (prices.high[bar], prices.low[bar], prices.close[bar]);
        ratio(close - low, high - low, close, 0.5)
    };
    (0..prices.close.len()).map(place).collect()
}

fn dist_high(prices: &Prices, p: &[usize]) -> Vec<f64> {
    percent_above(prices.close, &highest(prices.high, p[0]))
}

fn dist_low(prices: &Prices, p: &[usize]) -> Vec<f64> {
    percent_above(prices.close, &lowest(prices.low, p[0]))
}
