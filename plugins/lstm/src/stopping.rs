//! Early stopping: the epoch of lowest loss on rows that were not learnt from, and its weights.

/// Whether to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// This epoch is the best so far: keep its weights.
    Best,
    /// Not better, but patience is left.
    GoOn,
    /// Patience is over.
    Over,
}

/// The epoch of lowest loss so far.
pub struct Best {
    epoch: usize,
    loss: f64,
    patience: usize,
}

impl Best {
    /// Before the first epoch.
    pub fn new(patience: usize) -> Self {
        Self { epoch: 0, loss: f64::INFINITY, patience }
    }

    /// Takes note of an epoch; the first is 1.
    pub fn see(&mut self, epoch: usize, loss: f64) -> Verdict {
        if loss < self.loss {
            (self.epoch, self.loss) = (epoch, loss);
            return Verdict::Best;
        }
        if epoch - self.epoch >= self.patience { Verdict::Over } else { Verdict::GoOn }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_loss_is_kept_and_patience_ends_the_wait() {
        let mut best = Best::new(2);
        let losses = [0.7, 0.6, 0.65, 0.5, 0.5, 0.55];
        let verdicts: Vec<_> = (1..).zip(losses).map(|(epoch, loss)| best.see(epoch, loss)).collect();
        use Verdict::{Best as New, GoOn, Over};
        assert_eq!(verdicts, [New, New, GoOn, New, GoOn, Over]);
    }
}
