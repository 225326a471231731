//! Combinatorially symmetric cross-validation: does the best strategy of one half of the dates stay good in the other?
//!
//! In: returns of all strategies tried, on the same dates. Out: one [`Selected`] a way to halve the dates, and the
//! probability of backtest overfitting. Everything comes from sums of blocks, so halves cost nothing but additions.

use super::figure::Undefined;

/// Blocks of the dates at most: 12,870 ways to choose half of them.
const MAX_BLOCKS: usize = 16;
/// Fewer blocks leave too few ways to choose half of them: six leave 20.
const MIN_BLOCKS: usize = 6;
/// Minimum number of dates per block.
const MIN_BLOCK_DATES: usize = 10;
/// A variance below this share of the mean square is rounding.
const ROUNDING: f64 = 1e-12;

/// The strategy that was best on one half of the dates, and what it did on the other.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Selected {
    /// Its Sharpe ratio where it was chosen.
    pub in_sample: f64,
    /// Its Sharpe ratio on the other half.
    pub out_of_sample: f64,
    /// `ln(ω / (1 − ω))` of its relative rank there, ω being rank over N + 1: 0 at the median, more where it is better.
    pub logit: f64,
}

/// Probability of backtest overfitting: the share of halvings in which the strategy that is best on one half of the
/// dates comes out at or below the median on the other.
///
/// `PBO = P(λ ≤ 0)`, λ being [`Selected::logit`] (Bailey, Borwein, López de Prado and Zhu, 2017, *The Probability of
/// Backtest Overfitting*, Journal of Computational Finance 20). Sixteen blocks of at least ten dates, or the largest even
/// number of such blocks.
///
/// * `strategies`: shape `[n_strategies][n_dates]`.
///
/// # Errors
/// With fewer than two strategies, or dates for fewer than six blocks.
pub fn probability_of_overfitting<S: AsRef<[f64]>>(strategies: &[S]) -> Result<f64, Undefined> {
    let n_dates = strategies.first().map_or(0, |returns| returns.as_ref().len());
    let n_blocks = (n_dates / MIN_BLOCK_DATES / 2 * 2).min(MAX_BLOCKS);
    if n_blocks < MIN_BLOCKS {
        let needed = MIN_BLOCKS * MIN_BLOCK_DATES;
        return Err(Undefined::because(format!("{n_dates} dates, halving them in many ways needs {needed}")));
    }
    let selected = cross_validate(strategies, n_blocks)?;
    let n_overfit = selected.iter().filter(|selected| selected.logit <= 0.0).count();
    Ok(n_overfit as f64 / selected.len() as f64)
}

/// Chooses the best strategy on each half of the blocks and measures it on the other, in lexicographic order of the
/// chosen blocks. Of equals the first is chosen; equal ranks are averaged. A strategy whose returns never differ on a
/// half has a Sharpe ratio of 0 there: it did nothing.
///
/// * `n_blocks`: even, 2 to 16.
///
/// # Errors
/// With fewer than two strategies, unequal numbers of dates, or fewer than two dates per block.
pub fn cross_validate<S: AsRef<[f64]>>(strategies: &[S], n_blocks: usize) -> Result<Vec<Selected>, Undefined> {
    let blocks = Blocks::new(strategies, n_blocks)?;
    let all = (1_u32 << n_blocks) - 1;
    let halves: Vec<u32> = (0..=all).rev().filter(|half| half.count_ones() as usize == n_blocks / 2).collect();
    // A half and the one that it leaves stand as far from either end, so each pair is summed once.
    let n_pairs = halves.len() / 2;
    let mut selected = Vec::with_capacity(halves.len());
    let mut mirrored = Vec::with_capacity(n_pairs);
    for half in &halves[..n_pairs] {
        let one = blocks.sharpes(*half);
        let other = blocks.sharpes(all ^ half);
        selected.push(select(&one, &other));
        mirrored.push(select(&other, &one));
    }
    selected.extend(mirrored.into_iter().rev());
    Ok(selected)
}

fn select(inside: &[f64], outside: &[f64]) -> Selected {
    let best = (1..inside.len()).fold(0, |best, idx| if inside[idx] > inside[best] { idx } else { best });
    let below = outside.iter().filter(|value| **value < outside[best]).count() as f64;
    let equal = outside.iter().filter(|value| **value == outside[best]).count() as f64;
    let rank = below + (equal + 1.0) / 2.0;
    let logit = (rank / (outside.len() as f64 + 1.0 - rank)).ln();
    Selected { in_sample: inside[best], out_of_sample: outside[best], logit }
}

/// Sums of returns and of their squares, one per strategy.
struct Sums {
    n_dates: usize,
    returns: Vec<f64>,
    squares: Vec<f64>,
}

/// The sums of each block.
struct Blocks(Vec<Sums>);

impl Blocks {
    fn new<S: AsRef<[f64]>>(strategies: &[S], n_blocks: usize) -> Result<Self, Undefined> {
        let n_strategies = strategies.len();
        if n_strategies < 2 {
            return Err(Undefined::because(format!("{n_strategies} strategies tried, a choice needs 2")));
        }
        let n_dates = strategies[0].as_ref().len();
        let is_even = matches!(n_blocks, 2..=MAX_BLOCKS) && n_blocks.is_multiple_of(2);
        if !is_even || n_dates < 2 * n_blocks || strategies.iter().any(|returns| returns.as_ref().len() != n_dates) {
            return Err(Undefined::because(format!("{n_dates} dates cannot be cut into {n_blocks} blocks")));
        }
        let block = |idx: usize| {
            let dates = idx * n_dates / n_blocks..(idx + 1) * n_dates / n_blocks;
            let sum = |value: fn(f64) -> f64| -> Vec<f64> {
                strategies
                    .iter()
                    .map(|returns| returns.as_ref()[dates.clone()].iter().map(|&it| value(it)).sum())
                    .collect()
            };
            Sums { n_dates: dates.len(), returns: sum(|value| value), squares: sum(|value| value * value) }
        };
        Ok(Self((0..n_blocks).map(block).collect()))
    }

    /// Sharpe ratio of each strategy on some blocks; the highest bit is the first block.
    fn sharpes(&self, chosen: u32) -> Vec<f64> {
        let n_blocks = self.0.len();
        let n_strategies = self.0[0].returns.len();
        let mut sums = Sums { n_dates: 0, returns: vec![0.0; n_strategies], squares: vec![0.0; n_strategies] };
        let is_chosen = |idx: &usize| chosen >> (n_blocks - 1 - idx) & 1 == 1;
        for block in (0..n_blocks).filter(is_chosen).map(|idx| &self.0[idx]) {
            sums.n_dates += block.n_dates;
            sums.returns.iter_mut().zip(&block.returns).for_each(|(sum, value)| *sum += value);
            sums.squares.iter_mut().zip(&block.squares).for_each(|(sum, value)| *sum += value);
        }
        let n_dates = sums.n_dates as f64;
        let of_strategy = |(sum, squares): (&f64, &f64)| {
            let mean = sum / n_dates;
            let spread = squares - sum * mean;
            if spread <= ROUNDING * squares { 0.0 } else { mean / (spread / (n_dates - 1.0)).sqrt() }
        };
        sums.returns.iter().zip(&sums.squares).map(of_strategy).collect()
    }
}

#[cfg(test)]
mod tests;
