//! A limit to how much is done at once, by threads that wait for their turn.
//!
//! Invariant: whoever takes long keeps nobody waiting: a turn counts for a while only.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Turns that were taken, and how many may be.
pub struct Turns {
    n_at_once: usize,
    counts_for: Duration,
    /// When each turn began that has not been given back.
    taken: Mutex<Vec<Instant>>,
    given_back: Condvar,
}

/// A turn, given back when dropped.
pub struct Turn<'a> {
    turns: &'a Turns,
    began: Instant,
}

impl Turns {
    /// So many at once, each of which counts for so long.
    pub fn of(n_at_once: usize, counts_for: Duration) -> Self {
        Self { n_at_once, counts_for, taken: Mutex::default(), given_back: Condvar::new() }
    }

    /// Waits for a turn.
    pub fn take(&self) -> Turn<'_> {
        let mut taken = self.taken();
        loop {
            let now = Instant::now();
            let left = |began: &Instant| self.counts_for.checked_sub(now.duration_since(*began));
            let counting: Vec<_> = taken.iter().filter_map(left).filter(|left| !left.is_zero()).collect();
            if counting.len() < self.n_at_once {
                taken.push(now);
                return Turn { turns: self, began: now };
            }
            let first_left = counting.into_iter().min().unwrap_or_default();
            let waited = self.given_back.wait_timeout(taken, first_left);
            taken = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn taken(&self) -> MutexGuard<'_, Vec<Instant>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut taken = self.turns.taken();
        if let Some(idx) = taken.iter().position(|began| *began == self.began) {
            taken.swap_remove(idx);
        }
        self.turns.given_back.notify_one();
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn the_next_turn_begins_when_one_is_given_back() {
        let turns = Turns::of(2, Duration::from_secs(3600));
        let (first, _second) = (turns.take(), turns.take());
        let (tell, told) = mpsc::channel();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let _third = turns.take();
                tell.send("taken").unwrap();
            });
            assert_eq!(told.try_recv(), Err(mpsc::TryRecvError::Empty), "two are taken");
            drop(first);
            assert_eq!(told.recv(), Ok("taken"));
        });
    }

    #[test]
    fn a_turn_that_lasts_keeps_nobody_waiting() {
        let turns = Turns::of(1, Duration::from_millis(1));
        let all = [turns.take(), turns.take(), turns.take()];
        assert_eq!(turns.taken().len(), 3);
        drop(all);
        assert!(turns.taken().is_empty());
    }
}
