//! The bars themselves: prices, returns, and the close's place among them.

use super::{
    catalogue::Prices,
    window::{highest, lowest, percent_above, ratio, rolling, undefined},
};

pub(super) fn open(prices: &Prices, _: &[usize]) -> Vec<f64> {
    prices.open.to_vec()
}

pub(super) fn high(prices: &Prices, _: &[usize]) -> Vec<f64> {
    prices.high.to_vec()
}

pub(super) fn low(prices: &Prices, _: &[usize]) -> Vec<f64> {
    prices.low.to_vec()
}

pub(super) fn close(prices: &Prices, _: &[usize]) -> Vec<f64> {
    prices.close.to_vec()
}

pub(super) fn volume(prices: &Prices, _: &[usize]) -> Vec<f64> {
    prices.volume.to_vec()
}

pub(super) fn ret(prices: &Prices, p: &[usize]) -> Vec<f64> {
    let mut out = undefined(p[0], prices.close.len());
    let later = prices.close.get(p[0]..).unwrap_or_default();
    out.extend(percent_above(later, prices.close));
    out
}

pub(super) fn gap_pct(prices: &Prices, _: &[usize]) -> Vec<f64> {
    let mut out = undefined(1, prices.close.len());
    let later = prices.open.get(1..).unwrap_or_default();
    out.extend(percent_above(later, prices.close));
    out
}

/// 0 at the bar's low, 1 at its high; 0.5 without a range.
pub(super) fn close_loc(prices: &Prices, _: &[usize]) -> Vec<f64> {
    let place = |bar: usize| {
        let (high, low, close) = (prices.high[bar], prices.low[bar], prices.close[bar]);
        ratio(close - low, high - low, close, 0.5)
    };
    (0..prices.close.len()).map(place).collect()
}

pub(super) fn dist_high(prices: &Prices, p: &[usize]) -> Vec<f64> {
    percent_above(prices.close, &rolling(prices.high, p[0], highest))
}

pub(super) fn dist_low(prices: &Prices, p: &[usize]) -> Vec<f64> {
    percent_above(prices.close, &rolling(prices.low, p[0], lowest))
}
