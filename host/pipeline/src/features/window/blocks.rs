//! Moving windows in constant time per bar, without subtracting what leaves the window.
//!
//! The bars are cut into blocks of `n`. A window is the end of one block and the start of the next, so its fold is that
//! of the older block from some bar on, kept from a pass backwards, merged with that of the newer one so far: three
//! merges per bar for any `n`. Source: van Herk (1992), Gil and Werman (1993). A value that leaves the window leaves no
//! rounding error, unlike in a running sum.

use std::hint::select_unpredictable;

use super::noise::NOISE;

/// Folds the window of `n` bars that ends at each bar, and hands over the fold, its reference and the bar.
///
/// * `term`: computes the term of a bar relative to a reference bar, which is part of every window that the term is in.
/// * `merge`: merges the folds of two adjacent ranges, the older one first; `empty` is the fold of no bar.
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
    for start in (n..len).step_by(n) {
        let reference = start - 1;
        let last = start + n - 1;
        let mut prefix = empty;
        let mut suffix = empty;
        // Both ways at once: neither waits for the other's additions. A last block that is not whole needs no suffixes.
        let n_whole = if last < len { n } else { 0 };
        let kept = newer[..n_whole].iter_mut().zip(start..last + 1).rev();
        let mut backwards = kept.map(|(kept, bar)| {
            suffix = merge(term(bar, last), suffix);
            *kept = suffix;
            suffix
        });
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

/// Sums several terms over the window of `n` bars that ends at each bar, and hands over the sums,
/// their reference and the bar.
pub(in super::super) fn sum_windows<const K: usize>(
    len: usize,
    n: usize,
    terms: impl Fn(usize, usize) -> [f64; K],
    emit: impl FnMut([f64; K], usize, usize),
) {
    let add = |left: [f64; K], right: [f64; K]| std::array::from_fn(|idx| left[idx] + right[idx]);
    fold_windows(len, n, [0.0; K], terms, add, emit);
}

/// Sum of the last `n` values.
pub(in super::super) fn sum(values: &[f64], n: usize) -> Vec<f64> {
    let mut out = vec![f64::NAN; values.len()];
    sum_windows(values.len(), n, |bar, _| [values[bar]], |[sum], _, bar| out[bar] = sum);
    out
}

/// Simple moving average: exactly the value where it does not change.
pub(in super::super) fn sma(values: &[f64], n: usize) -> Vec<f64> {
    sma_from(values, n, 0)
}

/// Simple moving average of the values from bar `first` on; NaN before.
pub(in super::super) fn sma_from(values: &[f64], n: usize, first: usize) -> Vec<f64> {
    let share = 1.0 / n as f64;
    let mut out = vec![f64::NAN; values.len()];
    let first = first.min(out.len());
    let known = &values[first..];
    let shown = &mut out[first..];
    let distance = |bar: usize, reference: usize| [known[bar] - known[reference]];
    sum_windows(known.len(), n, distance, |[sum], reference, bar| shown[bar] = known[reference] + sum * share);
    out
}

/// Largest of the last `n` values.
pub(in super::super) fn highest(values: &[f64], n: usize) -> Vec<f64> {
    extreme(values, n, f64::NEG_INFINITY, |left, right| if left > right { left } else { right })
}

/// Smallest of the last `n` values.
pub(in super::super) fn lowest(values: &[f64], n: usize) -> Vec<f64> {
    extreme(values, n, f64::INFINITY, |left, right| if left < right { left } else { right })
}

fn extreme(values: &[f64], n: usize, empty: f64, pick: impl Fn(f64, f64) -> f64) -> Vec<f64> {
    let mut out = vec![f64::NAN; values.len()];
    fold_windows(values.len(), n, empty, |bar, _| values[bar], pick, |value, _, bar| out[bar] = value);
    out
}

/// Bars since the largest of the last `n` values, the latest of those that differ by nothing but noise.
pub(in super::super) fn last_highest(values: &[f64], n: usize) -> Vec<f64> {
    bars_since(values, n, f64::NEG_INFINITY, |older, newer| newer >= older - NOISE * older.abs())
}

/// Bars since the smallest of the last `n` values, the latest of those that differ by nothing but noise.
pub(in super::super) fn last_lowest(values: &[f64], n: usize) -> Vec<f64> {
    bars_since(values, n, f64::INFINITY, |older, newer| newer <= older + NOISE * older.abs())
}

fn bars_since(values: &[f64], n: usize, empty: f64, newer_wins: impl Fn(f64, f64) -> bool) -> Vec<f64> {
    let mut out = vec![f64::NAN; values.len()];
    let pick = |older: (f64, usize), newer: (f64, usize)| {
        let wins = newer_wins(older.0, newer.0);
        // Which one wins cannot be guessed: a branch would often be wrong.
        (select_unpredictable(wins, newer.0, older.0), select_unpredictable(wins, newer.1, older.1))
    };
    let fold = |at: (f64, usize), _: usize, bar: usize| out[bar] = (bar - at.1) as f64;
    fold_windows(values.len(), n, (empty, 0), |bar, _| (values[bar], bar), pick, fold);
    out
}
