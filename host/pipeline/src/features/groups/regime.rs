//! The state of the market around a bar: its calendar, its own volatility, and a benchmark.

use super::volatility::historical;
use crate::date::month;
use crate::features::kind::{CHANGES, Computation, Defaults, Kind, LONGEST_CHANGES, NONE, Shared, model, output};
use crate::features::prices::Prices;
use crate::features::window::{beta, correlation, each_bar, from, percent, ratio, zip};

static CALENDAR: Shared = Shared { compute: calendar };
static COMPARISON: Shared = Shared { compute: comparison };

pub(in crate::features) static KINDS: &[Kind] = &[
    model("DAY_OF_WEEK", &[], "day of the week of the session", NONE, day_of_week)
        .defined("Monday 0 … Sunday 6", "day"),
    output(
        "MONTH",
        &[],
        "month of the session (models get MONTH_COS beside it)",
        NONE,
        Computation::Output(&CALENDAR, 0),
    )
    .level(Some("MONTH_SIN"))
    .defined("January 1 … December 12", "month"),
    output("MONTH_SIN", &[], "season: 1 in March, -1 in September", NONE, Computation::Output(&CALENDAR, 1))
        .defined("sin(2π·MONTH / 12)", "-1 to 1"),
    output("MONTH_COS", &[], "season: 1 in December, -1 in June", NONE, Computation::Output(&CALENDAR, 2))
        .defined("cos(2π·MONTH / 12)", "-1 to 1"),
    model("VOL_REGIME", &[20, 60], "short volatility beside long one", LONGEST_CHANGES, vol_regime)
        .without("1 without any")
        .shown(0)
        .defined("HV_n / HV_m", "ratio"),
    model("REL_STRENGTH", &[20], "what the close has gained on the benchmark over n bars", CHANGES, rel_strength)
        .down_to_one()
        .with_benchmark()
        .defined("100·((close / close[n]) / (B / B[n]) − 1), B the benchmark's close", "%"),
    output("BETA", &[60], "slope of the returns on the benchmark's", CHANGES, Computation::Output(&COMPARISON, 0))
        .without("0 where the benchmark does not move")
        .with_benchmark()
        .defined("cov_n(r, b) / var_n(b), r = close / close[1], b = B / B[1]", "slope"),
    output(
        "CORR",
        &[60],
        "correlation of the returns with the benchmark's",
        CHANGES,
        Computation::Output(&COMPARISON, 1),
    )
    .without("0 where one of the two does not move")
    .with_benchmark()
    .defined("cov_n(r, b) / √(var_n(r)·var_n(b)), r = close / close[1], b = B / B[1]", "-1 to 1"),
];

pub(in crate::features) static DEFAULTS: Defaults = &[
    ("DAY_OF_WEEK", &[]),
    ("MONTH", &[]),
    ("MONTH_SIN", &[]),
    ("MONTH_COS", &[]),
    ("VOL_REGIME", &[]),
    ("REL_STRENGTH", &[20]),
    ("BETA", &[60]),
    ("CORR", &[60]),
];

/// 1970-01-01 was a Thursday.
fn day_of_week(prices: &Prices, _: &[usize]) -> Vec<f64> {
    prices.day.iter().map(|day| f64::from((day.rem_euclid(7) + 3) % 7)).collect()
}

/// The month, its sine and its cosine.
fn calendar(prices: &Prices, _: &[usize]) -> Vec<Vec<f64>> {
    let mut known = (i32::MIN, 1);
    let month_of = |&day: &i32| {
        if known.0 != day {
            known = (day, month(day));
        }
        f64::from(known.1)
    };
    let months: Vec<f64> = prices.day.iter().map(month_of).collect();
    let angle = |month: &f64| std::f64::consts::TAU * month / 12.0;
    // At a quarter of the circle the value is exactly 0, not 6e-17 from the rounding of π: people read
    // the thresholds of rules.
    let clean = |value: f64| if value.abs() < 1e-12 { 0.0 } else { value };
    let (sines, cosines) = months.iter().map(angle).map(|angle| (clean(angle.sin()), clean(angle.cos()))).unzip();
    vec![months, sines, cosines]
}

/// A short deviation relative to a long one, where the long one is more than the rounding of returns.
fn vol_regime(prices: &Prices, p: &[usize]) -> Vec<f64> {
    zip(&historical(prices, p[0]), &historical(prices, p[1]), |short, long| ratio(short, long, 100.0, 1.0))
}

fn rel_strength(prices: &Prices, p: &[usize]) -> Vec<f64> {
    let grown = |closes: &[f64]| growth(closes, p[0], prices.close.len());
    zip(&grown(prices.close), &grown(prices.benchmark), percent)
}

/// Slope and correlation of growth on the benchmark's growth.
fn comparison(prices: &Prices, p: &[usize]) -> Vec<Vec<f64>> {
    let grown = |closes: &[f64]| growth(closes, 1, prices.close.len());
    let own = grown(prices.close);
    let benchmark = grown(prices.benchmark);
    let compared = |of: fn(&[f64], &[f64], usize) -> Vec<f64>| {
        from(1, &own, |own| of(own, benchmark.get(1..).unwrap_or_default(), p[0]))
    };
    vec![compared(beta), compared(correlation)]
}

/// Ratio of each price to that of `n` bars before; NaN where a price is missing, such as that of an absent benchmark.
fn growth(closes: &[f64], n: usize, len: usize) -> Vec<f64> {
    each_bar(n, len, |bar| closes.get(bar).map_or(f64::NAN, |close| close / closes[bar - n]))
}
