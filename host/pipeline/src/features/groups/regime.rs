//! Regime features: the calendar, volatility relative to its usual level, and the comparison with a
//! benchmark.

use super::volatility::historical;
use crate::date::month;
use crate::features::kind::{
    CHANGES, Computation, Defaults, FeatureKind, LONGEST_CHANGES, NONE, Shared, model, output,
};
use crate::features::ohlcv::OhlcvView;
use crate::features::window::{beta, correlation, each_bar, from_bar, percent, ratio, zip};

/// Stems of the features that repeat every year.
pub(in crate::features) const SEASONAL: [&str; 3] = ["MONTH", "MONTH_SIN", "MONTH_COS"];

static CALENDAR: Shared = Shared { compute: calendar };
static COMPARISON: Shared = Shared { compute: comparison };

pub(in crate::features) static KINDS: &[FeatureKind] = &[
    model("DAY_OF_WEEK", &[], "day of the week of the session", NONE, day_of_week)
        .defined("Monday 0 … Sunday 6", "day"),
    output(
        "MONTH",
        &[],
        "month of the session (models receive MONTH_COS, too)",
        NONE,
        Computation::Output(&CALENDAR, 0),
    )
    .level(Some("MONTH_SIN"))
    .defined("January 1 … December 12", "month"),
    output("MONTH_SIN", &[], "season: 1 in March, -1 in September", NONE, Computation::Output(&CALENDAR, 1))
        .defined("sin(2π·MONTH / 12)", "-1 to 1"),
    output("MONTH_COS", &[], "season: 1 in December, -1 in June", NONE, Computation::Output(&CALENDAR, 2))
        .defined("cos(2π·MONTH / 12)", "-1 to 1"),
    model(
        "VOL_REGIME",
        &[20, 60],
        "short-term volatility relative to long-term volatility",
        LONGEST_CHANGES,
        vol_regime,
    )
    .fallback("1 if the long-term value is 0")
    .shown(0)
    .defined("HV_n / HV_m", "ratio"),
    model(
        "REL_STRENGTH",
        &[20],
        "return of the symbol over n bars relative to the return of the benchmark",
        CHANGES,
        rel_strength,
    )
    .down_to_one()
    .with_benchmark()
    .defined("100·((close / close[n]) / (B / B[n]) − 1), B = close of the benchmark", "%"),
    output(
        "BETA",
        &[60],
        "slope of a regression of the symbol's returns on the benchmark's returns",
        CHANGES,
        Computation::Output(&COMPARISON, 0),
    )
    .fallback("0 if the benchmark does not move")
    .with_benchmark()
    .defined("cov_n(r, b) / var_n(b), r = close / close[1], b = B / B[1]", "slope"),
    output(
        "CORR",
        &[60],
        "correlation of the symbol's returns with the benchmark's returns",
        CHANGES,
        Computation::Output(&COMPARISON, 1),
    )
    .fallback("0 if the symbol or the benchmark does not move")
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

/// Computes the day of the week, 0 for Monday.
fn day_of_week(prices: &OhlcvView, _: &[usize]) -> Vec<f64> {
    // Day 0, 1970-01-01, was a Thursday.
    prices.day.iter().map(|day| f64::from((day.rem_euclid(7) + 3) % 7)).collect()
}

/// Computes the month, its sine and its cosine.
fn calendar(prices: &OhlcvView, _: &[usize]) -> Vec<Vec<f64>> {
    // All bars of an intraday session have the same date, so the result of the last conversion is
    // reused.
    let mut known = (i32::MIN, 1);
    let month_of = |&day: &i32| {
        if known.0 != day {
            known = (day, month(day));
        }
        f64::from(known.1)
    };
    let months: Vec<f64> = prices.day.iter().map(month_of).collect();
    let angle = |month: &f64| std::f64::consts::TAU * month / 12.0;
    // At a quarter of the circle, the rounding of π produces 6e-17 instead of 0, which would be
    // visible in the thresholds of rules.
    let clean = |value: f64| if value.abs() < 1e-12 { 0.0 } else { value };
    let (sines, cosines) = months.iter().map(angle).map(|angle| (clean(angle.sin()), clean(angle.cos()))).unzip();
    vec![months, sines, cosines]
}

/// Computes short-term volatility relative to long-term volatility.
fn vol_regime(prices: &OhlcvView, p: &[usize]) -> Vec<f64> {
    zip(&historical(prices, p[0]), &historical(prices, p[1]), |short, long| ratio(short, long, 100.0, 1.0))
}

fn rel_strength(prices: &OhlcvView, p: &[usize]) -> Vec<f64> {
    let grown = |closes: &[f64]| growth(closes, p[0], prices.close.len());
    zip(&grown(prices.close), &grown(prices.benchmark), percent)
}

/// Computes the slope of the symbol's growth on the benchmark's growth, and the correlation of the
/// two.
fn comparison(prices: &OhlcvView, p: &[usize]) -> Vec<Vec<f64>> {
    let grown = |closes: &[f64]| growth(closes, 1, prices.close.len());
    let symbol = grown(prices.close);
    let benchmark = grown(prices.benchmark);
    let compared = |figure: fn(&[f64], &[f64], usize) -> Vec<f64>| {
        from_bar(1, &symbol, |symbol| figure(symbol, benchmark.get(1..).unwrap_or_default(), p[0]))
    };
    vec![compared(beta), compared(correlation)]
}

/// Computes the ratio of each close to the close `n` bars before; NaN if a close is missing, for
/// example because the benchmark has no bars.
fn growth(closes: &[f64], n: usize, len: usize) -> Vec<f64> {
    each_bar(n, len, |bar| closes.get(bar).map_or(f64::NAN, |close| close / closes[bar - n]))
}
