//! Statistical significance of a strategy's performance, corrected for the number of tries, for
//! chance, and for the market's rise.
//!
//! In: one return per date, in excess of holding the market at equal exposure. Out: figures, and a
//! [`Verdict`]. Invariant: the development figures describe the choice of the strategy; the test
//! figures describe the chosen strategy.

mod figures;
#[cfg(test)]
mod tests;
mod verdict;

use self::figures::CONFIDENCE;
pub use self::{
    figures::{DevelopmentSignificance, TestSignificance},
    verdict::{ModelChance, Verdict, VerdictInputs, VerdictKind, required_confidence, verdict},
};
use crate::metrics::{
    Moments, Random, Reasons, Resamples, UndefinedError, expected_max_sharpe, probability_of_overfitting, sharpe_ratio,
    standard_error, t_interval,
};

/// Returns of the test period in excess of holding the market at equal exposure, with the settings
/// of their evaluation.
#[derive(Clone, Copy, Debug)]
pub struct TestReturns<'a> {
    /// Excess returns as fractions, one per date.
    pub excess: &'a [f64],
    /// Number of round trips.
    pub n_round_trips: usize,
    /// Number of dates on which the market trades per year.
    pub dates_per_year: f64,
    /// Number of dates per block of the bootstrap; see [`return_block_dates`].
    pub block_dates: usize,
    /// Seed of the bootstrap.
    pub seed: u64,
}

/// Returns the number of dates per block of a bootstrap of returns: the cube root of the number of
/// dates, rounded.
///
/// Returns of different dates share no bar, unlike labels, so blocks need not be as long as two
/// horizons. Blocks that grow with the cube root are the best for the variance of a mean whose terms
/// depend on each other over short distances (Hall, Horowitz and Jing, *On Blocking Rules for the
/// Bootstrap with Dependent Data*, 1995).
pub fn return_block_dates(n_dates: usize) -> usize {
    (n_dates as f64).cbrt().round().max(1.0) as usize
}

/// Computes the significance of the choice in the development period.
///
/// The deflated Sharpe ratio counts every candidate as a try. The variance across tries covers only
/// the candidates that have a Sharpe ratio: a candidate that never traded has none. The probability
/// of overfitting covers the eligible candidates only: among candidates that do nothing, any
/// candidate with a gain would look like a good choice.
///
/// * `candidates`: each candidate's returns in excess of holding the market, shape
///   `[n_candidates][n_dates]`.
/// * `is_eligible`: whether a candidate could have been chosen, one entry per candidate.
/// * `chosen_idx`: the candidate that was chosen.
pub fn development(candidates: &[Vec<f64>], is_eligible: &[bool], chosen_idx: usize) -> DevelopmentSignificance {
    let eligible: Vec<&[f64]> =
        candidates.iter().zip(is_eligible).filter(|(_, is)| **is).map(|(returns, _)| returns.as_slice()).collect();
    let chosen = candidates.get(chosen_idx).ok_or_else(|| UndefinedError::because("no strategy was chosen"));
    let moments = chosen.and_then(|returns| Moments::from_returns(returns));
    let expected = expected_best_sharpe(candidates);
    let deflated = moments.clone().and_then(|moments| moments.probabilistic_sharpe(expected.clone()?));
    let mut reasons = Reasons::default();
    DevelopmentSignificance {
        sharpe: reasons.figure("sharpe", moments.map(|moments| moments.sharpe)),
        deflated_sharpe: reasons.figure("deflated_sharpe", deflated),
        expected_max_sharpe: reasons.figure("expected_max_sharpe", expected),
        pbo: reasons.figure("pbo", probability_of_overfitting(&eligible)),
        reasons,
    }
}

