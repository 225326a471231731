//! Computes moving windows in constant time per bar, without subtracting values that leave the
//! window.
//!
//! The bars are divided into blocks of `n`. A window consists of the end of one block and the start
//! of the next. The fold of a window merges two folds: one of the end of the older block, which a
//! backward pass has stored, and one of the start of the newer block. This takes three merges per
//! bar for any `n`. Unlike in a running sum, a value that has left the window leaves no rounding
//! error. Source: van Herk (1992), Gil and Werman (1993).

use std::hint::select_unpredictable;

use super::noise::NOISE;

/// Folds the window of `n` bars that ends at each bar.
///
/// * `empty`: fold of a range without bars.
/// * `term`: computes the term of a bar relative to a reference bar. The reference is in every
///   window that contains the bar.
/// * `merge`: merges the folds of two adjacent ranges, the older one first.
/// * `emit`: receives the fold of a window, its reference bar and its last bar.
fn fold_windows<S: Copy>(
    len: usize,
    n: usize,
    empty: S,
    term: impl Fn(usize, usize) -> S,
    merge: impl Fn(S, S) -> S,
    mut emit: impl FnMut(S, usize, usize),
) {
    if len < n {
        return;
    }
    let mut older = vec![empty; n];
    let mut newer = vec![empty; n];
    let mut suffix = empty;
    for (kept, bar) in older.iter_mut().zip(0..n).rev() {
        suffix = merge(term(bar, n - 1), suffix);
        *kept = suffix;
    }
    emit(suffix, n - 1, n - 1);
    // All windows that end in the block at `start` contain the last bar of the older block. That
    // bar is the reference.
    for start in (n..len).step_by(n) {
        let reference = start - 1;
        let last = start + n - 1;
        let mut prefix = empty;
        let mut suffix = empty;
        // The forward and the backward pass are interleaved, so that neither waits for the
        // additions of the other. An incomplete last block needs no suffixes.
        let n_whole = if last < len { n } else { 0 };
        let kept = newer[..n_whole].iter_mut().zip(start..last + 1).rev();
        let mut backwards = kept.map(|(kept, bar)| {
            suffix = merge(term(bar, last), suffix);
            *kept = suffix;
            suffix
        });
        // The window that ends at the first bar of this block starts at the second bar of the older
        // block. The window that equals the whole block is emitted after the loop.
        for (&suffix, bar) in older[1..].iter().zip(start..len) {
            prefix = merge(prefix, term(bar, reference));
            emit(merge(suffix, prefix), reference, bar);
            backwards.next();
        }
        if let Some(whole) = backwards.next() {
            emit(whole, last, last);
        }
        std::mem::swap(&mut older, &mut newer);
    }
}

/// Sums several terms over the window of `n` bars that ends at each bar.
///
/// * `terms`: computes the terms of a bar relative to a reference bar.
/// * `emit`: receives the sums of a window, its reference bar and its last bar.
pub(in super::super) fn sum_windows<const K: usize>(
    len: usize,
    n: usize,
    terms: impl Fn(usize, usize) -> [f64; K],
    emit: impl FnMut([f64; K], usize, usize),
) {
    let add = |left: [f64; K], right: [f64; K]| std::array::from_fn(|idx| left[idx] + right[idx]);
    fold_windows(len, n, [0.0; K], terms, add, emit);
}

/// Computes the sum of the last `n` values.
pub(in super::super) fn sum(values: &[f64], n: usize) -> Vec<f64> {
    let mut out = vec![f64::NAN; values.len()];
    sum_windows(values.len(), n, |bar, _| [values[bar]], |[sum], _, bar| out[bar] = sum);
    out
}

/// Computes the simple moving average. The average of equal values is exactly that value.
pub(in super::super) fn sma(values: &[f64], n: usize) -> Vec<f64> {
    sma_from(values, n, 0)
}

/// Computes the simple moving average of the values from bar `first` on; NaN before the first whole
/// window.
pub(in super::super) fn sma_from(values: &[f64], n: usize, first: usize) -> Vec<f64> {
    let share = 1.0 / n as f64;
    let mut out = vec![f64::NAN; values.len()];
    let first = first.min(out.len());
    let known = &values[first..];
    let shown = &mut out[first..];
    // The sum of distances from a value of the window is exactly 0 for equal values; a sum of
    // values would be rounded.
    let distance = |bar: usize, reference: usize| [known[bar] - known[reference]];
    sum_windows(known.len(), n, distance, |[sum], reference, bar| shown[bar] = known[reference] + sum * share);
    out
}

/// Computes the largest of the last `n` values.
pub(in super::super) fn highest(values: &[f64], n: usize) -> Vec<f64> {
    extreme(values, n, f64::NEG_INFINITY, |left, right| if left > right { left } else { right })
}

/// Computes the smallest of the last `n` values.
pub(in super::super) fn lowest(values: &[f64], n: usize) -> Vec<f64> {
    extreme(values, n, f64::INFINITY, |left, right| if left < right { left } else { right })
}

fn extreme(values: &[f64], n: usize, empty: f64, pick: impl Fn(f64, f64) -> f64) -> Vec<f64> {
    let mut out = vec![f64::NAN; values.len()];
    fold_windows(values.len(), n, empty, |bar, _| values[bar], pick, |value, _, bar| out[bar] = value);
    out
}

/// Counts the bars since the largest of the last `n` values. Of values that differ only by rounding
/// noise, the latest is the largest.
pub(in super::super) fn last_highest(values: &[f64], n: usize) -> Vec<f64> {
    bars_since(values, n, f64::NEG_INFINITY, |older, newer| newer >= older - NOISE * older.abs())
}

/// Counts the bars since the smallest of the last `n` values. Of values that differ only by
/// rounding noise, the latest is the smallest.
pub(in super::super) fn last_lowest(values: &[f64], n: usize) -> Vec<f64> {
    bars_since(values, n, f64::INFINITY, |older, newer| newer <= older + NOISE * older.abs())
}

fn bars_since(values: &[f64], n: usize, empty: f64, newer_wins: impl Fn(f64, f64) -> bool) -> Vec<f64> {
    let mut out = vec![f64::NAN; values.len()];
    let pick = |older: (f64, usize), newer: (f64, usize)| {
        let wins = newer_wins(older.0, newer.0);
        // The selection has no branch. The winner is hard to predict, so the processor would often
        // mispredict a branch.
        (select_unpredictable(wins, newer.0, older.0), select_unpredictable(wins, newer.1, older.1))
    };
    let fold = |at: (f64, usize), _: usize, bar: usize| out[bar] = (bar - at.1) as f64;
    fold_windows(values.len(), n, (empty, 0), |bar, _| (values[bar], bar), pick, fold);
    out
}
