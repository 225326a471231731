//! Polls the worker's queues: in which order, and how the worker waits while all are empty.
//!
//! Invariant: the first queue has priority, and no queue starves: for every eighth job another
//! queue is polled first.

use std::time::Duration;

use oculus_system::backoff::{Backoff, jittered};
use redis::RedisResult;

use super::claim::Claim;
use super::queue::Queue;
use super::redis_client::RedisClient;

const WAKE_UP_EVERY: Duration = Duration::from_secs(2);
const POLL_EVERY: Duration = Duration::from_millis(500);

/// Fetches entries from the queues of a worker.
pub(super) struct QueuePoller {
    /// In order of priority.
    queues: Vec<Queue>,
    /// Blocks for up to [`WAKE_UP_EVERY`], so no other call may use it.
    waiting: RedisClient,
    backoff: Backoff,
    n_fetched: usize,
    /// Whether the last fetch failed.
    is_failing: bool,
}

impl QueuePoller {
    /// Creates a poller.
    ///
    /// * `queues`: in order of priority.
    /// * `waiting`: a client for blocking commands, whose responses may take longer than 2 s.
    pub(super) fn new(queues: Vec<Queue>, waiting: RedisClient) -> Self {
        Self { queues, waiting, backoff: Backoff::up_to(Duration::from_secs(5)), n_fetched: 0, is_failing: false }
    }

    /// Claims the next entry, if there is one. The future must run to its end: an entry whose
    /// response is dropped stays claimed until its lease expires.
    pub(super) async fn fetch(&mut self) -> Option<(Queue, Claim)> {
        // The Redis client logs an error, and `wait` pauses after it.
        let fetched = self.try_fetch().await;
        self.is_failing = fetched.is_err();
        let fetched = fetched.ok().flatten();
        self.n_fetched += usize::from(fetched.is_some());
        fetched
    }

    /// Returns when there may be an entry to fetch. The future may be dropped at any time.
    pub(super) async fn wait(&mut self) {
        let waited = match self.queues.as_slice() {
            _ if self.is_failing => return tokio::time::sleep(self.backoff.pause()).await,
            [only] => only.wait(&self.waiting, WAKE_UP_EVERY).await,
            _ => {
                tokio::time::sleep(jittered(POLL_EVERY)).await;
                Ok(())
            }
        };
        match waited {
            Ok(()) => self.backoff.reset(),
            Err(_) => tokio::time::sleep(self.backoff.pause()).await,
        }
    }

    async fn try_fetch(&self) -> RedisResult<Option<(Queue, Claim)>> {
        let first = first_queue(self.n_fetched, self.queues.len());
        for offset in 0..self.queues.len() {
            let queue = &self.queues[(first + offset) % self.queues.len()];
            if let Some(claim) = queue.fetch().await? {
                return Ok(Some((queue.clone(), claim)));
            }
        }
        Ok(None)
    }
}

/// Returns the index of the queue that is polled first for job number `n_fetched`, from 0: the
/// first queue, except for every eighth job, when the others take turns.
fn first_queue(n_fetched: usize, n_queues: usize) -> usize {
    match (n_fetched % 8, n_queues) {
        (7, 2..) => 1 + (n_fetched / 8) % (n_queues - 1),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_queue_has_seven_of_eight_turns_and_the_others_share_the_rest() {
        let turns: Vec<usize> = (0..32).map(|n_fetched| first_queue(n_fetched, 3)).collect();
        assert_eq!(turns.iter().filter(|queue| **queue == 0).count(), 28);
        assert_eq!([turns[7], turns[15], turns[23], turns[31]], [1, 2, 1, 2]);
        assert!((0..32).all(|n_fetched| first_queue(n_fetched, 1) == 0));
    }
}
