//! Computes second moments of windows: deviation, correlation, and a line through the values.
//!
//! Sums are taken over distances from one value of the window, the reference. Distances from the
//! mean would take a second pass, and distances from zero would suffer from cancellation. Let m be
//! the mean of these distances, and Q the sum of squared distances from the mean value. The
//! reference is one of the `n` values, so its own squared distance m² is part of Q, and Q ≥ m². The
//! cancelled term is n·m² ≤ n·Q. Cancellation therefore multiplies the rounding error of one number
//! by about n at worst, for any values in and before the window. In a window of equal values all
//! distances are exactly 0.

use super::blocks::sum_windows;
use super::noise::NOISE;

/// Computes the standard deviation of the last `n` values; exactly 0 if they are equal.
///
/// * `ddof`: 0 for the population deviation, 1 for the sample deviation.
pub(in super::super) fn deviation(values: &[f64], n: usize, ddof: usize) -> Vec<f64> {
    let share = 1.0 / n as f64;
    let free = 1.0 / n.saturating_sub(ddof).max(1) as f64;
    let mut out = vec![f64::NAN; values.len()];
    let terms = |bar: usize, reference: usize| {
        let distance = values[bar] - values[reference];
        [distance, distance * distance]
    };
    sum_windows(values.len(), n, terms, |[sum, squares], _, bar| {
        // Rounding can make the difference negative, and its root would then be NaN.
        out[bar] = ((squares - sum * sum * share).max(0.0) * free).sqrt();
    });
    out
}

/// Sums of squares and products over one window of two series.
#[derive(Clone, Copy)]
struct Comoments {
    /// Sum of the squared distances of the left values from their mean.
    left: f64,
    /// Sum of the squared distances of the right values from their mean.
    right: f64,
    /// Sum of the products of both distances.
    both: f64,
    /// Largest value of `left` that is only rounding noise.
    left_noise: f64,
    /// Largest value of `right` that is only rounding noise.
    right_noise: f64,
}

/// Computes a figure from the comoments of each window of `n` pairs.
fn comoments(left: &[f64], right: &[f64], n: usize, figure: impl Fn(Comoments) -> f64) -> Vec<f64> {
    let len = left.len().min(right.len());
    let share = 1.0 / n as f64;
    let mut out = vec![f64::NAN; len];
    let terms = |bar: usize, reference: usize| {
        let left = left[bar] - left[reference];
        let right = right[bar] - right[reference];
        [left, right, left * left, right * right, left * right]
    };
    sum_windows(len, n, terms, |[sum_left, sum_right, left_left, right_right, both], reference, bar| {
        out[bar] = figure(Comoments {
            // A sum of squares is not negative, but the rounded difference can be.
            left: (left_left - sum_left * sum_left * share).max(0.0),
            right: (right_right - sum_right * sum_right * share).max(0.0),
            both: both - sum_left * sum_right * share,
            left_noise: squared_noise(left[reference], n),
            right_noise: squared_noise(right[reference], n),
        });
    });
    out
}

/// Returns the largest sum of squared distances that rounding can produce for `n` equal values.
fn squared_noise(value: f64, n: usize) -> f64 {
    (NOISE * value).powi(2) * n as f64
}

/// Computes the correlation of the last `n` pairs, -1 to 1; 0 if one of the two series does not
/// change.
pub(in super::super) fn correlation(left: &[f64], right: &[f64], n: usize) -> Vec<f64> {
    comoments(left, right, n, |Comoments { left, right, both, left_noise, right_noise }| {
        let changes = left > left_noise && right > right_noise;
        if changes { (both / (left.sqrt() * right.sqrt())).clamp(-1.0, 1.0) } else { 0.0 }
    })
}

/// Computes the slope of the regression of the left values on the right values over the last `n`
/// pairs; 0 if the right values do not change.
pub(in super::super) fn beta(left: &[f64], right: &[f64], n: usize) -> Vec<f64> {
    comoments(left, right, n, |sums| if sums.right > sums.right_noise { sums.both / sums.right } else { 0.0 })
}

/// Fits a line of least squares through the last `n` values. Returns its slope per bar, and the
/// share of the variance that it explains, 0 to 1. Both are 0 if the values are equal.
pub(in super::super) fn linear_fit(values: &[f64], n: usize) -> (Vec<f64>, Vec<f64>) {
    let count = n as f64;
    // Mean of the positions 0 to n − 1.
    let middle = (count - 1.0) / 2.0;
    // Sum of the squared distances of the positions from their mean, n(n² − 1) / 12. A single bar
    // has no slope. Any positive divisor gives it the slope 0, so the lower bound only avoids a
    // division by zero.
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
        // For values on a line, rounding can produce a share above 1.
        explained[bar] = if changes { (slope * slope * of_bars / of_values).min(1.0) } else { 0.0 };
    });
    (slopes, explained)
}
