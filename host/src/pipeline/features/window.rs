//! Moving windows and averages over a series: the parts that indicators are made of.
//!
//! All return one value a bar, NaN before the first whole window. A value depends on its own and earlier bars alone, in
//! an order that does not change with what follows, so that a prefix of the bars gives the same bits.

/// Differences below this share of a price are noise of rounding: such a range counts as zero.
const NOISE: f64 = 1e-12;

/// `n` NaN, then nothing yet.
pub(super) fn undefined(n_bars: usize, len: usize) -> Vec<f64> {
    let mut values = Vec::with_capacity(len);
    values.resize(n_bars.min(len), f64::NAN);
    values
}

/// A function of each bar's window of `n` bars.
pub(super) fn rolling(values: &[f64], n: usize, of: impl Fn(&[f64]) -> f64) -> Vec<f64> {
    let mut out = undefined(n - 1, values.len());
    out.extend(values.windows(n).map(of));
    out
}

/// Arithmetic mean.
pub(super) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Sum of squared distances from the mean.
pub(super) fn squares(values: &[f64]) -> f64 {
    let mean = mean(values);
    values.iter().map(|value| (value - mean).powi(2)).sum()
}

/// Largest value.
pub(super) fn highest(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::NEG_INFINITY, f64::max)
}

/// Smallest value.
pub(super) fn lowest(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::INFINITY, f64::min)
}

/// Simple moving average.
pub(super) fn sma(values: &[f64], n: usize) -> Vec<f64> {
    rolling(values, n, mean)
}

/// Exponential moving average with factor `2 / (n + 1)`, seeded by the mean of its first `n` values.
pub(super) fn ema(values: &[f64], n: usize) -> Vec<f64> {
    ema_from(values, n, n - 1)
}

/// The same, its first value being at bar `first` and seeded by the mean of the `n` values up to there.
pub(super) fn ema_from(values: &[f64], n: usize, first: usize) -> Vec<f64> {
    let mut out = undefined(first, values.len());
    if first >= values.len() {
        return out;
    }
    let factor = 2.0 / (n as f64 + 1.0);
    let mut average = mean(&values[first + 1 - n..=first]);
    out.push(average);
    for value in &values[first + 1..] {
        average += (value - average) * factor;
        out.push(average);
    }
    out
}

/// `numerator / denominator`, or `otherwise` where the denominator is nothing but noise beside `scale`.
pub(super) fn ratio(numerator: f64, denominator: f64, scale: f64, otherwise: f64) -> f64 {
    if denominator.abs() <= NOISE * scale.abs() { otherwise } else { numerator / denominator }
}

/// Combines two series bar by bar.
pub(super) fn zip(left: &[f64], right: &[f64], with: impl Fn(f64, f64) -> f64) -> Vec<f64> {
    left.iter().zip(right).map(|(&left, &right)| with(left, right)).collect()
}

/// `100 · (left / right − 1)`, 0 where right is 0.
pub(super) fn percent_above(left: &[f64], right: &[f64]) -> Vec<f64> {
    zip(left, right, |left, right| 100.0 * (ratio(left, right, left, 1.0) - 1.0))
}
