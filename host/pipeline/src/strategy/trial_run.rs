//! A strategy that was tried on the development period.

use super::candidate::StrategyCandidate;
use crate::metrics::Undefined;

/// Round trips in the development period below which a strategy is not chosen.
pub(super) const MIN_ROUND_TRIPS: usize = 10;

/// A candidate and the figures by which it is compared with others.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct TrialRun {
    /// The candidate.
    pub(super) candidate: StrategyCandidate,
    /// Score from which it enters, if it reads scores.
    pub(super) score_threshold: Option<f32>,
    /// Number of round trips.
    pub(super) n_trades: usize,
    /// Returns in excess of holding the market at equal exposure, one per date.
    pub(super) excess: Vec<f64>,
    /// Annualised Sharpe ratio of the excess.
    pub(super) excess_sharpe: Result<f64, Undefined>,
}

impl TrialRun {
    /// Returns whether it made enough round trips to be chosen.
    pub(super) fn is_eligible(&self) -> bool {
        self.n_trades >= MIN_ROUND_TRIPS
    }
}

/// Returns the position of the eligible run of the best Sharpe ratio, the first of equals.
pub(super) fn choose(runs: &[TrialRun]) -> Option<usize> {
    let mut best: Option<(usize, f64)> = None;
    for (idx, run) in runs.iter().enumerate().filter(|(_, run)| run.is_eligible()) {
        let Ok(sharpe) = run.excess_sharpe else { continue };
        if best.is_none_or(|(_, highest)| sharpe > highest) {
            best = Some((idx, sharpe));
        }
    }
    best.map(|(idx, _)| idx)
}
