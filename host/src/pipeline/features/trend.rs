//! Averages of the price, their distances and crossings, and Wilder's directional movement.

use super::{
    catalogue::{CHANGES, Defaults, Kind, LONGER, Prices, WINDOW, model},
    window::{ema, ema_from, percent_above, ratio, sma, undefined, zip},
};

pub(super) static KINDS: &[Kind] = &[
    model("SMA", &[20], "mean of the last n closes", (WINDOW, sma_level)).level(Some("PRICE_TO_SMA")),
    model("EMA", &[21], "exponential average of closes, seeded by the first n", (WINDOW, ema_level))
        .level(Some("PRICE_TO_EMA")),
    model("PRICE_TO_SMA", &[20], "close above its SMA, %", (WINDOW, price_to_sma)),
    model("PRICE_TO_EMA", &[21], "close above its EMA, %", (WINDOW, price_to_ema)),
    model("SMA_CROSS", &[20, 50], "fast SMA above the slow one, %", (LONGER, sma_cross)),
    model("EMA_CROSS", &[8, 21], "fast EMA above the slow one, %", (LONGER, ema_cross)),
    model("MACD_LINE", &[12, 26, 9], "fast EMA less slow EMA", (macd_warm_up, macd_line))
        .shown(0)
        .level(Some("PPO_LINE")),
    model("MACD_SIGNAL", &[12, 26, 9], "EMA of the MACD line", (macd_warm_up, macd_signal))
        .shown(0)
        .level(Some("PPO_SIGNAL")),
    model("MACD_HIST", &[12, 26, 9], "MACD line less its signal", (macd_warm_up, macd_hist))
        .shown(0)
        .level(Some("PPO_HIST")),
    model("PPO_LINE", &[12, 26, 9], "MACD line in % of the slow EMA", (macd_warm_up, ppo_line)).shown(0),
    model("PPO_SIGNAL", &[12, 26, 9], "EMA of the PPO line", (macd_warm_up, ppo_signal)).shown(0),
    model("PPO_HIST", &[12, 26, 9], "PPO line less its signal", (macd_warm_up, ppo_hist)).shown(0),
    model("ADX", &[14], "strength of the trend, 0 to 100; 0 when nothing ever moved", (|p| 2 * p[0] - 1, adx)),
    model("PLUS_DI", &[14], "movement up in % of the true range; 0 without a range", (CHANGES, plus_di)),
    model("MINUS_DI", &[14], "movement down in % of the true range; 0 without a range", (CHANGES, minus_di)),
];

pub(super) static DEFAULTS: Defaults = &[
    ("SMA", &[20]),
    ("SMA", &[50]),
    ("SMA", &[200]),
    ("EMA", &[8]),
    ("EMA", &[21]),
    ("PRICE_TO_SMA", &[20]),
    ("PRICE_TO_SMA", &[50]),
    ("PRICE_TO_SMA", &[200]),
    ("PRICE_TO_EMA", &[21]),
    ("SMA_CROSS", &[20, 50]),
    ("EMA_CROSS", &[8, 21]),
    ("EMA_CROSS", &[12, 26]),
    ("MACD_LINE", &[]),
    ("MACD_SIGNAL", &[]),
    ("MACD_HIST", &[]),
    ("PPO_SIGNAL", &[]),
    ("PPO_HIST", &[]),
    ("ADX", &[14]),
    ("PLUS_DI", &[14]),
    ("MINUS_DI", &[14]),
];

fn sma_level(prices: &Prices, p: &[usize]) -> Vec<f64> {
    sma(prices.close, p[0])
}

fn ema_level(prices: &Prices, p: &[usize]) -> Vec<f64> {
    ema(prices.close, p[0])
}

fn price_to_sma(prices: &Prices, p: &[usize]) -> Vec<f64> {
    percent_above(prices.close, &sma(prices.close, p[0]))
}

fn price_to_ema(prices: &Prices, p: &[usize]) -> Vec<f64> {
    percent_above(prices.close, &ema(prices.close, p[0]))
}

fn sma_cross(prices: &Prices, p: &[usize]) -> Vec<f64> {
    percent_above(&sma(prices.close, p[0]), &sma(prices.close, p[1]))
}

fn ema_cross(prices: &Prices, p: &[usize]) -> Vec<f64> {
    percent_above(&ema(prices.close, p[0]), &ema(prices.close, p[1]))
}

fn macd_line(prices: &Prices, p: &[usize]) -> Vec<f64> {
    Convergence::of(prices, p, |fast, slow| fast - slow).line
}

fn macd_signal(prices: &Prices, p: &[usize]) -> Vec<f64> {
    Convergence::of(prices, p, |fast, slow| fast - slow).signal
}

fn macd_hist(prices: &Prices, p: &[usize]) -> Vec<f64> {
    Convergence::of(prices, p, |fast, slow| fast - slow).histogram()
}

fn ppo_line(prices: &Prices, p: &[usize]) -> Vec<f64> {
    Convergence::of(prices, p, percent).line
}

fn ppo_signal(prices: &Prices, p: &[usize]) -> Vec<f64> {
    Convergence::of(prices, p, percent).signal
}

fn ppo_hist(prices: &Prices, p: &[usize]) -> Vec<f64> {
    Convergence::of(prices, p, percent).histogram()
}

fn percent(fast: f64, slow: f64) -> f64 {
    100.0 * (ratio(fast, slow, fast, 1.0) - 1.0)
}

/// Bars before the first value of all three lines.
fn macd_warm_up(p: &[usize]) -> usize {
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

fn plus_di(prices: &Prices, p: &[usize]) -> Vec<f64> {
    directional(prices, p[0]).into_iter().map(|movement| movement.plus_di()).collect()
}

fn minus_di(prices: &Prices, p: &[usize]) -> Vec<f64> {
    directional(prices, p[0]).into_iter().map(|movement| movement.minus_di()).collect()
}

/// Wilder's average of the directional index, seeded by the mean of its first `n`; kept where nothing moves.
fn adx(prices: &Prices, p: &[usize]) -> Vec<f64> {
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
