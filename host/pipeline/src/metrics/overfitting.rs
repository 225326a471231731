//! Combinatorially symmetric cross-validation: measures whether the strategy that is best on one
//! half of the dates is good on the other half too.
//!
//! In: the returns of each tried strategy, on the same dates. Out: one [`Selected`] per way to
//! halve the dates, and the probability of backtest overfitting. All statistics of a half are
//! computed from sums per block, so each half requires only additions.

use super::figure::UndefinedError;

/// Maximum number of blocks: there are 12,870 ways to choose half of 16 blocks.
const MAX_BLOCKS: usize = 16;
/// Minimum number of blocks: there are 20 ways to choose half of 6 blocks, and fewer ways would be
/// too few.
const MIN_BLOCKS: usize = 6;
/// Minimum number of dates per block.
const MIN_BLOCK_DATES: usize = 10;
/// A variance below this share of the mean square is treated as a rounding error. The limit is
/// higher than that of [`sharpe_ratio`](super::sharpe::sharpe_ratio), because a difference of sums
/// loses more digits than a sum of squared deviations.
const ROUNDING: f64 = 1e-12;

/// The figures of the strategy that was best on one half of the dates.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Selected {
    /// Sharpe ratio on the half on which the strategy was chosen.
    pub in_sample: f64,
    /// Sharpe ratio on the other half.
    pub out_of_sample: f64,
    /// `ln(ω / (1 − ω))` with the relative rank on the other half, ω = rank / (N + 1). It is 0 at
    /// the median and positive above it.
    pub logit: f64,
}

/// Computes the probability of backtest overfitting: the share of halvings in which the strategy
/// that is best on one half of the dates is at or below the median on the other half.
///
/// `PBO = P(λ ≤ 0)`, λ being [`Selected::logit`] (Bailey, Borwein, López de Prado and Zhu, 2017,
/// *The Probability of Backtest Overfitting*, Journal of Computational Finance 20). The dates are
/// cut into 16 blocks of at least ten dates; if there are too few dates, into the largest even
/// number of such blocks.
///
/// * `strategies`: shape `[n_strategies][n_dates]`.
///
/// # Errors
/// Returns the reason if there are fewer than two strategies, or too few dates for six blocks.
pub fn probability_of_overfitting<S: AsRef<[f64]>>(strategies: &[S]) -> Result<f64, UndefinedError> {
    let n_dates = strategies.first().map_or(0, |returns| returns.as_ref().len());
    // `/ 2 * 2` rounds down to an even number: the blocks must be divisible into two halves.
    let n_blocks = (n_dates / MIN_BLOCK_DATES / 2 * 2).min(MAX_BLOCKS);
    if n_blocks < MIN_BLOCKS {
        let expected = MIN_BLOCKS * MIN_BLOCK_DATES;
        return Err(UndefinedError::because(format!(
            "found {n_dates} dates, expected at least {expected} for the probability of overfitting"
        )));
    }
    let selected = cross_validate(strategies, n_blocks)?;
    let n_overfit = selected.iter().filter(|selected| selected.logit <= 0.0).count();
    Ok(n_overfit as f64 / selected.len() as f64)
}

/// Chooses the best strategy on each half of the blocks, and measures it on the other half. The
/// halves are in lexicographic order of their blocks. Of equally good strategies, the first is
/// chosen. Strategies with equal Sharpe ratios share the mean of their ranks. A strategy with
/// constant returns on a half did not trade there, so its Sharpe ratio is taken as 0.
///
/// * `n_blocks`: an even number from 2 to 16.
///
/// # Errors
/// Returns the reason if there are fewer than two strategies, unequal numbers of dates, or fewer
/// than two dates per block.
pub fn cross_validate<S: AsRef<[f64]>>(strategies: &[S], n_blocks: usize) -> Result<Vec<Selected>, UndefinedError> {
    let blocks = Blocks::new(strategies, n_blocks)?;
    let all = (1_u32 << n_blocks) - 1;
    let halves: Vec<u32> = (0..=all).rev().filter(|half| half.count_ones() as usize == n_blocks / 2).collect();
    // In this order, a half is as far from the start of the list as its complement is from the end.
    // So each pair is summed once, and the results of the complements are appended in reverse
    // order.
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
    // Equal values share the mean of their ranks.
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
    fn new<S: AsRef<[f64]>>(strategies: &[S], n_blocks: usize) -> Result<Self, UndefinedError> {
        let n_strategies = strategies.len();
        if n_strategies < 2 {
            return Err(UndefinedError::because(format!(
                "found {n_strategies} strategies, expected at least 2 for the probability of overfitting"
            )));
        }
        let n_dates = strategies[0].as_ref().len();
        // A half may consist of a single block, and a Sharpe ratio requires two returns.
        let is_even = matches!(n_blocks, 2..=MAX_BLOCKS) && n_blocks.is_multiple_of(2);
        if !is_even || n_dates < 2 * n_blocks || strategies.iter().any(|returns| returns.as_ref().len() != n_dates) {
            return Err(UndefinedError::because(format!("{n_dates} dates cannot be cut into {n_blocks} blocks")));
        }
        let block = |idx: usize| {
            // These bounds spread the remainder over the blocks, whose lengths differ by one date
            // at most.
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

    /// Returns the Sharpe ratio of each strategy on some blocks.
    ///
    /// * `chosen`: one bit per block; the highest bit is the first block.
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
        let sharpe = |(sum, squares): (&f64, &f64)| {
            let mean = sum / n_dates;
            let deviations = squares - sum * mean;
            if deviations <= ROUNDING * squares { 0.0 } else { mean / (deviations / (n_dates - 1.0)).sqrt() }
        };
        sums.returns.iter().zip(&sums.squares).map(sharpe).collect()
    }
}

#[cfg(test)]
mod tests;