/// Returns the Sharpe ratio that the best of this many candidates without an edge is expected to
/// have.
fn expected_best_sharpe(candidates: &[Vec<f64>]) -> Result<f64, UndefinedError> {
    // A candidate that never traded has no Sharpe ratio: it counts in the number of tries below,
    // but not in the variance.
    let sharpes: Vec<f64> = candidates.iter().filter_map(|returns| sharpe_ratio(returns).ok()).collect();
    let n_sharpes = sharpes.len() as f64;
    let mean = sharpes.iter().sum::<f64>() / n_sharpes.max(1.0);
    let squares = sharpes.iter().map(|sharpe| (sharpe - mean).powi(2)).sum::<f64>();
    // The divisor n − 1 is bounded by 1, so that a single candidate has a variance of 0.
    expected_max_sharpe(candidates.len(), squares / (n_sharpes - 1.0).max(1.0))
}

/// Computes the significance of the performance in the test period.
pub fn test(tested: &TestReturns<'_>) -> TestSignificance {
    let &TestReturns { excess, n_round_trips, dates_per_year, block_dates, seed } = tested;
    let n_dates = excess.len();
    // Both intervals use the same resamples, so they describe the same samples of dates.
    let resamples = Resamples::draw(n_dates, block_dates, Random::new(seed, "strategy's excess"));
    let n_blocks = n_dates as f64 / block_dates.max(1) as f64;
    let ci95 = |estimate: Result<f64, UndefinedError>, statistic: &dyn Fn(&[u32]) -> Option<f64>| {
        let draws = resamples.as_ref().map_err(UndefinedError::clone)?.map(statistic)?;
        t_interval(estimate?, standard_error(&draws)?, n_blocks)
    };
    let annual_pct = |mean: f64| 100.0 * dates_per_year * mean;
    let mean_pct = |counts: &[u32]| Some(annual_pct(weighted(excess, counts).0));
    let sharpe = |counts: &[u32]| {
        let (mean, deviation) = weighted(excess, counts);
        (deviation > 0.0).then(|| dates_per_year.sqrt() * mean / deviation)
    };
    let moments = Moments::from_returns(excess);
    let annual_sharpe = moments.clone().map(|moments| dates_per_year.sqrt() * moments.sharpe);
    // The benchmark is 0, because the excess is already relative to the market.
    let length = moments.clone().and_then(|moments| moments.min_track_length(0.0, CONFIDENCE));
    let no_dates = || UndefinedError::because("the test period has no dates");
    let mean = (n_dates > 0).then(|| annual_pct(excess.iter().sum::<f64>() / n_dates as f64)).ok_or_else(no_dates);
    let mut reasons = Reasons::default();
    TestSignificance {
        n_dates,
        years: reasons.figure("years", Ok(n_dates as f64 / dates_per_year)),
        n_round_trips,
        excess_pct_a_year: reasons.figure("excess_pct_a_year", mean.clone()),
        excess_ci95: reasons.value("excess_ci95", ci95(mean, &mean_pct)),
        excess_sharpe: reasons.figure("excess_sharpe", annual_sharpe.clone()),
        excess_sharpe_ci95: reasons.value("excess_sharpe_ci95", ci95(annual_sharpe, &sharpe)),
        probabilistic_sharpe: reasons
            .figure("probabilistic_sharpe", moments.and_then(|moments| moments.probabilistic_sharpe(0.0))),
        min_track_length_dates: reasons.figure("min_track_length_dates", length.clone()),
        years_needed: reasons.figure("years_needed", length.map(|n_dates| n_dates / dates_per_year)),
        reasons,
    }
}

/// Returns the mean and the standard deviation (divisor n − 1) of values that occur `counts` times.
fn weighted(values: &[f64], counts: &[u32]) -> (f64, f64) {
    let n = f64::from(counts.iter().sum::<u32>());
    let sum = |term: &dyn Fn(f64) -> f64| {
        values.iter().zip(counts).map(|(&value, &count)| f64::from(count) * term(value)).sum::<f64>()
    };
    let mean = sum(&|value| value) / n;
    let variance = sum(&|value| (value - mean).powi(2)) / (n - 1.0);
    (mean, variance.sqrt())
}
