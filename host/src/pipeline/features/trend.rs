//! Averages of the price, their distances and crossings, and Wilder's directional movement.

use super::{
    catalogue::Prices,
    window::{ema, ema_from, percent_above, ratio, sma, undefined, zip},
};

pub(super) fn sma_level(prices: &Prices, p: &[usize]) -> Vec<f64> {
    sma(prices.close, p[0])
}

pub(super) fn ema_level(prices: &Prices, p: &[usize]) -> Vec<f64> {
    ema(prices.close, p[0])
}

pub(super) fn price_to_sma(prices: &Prices, p: &[usize]) -> Vec<f64> {
    percent_above(prices.close, &sma(prices.close, p[0]))
}

pub(super) fn price_to_ema(prices: &Prices, p: &[usize]) -> Vec<f64> {
    percent_above(prices.close, &ema(prices.close, p[0]))
}

pub(super) fn sma_cross(prices: &Prices, p: &[usize]) -> Vec<f64> {
    percent_above(&sma(prices.close, p[0]), &sma(prices.close, p[1]))
}

pub(super) fn ema_cross(prices: &Prices, p: &[usize]) -> Vec<f64> {
    percent_above(&ema(prices.close, p[0]), &ema(prices.close, p[1]))
}

pub(super) fn macd_line(prices: &Prices, p: &[usize]) -> Vec<f64> {
    Convergence::of(prices, p, |fast, slow| fast - slow).line
}

pub(super) fn macd_signal(prices: &Prices, p: &[usize]) -> Vec<f64> {
    Convergence::of(prices, p, |fast, slow| fast - slow).signal
}

pub(super) fn macd_hist(prices: &Prices, p: &[usize]) -> Vec<f64> {
    Convergence::of(prices, p, |fast, slow| fast - slow).histogram()
}

pub(super) fn ppo_line(prices: &Prices, p: &[usize]) -> Vec<f64> {
    Convergence::of(prices, p, percent).line
}

pub(super) fn ppo_signal(prices: &Prices, p: &[usize]) -> Vec<f64> {
    Convergence::of(prices, p, percent).signal
}

pub(super) fn ppo_hist(prices: &Prices, p: &[usize]) -> Vec<f64> {
    Convergence::of(prices, p, percent).histogram()
}

fn percent(fast: f64, slow: f64) -> f64 {
    100.0 * (ratio(fast, slow, fast, 1.0) - 1.0)
}

/// Bars before the first value of all three lines.
pub(super) fn macd_warm_up(p: &[usize]) -> usize {
    p[0].max(p[1]) + p[2] - 2
}

/// Distance of two averages and its own average. Source: TA-Lib's MACD, whose averages both start with the slower one.
struct Convergence {
    line: Vec<f64>,
    signal: Vec<f64>,
}

impl Convergence {
    fn of(prices: &Prices, p: &[usize], distance: fn(f64, f64) -> f64) -> Self {
        let (fast, slow) = (p[0].min(p[1]), p[0].max(p[1]));
        let (start, first) = (slow - 1, macd_warm_up(p));
        let averages = [fast, slow].map(|n| ema_from(prices.close, n, start));
        let mut line = zip(&averages[0], &averages[1], distance);
        let signal = ema_from(&line, p[2], first);
        let hidden = first.min(line.len());
        line[..hidden].fill(f64::NAN);
        Self { line, signal }
    }

    fn histogram(&self) -> Vec<f64> {
        zip(&self.line, &self.signal, |line, signal| line - signal)
    }
}

pub(super) fn plus_di(prices: &Prices, p: &[usize]) -> Vec<f64> {
    directional(prices, p[0]).into_iter().map(|movement| movement.plus_di()).collect()
}

pub(super) fn minus_di(prices: &Prices, p: &[usize]) -> Vec<f64> {
    directional(prices, p[0]).into_iter().map(|movement| movement.minus_di()).collect()
}

/// Wilder's average of the directional index, seeded by the mean of its first `n`; kept where nothing moves.
pub(super) fn adx(prices: &Prices, p: &[usize]) -> Vec<f64> {
    let n = p[0];
    let movements = directional(prices, n);
    let mut out = undefined(2 * n - 1, movements.len());
    if movements.len() < 2 * n {
        return out;
    }
    let (seed, rest) = movements[n..].split_at(n);
    let mut average = seed.iter().filter_map(Movement::index).sum::<f64>() / n as f64;
    out.push(average);
    for movement in rest {
        if let Some(index) = movement.index() {
            average = (average * (n as f64 - 1.0) + index) / n as f64;
        }
        out.push(average);
    }
    out
}

/// Smoothed movement up, movement down and true range of one bar.
#[derive(Clone, Copy)]
struct Movement {
    plus: f64,
    minus: f64,
    range: f64,
    close: f64,
}

impl Movement {
    fn plus_di(&self) -> f64 {
        100.0 * ratio(self.plus, self.range, self.close, 0.0)
    }

    fn minus_di(&self) -> f64 {
        100.0 * ratio(self.minus, self.range, self.close, 0.0)
    }

    /// The directional index; `None` where nothing moves.
    fn index(&self) -> Option<f64> {
        let (plus, minus) = (self.plus_di(), self.minus_di());
        let both = plus + minus;
        (both > 1e-9).then(|| 100.0 * (plus - minus).abs() / both)
    }
}

/// Wilder's smoothed movements: sums of the first `n − 1`, smoothed from bar `n` on. Source: TA-Lib's PLUS_DI.
fn directional(prices: &Prices, n: usize) -> Vec<Movement> {
    let mut smooth = Movement { plus: 0.0, minus: 0.0, range: 0.0, close: f64::NAN };
    let mut out = Vec::with_capacity(prices.close.len());
    for bar in 0..prices.close.len() {
        if bar > 0 {
            let (plus, minus) = prices.directional_movement(bar);
            let keep = if bar < n { 1.0 } else { 1.0 - 1.0 / n as f64 };
            smooth.plus = smooth.plus * keep + plus;
            smooth.minus = smooth.minus * keep + minus;
            smooth.range = smooth.range * keep + prices.true_range(bar);
            smooth.close = prices.close[bar];
        }
        let undefined = Movement { plus: f64::NAN, minus: f64::NAN, range: f64::NAN, close: f64::NAN };
        out.push(if bar < n { undefined } else { smooth });
    }
    out
}
