//! How far a strategy's figures can be trusted: corrected for the number of tries, for chance, and
//! for the market's rise.
//!
//! In: returns of whole dates in excess of holding the market at equal exposure. Out: figures, and
//! a [`Verdict`]. Invariant: the development figures describe the choice of the strategy, the test
//! figures the chosen one.

mod figures;
#[cfg(test)]
mod tests;
mod verdict;

use self::figures::CONFIDENCE;
pub use self::{
    figures::{DevelopmentSignificance, TestSignificance},
    verdict::{Call, Verdict, verdict},
};
use crate::metrics::{
    Moments, Random, Reasons, Resamples, Undefined, expected_max_sharpe, interval, probability_of_overfitting,
    sharpe_ratio,
};

/// Returns of the test's dates, in excess of holding the market at equal exposure.
#[derive(Clone, Copy, Debug)]
pub struct TestReturns<'a> {
    /// One per date, as fractions.
    pub excess: &'a [f64],
    /// Positions opened and closed.
    pub n_round_trips: usize,
    /// Dates of a year: 252, or 52 of weekly bars.
    pub dates_a_year: f64,
    /// Dates of a bootstrap's block.
    pub block_dates: usize,
    /// Where all randomness starts.
    pub seed: u64,
}

/// Measures how far the development period can be trusted.
///
/// The deflated Sharpe ratio counts every candidate as a try. The deviation across tries covers the
/// candidates with a Sharpe ratio: a candidate that never traded does not have one. The probability
/// of overfitting covers the eligible candidates only: among candidates that do nothing, any
/// candidate that gains would seem a sound choice.
///
/// * `candidates`: shape `[n_candidates][n_dates]`: each candidate's returns in excess of holding
///   the market.
/// * `is_eligible`: whether each candidate could have been chosen.
/// * `chosen_idx`: the candidate that was chosen.
pub fn development(candidates: &[Vec<f64>], is_eligible: &[bool], chosen_idx: usize) -> DevelopmentSignificance {
    let eligible: Vec<&[f64]> =
        candidates.iter().zip(is_eligible).filter(|(_, is)| **is).map(|(returns, _)| returns.as_slice()).collect();
    let chosen = candidates.get(chosen_idx).ok_or_else(|| Undefined::because("no strategy was chosen"));
    let moments = chosen.and_then(|returns| Moments::from_returns(returns));
    let expected = expected_of_tries(candidates);
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

fn expected_of_tries(candidates: &[Vec<f64>]) -> Result<f64, Undefined> {
    let sharpes: Vec<f64> = candidates.iter().filter_map(|returns| sharpe_ratio(returns).ok()).collect();
    let n_sharpes = sharpes.len() as f64;
    let mean = sharpes.iter().sum::<f64>() / n_sharpes.max(1.0);
    let squares = sharpes.iter().map(|sharpe| (sharpe - mean).powi(2)).sum::<f64>();
    expected_max_sharpe(candidates.len(), squares / (n_sharpes - 1.0).max(1.0))
}

/// How far the test can be trusted.
pub fn test(tested: &TestReturns<'_>) -> TestSignificance {
    let &TestReturns { excess, n_round_trips, dates_a_year, block_dates, seed } = tested;
    let n_dates = excess.len();
    let resamples = Resamples::draw(n_dates, block_dates, Random::new(seed, "strategy's excess"));
    let ci95 = |statistic: &dyn Fn(&[u32]) -> Option<f64>| {
        interval(resamples.as_ref().map_err(Undefined::clone)?.map(statistic)?)
    };
    let pct_a_year = |mean: f64| 100.0 * dates_a_year * mean;
    let mean_pct = |counts: &[u32]| Some(pct_a_year(weighted(excess, counts).0));
    let sharpe = |counts: &[u32]| {
        let (mean, deviation) = weighted(excess, counts);
        (deviation > 0.0).then(|| dates_a_year.sqrt() * mean / deviation)
    };
    let moments = Moments::from_returns(excess);
    let length = moments.clone().and_then(|moments| moments.min_track_length(0.0, CONFIDENCE));
    let no_dates = || Undefined::because("the test has no date");
    let mean = (n_dates > 0).then(|| excess.iter().sum::<f64>() / n_dates as f64).ok_or_else(no_dates);
    let mut reasons = Reasons::default();
    TestSignificance {
        n_dates,
        years: reasons.figure("years", Ok(n_dates as f64 / dates_a_year)),
        n_round_trips,
        excess_pct_a_year: reasons.figure("excess_pct_a_year", mean.map(pct_a_year)),
        excess_ci95: reasons.value("excess_ci95", ci95(&mean_pct)),
        excess_sharpe: reasons
            .figure("excess_sharpe", moments.clone().map(|moments| dates_a_year.sqrt() * moments.sharpe)),
        excess_sharpe_ci95: reasons.value("excess_sharpe_ci95", moments.clone().and_then(|_| ci95(&sharpe))),
        probabilistic_sharpe: reasons
            .figure("probabilistic_sharpe", moments.and_then(|moments| moments.probabilistic_sharpe(0.0))),
        min_track_length_dates: reasons.figure("min_track_length_dates", length.clone()),
        years_needed: reasons.figure("years_needed", length.map(|n_dates| n_dates / dates_a_year)),
        reasons,
    }
}

/// Mean and deviation (n − 1) of values, each counted so often.
fn weighted(values: &[f64], counts: &[u32]) -> (f64, f64) {
    let n = f64::from(counts.iter().sum::<u32>());
    let sum = |of: &dyn Fn(f64) -> f64| {
        values.iter().zip(counts).map(|(&value, &count)| f64::from(count) * of(value)).sum::<f64>()
    };
    let mean = sum(&|value| value) / n;
    let variance = sum(&|value| (value - mean).powi(2)) / (n - 1.0);
    (mean, variance.sqrt())
}
