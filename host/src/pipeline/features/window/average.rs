//! Averages that forget slowly, seeded by a mean.

use super::{mean, undefined};

/// Exponential moving average with factor `2 / (n + 1)`, seeded by the mean of its first `n` values.
pub(in super::super) fn ema(values: &[f64], n: usize) -> Vec<f64> {
    ema_from(values, n, n - 1)
}

/// The same, its first value being at bar `first` and seeded by the mean of the `n` values up to there.
pub(in super::super) fn ema_from(values: &[f64], n: usize, first: usize) -> Vec<f64> {
    average(values, n, first, 2.0 / (n as f64 + 1.0))
}

/// Wilder's average, with factor `1 / n`, seeded by the mean of its first `n` values.
pub(in super::super) fn wilder(values: &[f64], n: usize) -> Vec<f64> {
    average(values, n, n - 1, 1.0 / n as f64)
}

/// Moves by a share of the distance: exactly the value where it does not change.
fn average(values: &[f64], n: usize, first: usize, factor: f64) -> Vec<f64> {
    let mut out = undefined(first, values.len());
    if first >= values.len() {
        return out;
    }
    let mut average = seed(&values[first + 1 - n..=first]);
    out.push(average);
    out.extend(values[first + 1..].iter().map(|value| {
        average += (value - average) * factor;
        average
    }));
    out
}

/// The mean, exactly the value where all are equal.
fn seed(values: &[f64]) -> f64 {
    let last = values[values.len() - 1];
    last + values.iter().map(|value| value - last).sum::<f64>() / values.len() as f64
}
