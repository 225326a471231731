//! The slots of a worker: how many jobs may run at the same time.
//!
//! In: a limit that can change while jobs run. Out: [`Slot`]s. Invariant: no slot is acquired while
//! as many slots as the limit allows are in use. A smaller limit stops no job.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::{Notify, watch};

/// The slots of a worker. Clones share the slots.
#[derive(Clone)]
pub(super) struct Slots {
    n_used: Arc<Mutex<usize>>,
    limit: watch::Sender<usize>,
    /// Wakes the one task that acquires slots.
    freed: Arc<Notify>,
}

/// The right to run one job. It ends when this value is dropped.
pub(super) struct Slot {
    slots: Slots,
}

impl Slots {
    /// Creates the slots.
    pub(super) fn new(limit: usize) -> Self {
        Self { n_used: Arc::default(), limit: watch::Sender::new(limit), freed: Arc::default() }
    }

    /// Returns the number of jobs that may run at the same time.
    pub(super) fn limit(&self) -> usize {
        *self.limit.borrow()
    }

    /// Returns a receiver of the limit.
    pub(super) fn limits(&self) -> watch::Receiver<usize> {
        self.limit.subscribe()
    }

    /// Changes the number of jobs that may run at the same time. Running jobs continue.
    pub(super) fn set_limit(&self, limit: usize) {
        self.limit.send_replace(limit);
        self.freed.notify_one();
    }

    /// Waits until a slot is free, and acquires it. Only one task may wait at a time.
    pub(super) async fn acquire(&self) -> Slot {
        loop {
            if let Some(slot) = self.try_acquire() {
                return slot;
            }
            // A notification that was sent since the check is not lost: `Notify` stores it.
            self.freed.notified().await;
        }
    }

    /// Acquires a slot, unless none is free.
    pub(super) fn try_acquire(&self) -> Option<Slot> {
        let mut n_used = self.n_used.lock();
        (*n_used < self.limit()).then(|| {
            *n_used += 1;
            Slot { slots: self.clone() }
        })
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        *self.slots.n_used.lock() -= 1;
        self.slots.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_smaller_limit_stops_no_job_and_admits_none_until_enough_have_ended() {
        let slots = Slots::new(2);
        let [first, second] = [(); 2].map(|()| slots.try_acquire().unwrap());
        assert!(slots.try_acquire().is_none());
        slots.set_limit(3);
        let third = slots.try_acquire().unwrap();
        slots.set_limit(1);
        drop((first, second));
        assert!(slots.try_acquire().is_none(), "one job still runs");
        drop(third);
        assert!(slots.try_acquire().is_some());
    }

    #[tokio::test]
    async fn a_waiting_task_is_woken_by_a_larger_limit_and_by_the_end_of_a_job() {
        let slots = Slots::new(1);
        let first = slots.acquire().await;
        let (second, ()) = tokio::join!(slots.acquire(), async { slots.set_limit(2) });
        let (_, ()) = tokio::join!(slots.acquire(), async { drop(first) });
        drop(second);
    }
}
