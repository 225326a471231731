//! Second moments of windows: deviation, correlation, a line through the values.
//!
//! Distances are summed from a value of the window itself, the reference, not from its mean, which
//! would take a second pass, nor from zero, which would cancel. That value is one of the `n`, so
//! its own squared distance from the mean is part of the sum of squares Q: with the mean distance
//! m, Q ≥ m², while the sums lose n·m² ≤ n·Q between them. At worst n times the rounding of one
//! number is lost, independent of the values in and before the window; a window of equal values has
//! distances of exactly 0.

use super::blocks::sum_windows;
use super::noise::NOISE;

/// Standard deviation of the last `n` values; exactly 0 where they are equal.
///
/// * `ddof`: 0 for the population's, 1 for the sample's.
pub(in super::super) fn deviation(values: &[f64], n: usize, ddof: usize) -> Vec<f64> {
    let share = 1.0 / n as f64;
    let free = 1.0 / n.saturating_sub(ddof).max(1) as f64;
    let mut out = vec![f64::NAN; values.len()];
    let terms = |bar: usize, reference: usize| {
        let distance = values[bar] - values[reference];
        [distance, distance * distance]
    };
    sum_windows(values.len(), n, terms, |[sum, squares], _, bar| {
        out[bar] = ((squares - sum * sum * share).max(0.0) * free).sqrt();
    });
    out
}

/// Sums over one window of two series.
#[derive(Clone, Copy)]
struct Comoments {
    /// Squared distances of the left values from their mean.
    left: f64,
    /// Squared distances of the right values from their mean.
    right: f64,
    /// Products of both distances.
    both: f64,
    /// Squared distances of the left values up to this are only rounding noise.
    left_noise: f64,
    /// Squared distances of the right values up to this are only rounding noise.
    right_noise: f64,
}

fn comoments(left: &[f64], right: &[f64], n: usize, of: impl Fn(Comoments) -> f64) -> Vec<f64> {
    let len = left.len().min(right.len());
    let share = 1.0 / n as f64;
    let mut out = vec![f64::NAN; len];
    let terms = |bar: usize, reference: usize| {
        let left = left[bar] - left[reference];
        let right = right[bar] - right[reference];
        [left, right, left * left, right * right, left * right]
    };
    sum_windows(len, n, terms, |[sum_left, sum_right, left_left, right_right, both], reference, bar| {
        out[bar] = of(Comoments {
            left: (left_left - sum_left * sum_left * share).max(0.0),
            right: (right_right - sum_right * sum_right * share).max(0.0),
            both: both - sum_left * sum_right * share,
            left_noise: squared_noise(left[reference], n),
            right_noise: squared_noise(right[reference], n),
        });
    });
    out
}

/// The sum of squares that rounding alone gives to `n` equal values.
fn squared_noise(value: f64, n: usize) -> f64 {
    (NOISE * value).powi(2) * n as f64
}

/// Correlation of the last `n` pairs, -1 to 1; 0 where one of the two does not change.
pub(in super::super) fn correlation(left: &[f64], right: &[f64], n: usize) -> Vec<f64> {
    comoments(left, right, n, |Comoments { left, right, both, left_noise, right_noise }| {
        let changes = left > left_noise && right > right_noise;
        if changes { (both / (left.sqrt() * right.sqrt())).clamp(-1.0, 1.0) } else { 0.0 }
    })
}

/// Slope of the left values on the right ones over the last `n` pairs; 0 where the right ones do not change.
pub(in super::super) fn beta(left: &[f64], right: &[f64], n: usize) -> Vec<f64> {
    comoments(left, right, n, |sums| if sums.right > sums.right_noise { sums.both / sums.right } else { 0.0 })
}

/// Fits the line of least squares through the last `n` values: returns its slope per bar, and the
/// share of their variance that it explains, 0 to 1; both are 0 where the values are equal.
pub(in super::super) fn linear_fit(values: &[f64], n: usize) -> (Vec<f64>, Vec<f64>) {
    let count = n as f64;
    let middle = (count - 1.0) / 2.0;
    // A single bar has no slope; any weight gives it 0.
    let of_bars = (count * (count * count - 1.0) / 12.0).max(0.5);
    let share = 1.0 / count;
    let by_bars = 1.0 / of_bars;
    let mut slopes = vec![f64::NAN; values.len()];
    let mut explained = vec![f64::NAN; values.len()];
    let bars_after = |bar: usize, reference: usize| (bar as i64 - reference as i64) as f64;
    let terms = |bar: usize, reference: usize| {
        let distance = values[bar] - values[reference];
        [distance, distance * distance, distance * bars_after(bar, reference)]
    };
    sum_windows(values.len(), n, terms, |[sum, squares, by_bar], reference, bar| {
        let slope = (by_bar - sum * (bars_after(bar, reference) - middle)) * by_bars;
        let of_values = squares - sum * sum * share;
        slopes[bar] = slope;
        let changes = of_values > squared_noise(values[reference], n);
        explained[bar] = if changes { (slope * slope * of_bars / of_values).min(1.0) } else { 0.0 };
    });
    (slopes, explained)
}
