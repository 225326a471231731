//! A strategy that was tried on the development period, and the choice among all of them.

use super::candidate::StrategyCandidate;
use crate::metrics::UndefinedError;

/// A strategy can be chosen only if it made at least this many round trips in the development
/// period.
pub(super) const MIN_ROUND_TRIPS: usize = 10;

/// A candidate and the figures by which it is compared with others.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct TrialRun {
    /// The candidate.
    pub(super) candidate: StrategyCandidate,
    /// Score from which the candidate enters, if it reads scores.
    pub(super) score_threshold: Option<f32>,
    /// Number of round trips.
    pub(super) n_trades: usize,
    /// Returns in excess of holding the market at equal exposure, one per date.
    pub(super) excess: Vec<f64>,
    /// Annualised Sharpe ratio of the excess.
    pub(super) excess_sharpe: Result<f64, UndefinedError>,
}

impl TrialRun {
    /// Returns whether the candidate made enough round trips to be chosen.
    pub(super) fn is_eligible(&self) -> bool {
        self.n_trades >= MIN_ROUND_TRIPS
    }
}

/// Returns the index of the eligible run with the highest Sharpe ratio; of equal ones, the
/// first.
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
