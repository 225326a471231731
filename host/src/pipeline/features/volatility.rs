//! How far prices swing: true ranges, Bollinger's bands, deviation of returns.

use super::{
    catalogue::{CHANGES, Defaults, Kind, Prices, WINDOW, model},
    window::{mean, ratio, rolling, sma, squares, undefined, zip},
};

pub(super) static KINDS: &[Kind] = &[
    model("ATR", &[14], "Wilder's average true range", (CHANGES, atr)).level(Some("NATR")),
    model("NATR", &[14], "average true range in % of the close", (CHANGES, natr)),
    model("BB_UPPER", &[20, 2], "SMA plus k population deviations", (WINDOW, bb_upper))
        .shown(1)
        .down_to_one()
        .level(Some("BB_PCT_B")),
    model("BB_LOWER", &[20, 2], "SMA less k population deviations", (WINDOW, bb_lower))
        .shown(1)
        .down_to_one()
        .level(Some("BB_PCT_B")),
    model("BB_PCT_B", &[20, 2], "place of the close between the bands; 0.5 where they touch", (WINDOW, bb_pct_b))
        .shown(1)
        .down_to_one(),
    model("BB_WIDTH", &[20, 2], "distance of the bands in % of the SMA", (WINDOW, bb_width)).shown(1).down_to_one(),
    model("HV", &[20], "deviation of log returns, % a year of 252 bars", (CHANGES, hv)),
];

pub(super) static DEFAULTS: Defaults = &[
    ("ATR", &[14]),
    ("NATR", &[14]),
    ("BB_PCT_B", &[]),
    ("BB_WIDTH", &[]),
    ("HV", &[10]),
    ("HV", &[20]),
    ("HV", &[60]),
];

/// Bars a year, to state a daily deviation as a yearly one; other timeframes are scaled alike.
const BARS_A_YEAR: f64 = 252.0;

/// Wilder's average true range, seeded by the mean of the first `n`.
fn atr(prices: &Prices, p: &[usize]) -> Vec<f64> {
    let n = p[0];
    let len = prices.close.len();
    let ranges: Vec<f64> = (1..len).map(|bar| prices.true_range(bar)).collect();
    let mut out = undefined(n, len);
    if ranges.len() < n {
        return out;
    }
    let mut average = mean(&ranges[..n]);
    out.push(average);
    for range in &ranges[n..] {
        average = (average * (n as f64 - 1.0) + range) / n as f64;
        out.push(average);
    }
    out
}

fn natr(prices: &Prices, p: &[usize]) -> Vec<f64> {
    zip(&atr(prices, p), prices.close, |atr, close| 100.0 * atr / close)
}

fn bb_upper(prices: &Prices, p: &[usize]) -> Vec<f64> {
    zip(&sma(prices.close, p[0]), &deviation(prices, p[0]), |middle, deviation| middle + p[1] as f64 * deviation)
}

fn bb_lower(prices: &Prices, p: &[usize]) -> Vec<f64> {
    zip(&sma(prices.close, p[0]), &deviation(prices, p[0]), |middle, deviation| middle - p[1] as f64 * deviation)
}

/// The close's place between the bands, 0 at the lower one, 1 at the upper; 0.5 where they touch.
fn bb_pct_b(prices: &Prices, p: &[usize]) -> Vec<f64> {
    let (upper, lower) = (bb_upper(prices, p), bb_lower(prices, p));
    let place = |bar: usize| {
        let close = prices.close[bar];
        ratio(close - lower[bar], upper[bar] - lower[bar], close, 0.5)
    };
    (0..prices.close.len()).map(place).collect()
}

/// Distance of the bands in percent of their middle.
fn bb_width(prices: &Prices, p: &[usize]) -> Vec<f64> {
    let deviation = deviation(prices, p[0]);
    zip(&deviation, &sma(prices.close, p[0]), |deviation, middle| 100.0 * 2.0 * p[1] as f64 * deviation / middle)
}

/// Population deviation of the close.
fn deviation(prices: &Prices, n: usize) -> Vec<f64> {
    rolling(prices.close, n, |window| (squares(window) / window.len() as f64).sqrt())
}

/// Sample deviation of log returns over `n` bars, in percent a year of 252 bars.
fn hv(prices: &Prices, p: &[usize]) -> Vec<f64> {
    let returns: Vec<f64> = prices.close.windows(2).map(|pair| (pair[1] / pair[0]).ln()).collect();
    let mut out = undefined(1, prices.close.len());
    out.extend(rolling(&returns, p[0], |window| {
        100.0 * (squares(window) / (window.len() as f64 - 1.0) * BARS_A_YEAR).sqrt()
    }));
    out
}
