//! Computes moving windows and averages over a series. The indicators are built from them.
//!
//! Every function returns one value per bar, NaN before the first whole window. Invariant: a value
//! depends only on its own bar and earlier bars, and the order of the additions does not depend on
//! later bars. The values therefore have the same bits if the last bars of the series are missing.

mod average;
mod blocks;
mod moments;
mod noise;
#[cfg(test)]
mod tests;

use self::noise::NOISE;
pub(super) use self::{
    average::{Average, ema, push_through, wilder},
    blocks::{highest, last_highest, last_lowest, lowest, sma, sma_from, sum, sum_windows},
    moments::{beta, correlation, deviation, linear_fit},
};

/// Returns a vector of `n_bars` NaN, with a capacity of `len` values.
pub(super) fn undefined(n_bars: usize, len: usize) -> Vec<f64> {
    let mut values = Vec::with_capacity(len);
    // If the window is longer than the series, the value of every bar is NaN.
    values.resize(n_bars.min(len), f64::NAN);
    values
}

/// Computes one value per bar from bar `first` on; earlier bars have NaN.
pub(super) fn each_bar(first: usize, len: usize, value: impl FnMut(usize) -> f64) -> Vec<f64> {
    let mut out = undefined(first, len);
    out.extend((first..len).map(value));
    out
}

/// Returns several columns of NaN, for passes that fill them together.
pub(super) fn nan_columns<const K: usize>(len: usize) -> [Vec<f64>; K] {
    std::array::from_fn(|_| vec![f64::NAN; len])
}

/// Applies a function to the values from bar `first` on. The earlier values may be undefined; the
/// result has NaN at their bars.
pub(super) fn from_bar(first: usize, values: &[f64], compute: impl Fn(&[f64]) -> Vec<f64>) -> Vec<f64> {
    let mut out = undefined(first, values.len());
    out.extend(compute(values.get(first..).unwrap_or_default()));
    out
}

/// Computes `numerator / denominator`, or `fallback` if the denominator is only rounding noise
/// relative to `scale`.
#[inline]
pub(super) fn ratio(numerator: f64, denominator: f64, scale: f64, fallback: f64) -> f64 {
    if denominator.abs() <= NOISE * scale.abs() { fallback } else { numerator / denominator }
}

/// Combines two series bar by bar.
pub(super) fn zip(left: &[f64], right: &[f64], with: impl Fn(f64, f64) -> f64) -> Vec<f64> {
    left.iter().zip(right).map(|(&left, &right)| with(left, right)).collect()
}

/// Combines two series bar by bar, reusing the memory of the left one.
pub(super) fn zip_into(mut left: Vec<f64>, right: &[f64], with: impl Fn(f64, f64) -> f64) -> Vec<f64> {
    left.iter_mut().zip(right).for_each(|(left, &right)| *left = with(*left, right));
    left
}

/// Computes `100 · (left / right − 1)`, or 0 if `right` is only rounding noise relative to `left`.
#[inline]
pub(super) fn percent(left: f64, right: f64) -> f64 {
    100.0 * (ratio(left, right, left, 1.0) - 1.0)
}

/// Computes [`percent`] at each bar.
pub(super) fn percent_above(left: &[f64], right: &[f64]) -> Vec<f64> {
    zip(left, right, percent)
}

/// Returns 1 for a rise, -1 for a fall, and 0 if the two values differ only by rounding noise.
#[inline]
pub(super) fn direction(before: f64, now: f64) -> f64 {
    if (now - before).abs() <= NOISE * now.abs() { 0.0 } else { (now - before).signum() }
}
