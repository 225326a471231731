//! Oscillators: where the close stands in its recent range, and how gains compare with losses.

use super::{
    catalogue::{CHANGES, Defaults, Kind, Prices, WINDOW, model},
    window::{highest, lowest, mean, ratio, rolling, sma, undefined},
};

pub(super) static KINDS: &[Kind] = &[
    model("RSI", &[14], "Wilder's relative strength, 0 to 100; 0 when nothing moved", (CHANGES, rsi)),
    model(
        "STOCH_K",
        &[14, 3, 3],
        "smoothed place of the close in its range, %; 0 without a range",
        (stoch_warm_up, stoch_k),
    )
    .shown(0)
    .down_to_one(),
    model("STOCH_D", &[14, 3, 3], "average of STOCH_K", (stoch_warm_up, stoch_d)).shown(0).down_to_one(),
    model("WILLR", &[14], "Williams' %R, -100 to 0; 0 without a range", (WINDOW, willr)),
    model("CCI", &[20], "distance of the typical price in mean deviations; 0 without any", (WINDOW, cci)),
];

pub(super) static DEFAULTS: Defaults = &[
    ("RSI", &[2]),
    ("RSI", &[7]),
    ("RSI", &[14]),
    ("RSI", &[21]),
    ("STOCH_K", &[]),
    ("STOCH_D", &[]),
    ("WILLR", &[14]),
    ("CCI", &[20]),
];

/// Wilder's relative strength, seeded by means. Source: TA-Lib's RSI; 0 where nothing moved.
fn rsi(prices: &Prices, p: &[usize]) -> Vec<f64> {
    let n = p[0];
    let close = prices.close;
    let mut out = undefined(n, close.len());
    let (mut gain, mut loss) = (0.0, 0.0);
    for bar in 1..close.len() {
        let change = close[bar] - close[bar - 1];
        let (up, down) = (change.max(0.0), (-change).max(0.0));
        if bar <= n {
            gain += up / n as f64;
            loss += down / n as f64;
        } else {
            gain = (gain * (n as f64 - 1.0) + up) / n as f64;
            loss = (loss * (n as f64 - 1.0) + down) / n as f64;
        }
        if bar >= n {
            out.push(100.0 * ratio(gain, gain + loss, close[bar], 0.0));
        }
    }
    out
}

fn stoch_k(prices: &Prices, p: &[usize]) -> Vec<f64> {
    let mut slow = slow_k(prices, p);
    let hidden = stoch_warm_up(p).min(slow.len());
    slow[..hidden].fill(f64::NAN);
    slow
}

fn stoch_d(prices: &Prices, p: &[usize]) -> Vec<f64> {
    let slow = slow_k(prices, p);
    let known = (p[0] + p[1] - 2).min(slow.len());
    let mut out = undefined(known, slow.len());
    out.extend(sma(&slow[known..], p[2]));
    out
}

/// Bars before the first value of both lines.
fn stoch_warm_up(p: &[usize]) -> usize {
    p[0] + p[1] + p[2] - 3
}

fn slow_k(prices: &Prices, p: &[usize]) -> Vec<f64> {
    let fast: Vec<f64> = range_position(prices, p[0], 0.0).into_iter().map(|position| 100.0 * position).collect();
    let known = (p[0] - 1).min(fast.len());
    let mut out = undefined(known, fast.len());
    out.extend(sma(&fast[known..], p[1]));
    out
}

/// Williams' %R: -100 at the low of the range, 0 at its high; 0 without a range.
fn willr(prices: &Prices, p: &[usize]) -> Vec<f64> {
    range_position(prices, p[0], 1.0).into_iter().map(|position| 100.0 * (position - 1.0)).collect()
}

/// The close's place in the range of `n` bars, 0 at the low, 1 at the high.
fn range_position(prices: &Prices, n: usize, without_range: f64) -> Vec<f64> {
    let high = highest(prices.high, n);
    let low = lowest(prices.low, n);
    let place = |bar: usize| {
        let close = prices.close[bar];
        ratio(close - low[bar], high[bar] - low[bar], close, without_range)
    };
    (0..prices.close.len()).map(place).collect()
}

/// Commodity channel index. Source: Lambert; 0 without deviation.
fn cci(prices: &Prices, p: &[usize]) -> Vec<f64> {
    rolling(&prices.typical(), p[0], |window| {
        let average = mean(window);
        let deviation = window.iter().map(|typical| (typical - average).abs()).sum::<f64>() / window.len() as f64;
        let distance = window[window.len() - 1] - average;
        ratio(distance, 0.015 * deviation, average, 0.0)
    })
}
