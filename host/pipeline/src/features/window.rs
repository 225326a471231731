//! Moving windows and averages over a series: the parts that indicators are made of.
//!
//! All return one value per bar, NaN before the first whole window. A value depends on its own and
//! earlier bars alone, in an order that does not change with what follows, so that a prefix of the
//! bars gives the same bits.

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

/// Returns `n_bars` NaN with room for `len` values.
pub(super) fn undefined(n_bars: usize, len: usize) -> Vec<f64> {
    let mut values = Vec::with_capacity(len);
    values.resize(n_bars.min(len), f64::NAN);
    values
}

/// A function of each bar from bar `first` on.
pub(super) fn each_bar(first: usize, len: usize, of: impl FnMut(usize) -> f64) -> Vec<f64> {
    let mut out = undefined(first, len);
    out.extend((first..len).map(of));
    out
}

/// Several columns of NaN, for passes that fill them together.
pub(super) fn columns<const K: usize>(len: usize) -> [Vec<f64>; K] {
    std::array::from_fn(|_| vec![f64::NAN; len])
}

/// A function of the values from bar `first` on, which may be undefined before: NaN there, its values from then on.
pub(super) fn from(first: usize, values: &[f64], of: impl Fn(&[f64]) -> Vec<f64>) -> Vec<f64> {
    let mut out = undefined(first, values.len());
    out.extend(of(values.get(first..).unwrap_or_default()));
    out
}

/// Computes `numerator / denominator`, or `otherwise` where the denominator is only rounding noise relative to `scale`.
#[inline]
pub(super) fn ratio(numerator: f64, denominator: f64, scale: f64, otherwise: f64) -> f64 {
    if denominator.abs() <= NOISE * scale.abs() { otherwise } else { numerator / denominator }
}

/// Combines two series bar by bar.
pub(super) fn zip(left: &[f64], right: &[f64], with: impl Fn(f64, f64) -> f64) -> Vec<f64> {
    left.iter().zip(right).map(|(&left, &right)| with(left, right)).collect()
}

/// Combines two series bar by bar, in the place of the left one.
pub(super) fn zip_into(mut left: Vec<f64>, right: &[f64], with: impl Fn(f64, f64) -> f64) -> Vec<f64> {
    left.iter_mut().zip(right).for_each(|(left, &right)| *left = with(*left, right));
    left
}

/// `100 · (left / right − 1)`, 0 where right is 0.
#[inline]
pub(super) fn percent(left: f64, right: f64) -> f64 {
    100.0 * (ratio(left, right, left, 1.0) - 1.0)
}

/// Computes [`percent`] of each bar.
pub(super) fn percent_above(left: &[f64], right: &[f64]) -> Vec<f64> {
    zip(left, right, percent)
}

/// 1 for a rise, -1 for a fall, 0 where the two differ by nothing but noise.
#[inline]
pub(super) fn direction(before: f64, now: f64) -> f64 {
    if (now - before).abs() <= NOISE * now.abs() { 0.0 } else { (now - before).signum() }
}
