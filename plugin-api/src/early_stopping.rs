//! Early stopping, based on the loss on rows outside the training rows.
//!
//! In: one loss per round or epoch. Out: after each round, a decision: keep the model and continue,
//! only continue, or stop. Invariant: the best round is the first of the rounds with the lowest
//! loss.

/// The decision after a round.
///
/// ```
/// use oculus_plugin_api::{EarlyStopping, StopDecision};
///
/// let mut stopping = EarlyStopping::new(1);
/// assert_eq!(stopping.observe(1, 0.6), StopDecision::Best);
/// assert_eq!(stopping.observe(2, 0.7), StopDecision::Stop);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopDecision {
    /// The round has the lowest loss so far. Keep its model and continue.
    Best,
    /// An earlier round is at least as good, but patience is left. Continue.
    Continue,
    /// An earlier round is at least as good, and patience is exhausted. Stop.
    Stop,
}

/// The search for the round, or epoch, with the lowest loss on
/// [`Task::tune_rows`](crate::Task::tune_rows). It stops a fit a given number of rounds after the
/// best round.
///
/// ```
/// use oculus_plugin_api::{EarlyStopping, StopDecision};
///
/// let mut stopping = EarlyStopping::new(2);
/// let mut kept_weights = None;
/// for (epoch, tune_loss) in (1..).zip([0.7, 0.6, 0.65, 0.5, 0.5, 0.55, 0.4]) {
///     let weights = [0.1 * epoch as f64]; // The result of the epoch.
///     match stopping.observe(epoch, tune_loss) {
///         StopDecision::Best => kept_weights = Some(weights),
///         StopDecision::Continue => {}
///         StopDecision::Stop => break,
///     }
/// }
/// assert_eq!(stopping.best_round(), Some(4));
/// assert_eq!(kept_weights, Some([0.4]));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EarlyStopping {
    patience: usize,
    best: Option<BestRound>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct BestRound {
    round: usize,
    loss: f64,
}

impl EarlyStopping {
    /// Creates the state before the first round. The fit stops after `patience` rounds without a
    /// lower loss. A `patience` of 0 has the effect of 1.
    pub fn new(patience: usize) -> Self {
        Self { patience, best: None }
    }

    /// Records the loss of a round. Rounds are numbered from 1, in ascending order. Numbers may be
    /// skipped.
    ///
    /// A loss that is NaN or `+∞` is never the best. Patience counts from the best round. Before
    /// the first finite loss, it counts from the start of the fit.
    pub fn observe(&mut self, round: usize, loss: f64) -> StopDecision {
        let lowest = self.best.map_or(f64::INFINITY, |best| best.loss);
        // The comparison is strict, so the first of several equal losses remains the best, and NaN
        // is never the best.
        if loss < lowest {
            self.best = Some(BestRound { round, loss });
            return StopDecision::Best;
        }
        // A round that is not the best comes at least one round after the best, so a patience of 0
        // has the effect of 1.
        let n_waited = round.saturating_sub(self.best_round().unwrap_or(0));
        if n_waited >= self.patience { StopDecision::Stop } else { StopDecision::Continue }
    }

    /// Returns the round with the lowest loss; `None` before the first finite loss.
    pub fn best_round(&self) -> Option<usize> {
        self.best.map(|best| best.round)
    }

    /// Returns the lowest loss; `None` before the first finite loss.
    pub fn best_loss(&self) -> Option<f64> {
        self.best.map(|best| best.loss)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The losses from which the test sequences are built. The sequences contain ties, falls, rises
    /// and values that are not finite.
    const LOSSES: [f64; 5] = [0.25, 0.5, 1.0, f64::INFINITY, f64::NAN];

    /// Calls `check` with every sequence of `n_rounds` values from [`LOSSES`].
    fn for_each_sequence(n_rounds: u32, mut check: impl FnMut(&[f64])) {
        for code in 0..LOSSES.len().pow(n_rounds) {
            let loss = |round: u32| LOSSES[code / LOSSES.len().pow(round) % LOSSES.len()];
            check(&(0..n_rounds).map(loss).collect::<Vec<_>>());
        }
    }

    /// Returns the first round with the lowest finite loss, counted from 1.
    fn first_lowest(losses: &[f64]) -> Option<usize> {
        let lowest = losses.iter().copied().filter(|loss| loss.is_finite()).reduce(f64::min)?;
        losses.iter().position(|loss| *loss == lowest).map(|idx| idx + 1)
    }

    #[test]
    fn the_lowest_loss_is_kept_and_the_fit_stops_when_patience_is_exhausted() {
        let mut stopping = EarlyStopping::new(2);
        let losses = [0.7, 0.6, 0.65, 0.5, 0.5, 0.55];
        let decisions: Vec<_> = (1..).zip(losses).map(|(round, loss)| stopping.observe(round, loss)).collect();
        use StopDecision::{Best, Continue, Stop};
        assert_eq!(decisions, [Best, Best, Continue, Best, Continue, Stop]);
        assert_eq!((stopping.best_round(), stopping.best_loss()), (Some(4), Some(0.5)));
    }

    #[test]
    fn the_best_round_is_the_first_of_lowest_loss_in_every_sequence() {
        for_each_sequence(6, |losses| {
            let mut stopping = EarlyStopping::new(usize::MAX);
            for (idx, loss) in losses.iter().enumerate() {
                let decision = stopping.observe(idx + 1, *loss);
                let best = first_lowest(&losses[..=idx]);
                assert_eq!(stopping.best_round(), best, "{losses:?}");
                assert_eq!(decision == StopDecision::Best, best == Some(idx + 1), "{losses:?}");
            }
        });
    }

    #[test]
    fn a_fit_stops_exactly_when_patience_has_passed_since_the_best_round_in_every_sequence() {
        for patience in 0..5 {
            for_each_sequence(6, |losses| {
                let mut stopping = EarlyStopping::new(patience);
                for (idx, loss) in losses.iter().enumerate() {
                    let round = idx + 1;
                    let decision = stopping.observe(round, *loss);
                    let n_waited = round - first_lowest(&losses[..round]).unwrap_or(0);
                    let is_over = n_waited > 0 && n_waited >= patience;
                    assert_eq!(decision == StopDecision::Stop, is_over, "patience {patience}, {losses:?}");
                }
            });
        }
    }

    #[test]
    fn skipped_rounds_count_towards_patience() {
        let mut stopping = EarlyStopping::new(3);
        assert_eq!(stopping.observe(2, 0.5), StopDecision::Best);
        assert_eq!(stopping.observe(4, 0.5), StopDecision::Continue);
        assert_eq!(stopping.observe(5, 0.5), StopDecision::Stop);
    }
}
