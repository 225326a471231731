//! Which queue is asked next, and how the worker waits when all are empty.
//!
//! Invariant: the first queue has priority, and no queue is starved: every eighth job is looked for elsewhere first.

use std::time::Duration;

use redis::RedisResult;

use oculus_system::backoff::{Backoff, jittered};

use super::claim::Claim;
use super::queue::Queue;
use super::redis_client::RedisClient;

const WAKE_UP_EVERY: Duration = Duration::from_secs(2);
const POLL_EVERY: Duration = Duration::from_millis(500);

/// The queues of a worker, in order of priority.
pub struct QueuePoller {
    queues: Vec<Queue>,
    /// Blocks for as long as [`WAKE_UP_EVERY`], so nothing else may use it.
    waiting: RedisClient,
    backoff: Backoff,
    n_taken: usize,
    /// Whether the last fetch failed.
    is_failing: bool,
}

impl QueuePoller {
    /// Queues in order of priority, and a link for waiting whose answers may take longer than 2 s.
    pub fn new(queues: Vec<Queue>, waiting: RedisClient) -> Self {
        Self { queues, waiting, backoff: Backoff::up_to(Duration::from_secs(5)), n_taken: 0, is_failing: false }
    }

    /// Takes the next entry, if any. Not to be dropped half-way: an answer that nobody hears costs a lease time.
    pub async fn fetch(&mut self) -> Option<(Queue, Claim)> {
        // An error has been said by the link; the pause is made by waiting.
        let taken = self.try_fetch().await;
        self.is_failing = taken.is_err();
        let taken = taken.ok().flatten();
        self.n_taken += usize::from(taken.is_some());
        taken
    }

    /// Returns when there may be something to take. May be dropped at any time.
    pub async fn wait(&mut self) {
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
        let first = first_queue(self.n_taken, self.queues.len());
        for offset in 0..self.queues.len() {
            let queue = &self.queues[(first + offset) % self.queues.len()];
            if let Some(claim) = queue.fetch().await? {
                return Ok(Some((queue.clone(), claim)));
            }
        }
        Ok(None)
    }
}

/// The queue that is asked first for job number `n_taken` (from 0): the first but for every eighth time, when the
/// others take turns.
fn first_queue(n_taken: usize, n_queues: usize) -> usize {
    match (n_taken % 8, n_queues) {
        (7, 2..) => 1 + (n_taken / 8) % (n_queues - 1),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_queue_has_seven_of_eight_turns_and_the_others_share_the_rest() {
        let turns: Vec<usize> = (0..32).map(|n_taken| first_queue(n_taken, 3)).collect();
        assert_eq!(turns.iter().filter(|queue| **queue == 0).count(), 28);
        assert_eq!([turns[7], turns[15], turns[23], turns[31]], [1, 2, 1, 2]);
        assert!((0..32).all(|n_taken| first_queue(n_taken, 1) == 0));
    }
}
