//! Work that is asked for by many and done by one thread: as often as needed, not as often as asked.
//!
//! Invariant: what was there to see when somebody asked has been seen by a round that began after; nobody waits for the
//! rounds of others who ask without end.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// How many rounds were asked for, and up to which one they are done.
#[derive(Debug, Default)]
pub(super) struct Renewal {
    rounds: Mutex<Rounds>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Rounds {
    n_asked: u64,
    n_done: u64,
    is_closed: bool,
}

impl Renewal {
    /// Starts the thread, which runs until the work says that it is over, or until [`Renewal::close`].
    ///
    /// # Errors
    /// When there is no thread.
    pub(super) fn start(self: &Arc<Self>, work: impl Fn() -> Option<()> + Send + 'static) -> std::io::Result<()> {
        let renewal = Arc::clone(self);
        let run = move || {
            // Whoever waits must not wait for a thread that is gone, whatever ended it.
            let _closed = CloseOnDrop(Arc::clone(&renewal));
            while let Some(round) = renewal.next() {
                if work().is_none() {
                    return;
                }
                renewal.locked().n_done = round;
                renewal.changed.notify_all();
            }
        };
        std::thread::Builder::new().name("snapshot".to_owned()).spawn(run).map(drop)
    }

    /// Asks for a round.
    pub(super) fn ask(&self) {
        self.locked().n_asked += 1;
        self.changed.notify_all();
    }

    /// Asks for a round and waits for its end.
    pub(super) fn asked_and_done(&self) {
        let mut rounds = self.locked();
        rounds.n_asked += 1;
        let mine = rounds.n_asked;
        self.changed.notify_all();
        let waits = |rounds: &mut Rounds| rounds.n_done < mine && !rounds.is_closed;
        drop(self.changed.wait_while(rounds, waits).unwrap_or_else(PoisonError::into_inner));
    }

    /// Ends the thread.
    pub(super) fn close(&self) {
        self.locked().is_closed = true;
        self.changed.notify_all();
    }

    /// Waits for something to do: the number of the latest round that was asked for.
    fn next(&self) -> Option<u64> {
        let idle = |rounds: &mut Rounds| rounds.n_asked == rounds.n_done && !rounds.is_closed;
        let rounds = self.changed.wait_while(self.locked(), idle).unwrap_or_else(PoisonError::into_inner);
        (!rounds.is_closed).then_some(rounds.n_asked)
    }

    fn locked(&self) -> MutexGuard<'_, Rounds> {
        self.rounds.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct CloseOnDrop(Arc<Renewal>);

impl Drop for CloseOnDrop {
    fn drop(&mut self) {
        self.0.close();
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    #[test]
    fn a_round_that_was_waited_for_has_seen_what_was_there() {
        let (renewal, there, seen) =
            (Arc::new(Renewal::default()), Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let (from, to) = (Arc::clone(&there), Arc::clone(&seen));
        let look = move || {
            to.store(from.load(Ordering::SeqCst), Ordering::SeqCst);
            Some(())
        };
        renewal.start(look).unwrap();
        for number in 1..=1000 {
            there.store(number, Ordering::SeqCst);
            renewal.ask();
            renewal.asked_and_done();
            assert_eq!(seen.load(Ordering::SeqCst), number);
        }
        renewal.close();
    }

    #[test]
    fn nobody_waits_for_a_thread_that_is_gone() {
        let renewal = Arc::new(Renewal::default());
        renewal.start(|| None).unwrap();
        renewal.asked_and_done();
        renewal.asked_and_done();
    }
}
