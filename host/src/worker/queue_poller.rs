//! Polls the queues of a worker, and waits while all of them are empty.
//!
//! In: queues in order of priority. Out: claims. Invariant: the first queue has priority, but the
//! other queues do not starve. For every eighth job, another queue is polled first.

use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use oculus_system::backoff::{Backoff, jittered};
use redis::RedisResult;

use super::claim::Claim;
use super::context::LONGEST_PAUSE;
use super::outage::is_rejection;
use super::queue::{Fetched, Queue};
use super::redis_client::RedisClient;
use super::slots::Slot;

/// The longest time for which a blocking wait lasts, if the worker has only one queue.
pub(super) const LONGEST_WAIT: Duration = Duration::from_secs(2);

/// The time after which a wait that fails was not rejected at once.
const LONG_WAIT: Duration = Duration::from_millis(200);

/// The maximum number of entries of one fetch. If the responses of a fetch are lost, its entries wait
/// until their leases expire.
const MAX_BATCH: usize = 8;

/// The interval at which several queues are polled.
const POLL_EVERY: Duration = Duration::from_millis(500);

/// Fetches entries from the queues of a worker.
pub(super) struct QueuePoller {
    /// The queues in order of priority.
    queues: Vec<Queue>,
    /// The client for commands that block for up to [`LONGEST_WAIT`]. Other calls must not use
    /// this client, because they would have to wait for the blocking command.
    blocking_client: RedisClient,
    /// The pauses after failed fetches. They are separate from the pauses after failed waits, because
    /// the connection of the waits can fail while the one of the fetches works.
    fetch_backoff: Backoff,
    /// The pauses after failed waits.
    wait_backoff: Backoff,
    /// The number of entries fetched so far.
    n_fetched: usize,
    /// The findings of the last fetch.
    last: FetchSummary,
}

/// The findings of a fetch.
#[derive(Default)]
struct FetchSummary {
    /// The number of claimed entries.
    n_claimed: usize,
    /// The largest number of entries that still waited in the queue of a claimed entry.
    n_waiting: u64,
    /// True if a call found no entry.
    is_empty: bool,
    /// True if a call found no entry, and a queue is paused.
    is_paused: bool,
    /// True if a call failed.
    is_failing: bool,
}

impl QueuePoller {
    /// Creates a poller.
    ///
    /// * `queues`: the queues in order of priority.
    /// * `blocking_client`: a client for blocking commands, whose responses may take longer than
    ///   [`LONGEST_WAIT`].
    pub(super) fn new(queues: Vec<Queue>, blocking_client: RedisClient) -> Self {
        Self {
            queues,
            blocking_client,
            fetch_backoff: Backoff::up_to(LONGEST_PAUSE),
            wait_backoff: Backoff::up_to(LONGEST_PAUSE),
            n_fetched: 0,
            last: FetchSummary::default(),
        }
    }

    /// Returns the number of entries that [`QueuePoller::fetch`] should claim if enough slots are
    /// free: half of those that wait, rounded up, so that other idle workers receive some too.
    pub(super) fn batch_size(&self) -> usize {
        let n_waiting = if self.last.is_empty { 0 } else { self.last.n_waiting };
        usize::try_from(n_waiting.div_ceil(2)).unwrap_or(MAX_BATCH).clamp(1, MAX_BATCH)
    }

    /// Claims up to one entry per slot, and returns their number. The calls are sent together, because
    /// Redis replies to several calls in little more time than to one. The future must not be dropped
    /// before it completes. An entry whose response is lost would stay claimed until its lease expires.
    ///
    /// * `start`: receives each claim as soon as its reply arrives, because its lease must be renewed
    ///   even if later replies are delayed.
    pub(super) async fn fetch(&mut self, slots: Vec<Slot>, mut start: impl FnMut(Queue, Claim, Slot)) -> usize {
        let poll = |(position, slot)| {
            let polled = self.poll(position);
            async { (slot, polled.await) }
        };
        let mut polls: FuturesUnordered<_> = (self.n_fetched..).zip(slots).map(poll).collect();
        let mut summary = FetchSummary::default();
        while let Some((slot, polled)) = polls.next().await {
            // The Redis client has logged the error, and `wait` pauses.
            let Ok(polled) = polled else {
                summary.is_failing = true;
                continue;
            };
            summary.is_paused |= polled.is_paused;
            match polled.claimed {
                Some((queue, claim)) => {
                    summary.n_claimed += 1;
                    summary.n_waiting = summary.n_waiting.max(claim.queue_length);
                    start(queue, claim, slot);
                }
                None => summary.is_empty = true,
            }
        }
        drop(polls);
        self.last = summary;
        if !self.last.is_failing {
            self.fetch_backoff.reset();
        }
        self.n_fetched += self.last.n_claimed;
        self.last.n_claimed
    }

    /// Returns whether the last fetch failed.
    pub(super) fn is_failing(&self) -> bool {
        self.last.is_failing
    }

    /// Waits until there may be an entry to fetch. The future may be dropped at any time.
    pub(super) async fn wait(&mut self) {
        let started = Instant::now();
        let waited = match self.queues.as_slice() {
            _ if self.last.is_failing => return tokio::time::sleep(self.fetch_backoff.pause()).await,
            // A paused queue may contain entries, for which the blocking command would not wait.
            [only] if !self.last.is_paused => only.wait(&self.blocking_client, LONGEST_WAIT).await,
            // The blocking command can wait for only one list, so several queues are polled. The
            // jitter keeps workers that started together from polling at the same times.
            _ => {
                tokio::time::sleep(jittered(POLL_EVERY)).await;
                Ok(())
            }
        };
        // A wait that lasts and then fails, such as one whose connection Redis closes because it is
        // idle, begins a new outage. The pauses grow only for waits that fail at once.
        if waited.is_ok() || started.elapsed() > LONG_WAIT {
            self.wait_backoff.reset();
        }
        // Without a pause, an unavailable Redis would be polled in a busy loop.
        if waited.is_err() {
            tokio::time::sleep(self.wait_backoff.pause()).await;
        }
    }

    /// Claims an entry from the first queue that is not empty. A queue whose fetch Redis rejects, for
    /// example because its key has another type, does not stop the others.
    ///
    /// * `position`: the number of entries fetched before, which selects the first queue.
    ///
    /// # Errors
    /// Returns [`redis::RedisError`] if Redis is unavailable or rejects the fetches of all queues.
    async fn poll(&self, position: usize) -> RedisResult<Polled> {
        let n_queues = self.queues.len();
        let first = first_queue(position, n_queues);
        let mut is_paused = false;
        let mut n_rejected = 0;
        for offset in 0..n_queues {
            let queue = &self.queues[(first + offset) % n_queues];
            match queue.fetch().await {
                Ok(Fetched::Claimed(claim)) => {
                    return Ok(Polled { claimed: Some((queue.clone(), claim)), is_paused: false });
                }
                Ok(Fetched::Paused) => is_paused = true,
                Ok(Fetched::Empty) => {}
                Err(error) if is_rejection(&error) && n_rejected + 1 < n_queues => n_rejected += 1,
                Err(error) => return Err(error),
            }
        }
        Ok(Polled { claimed: None, is_paused })
    }
}

/// The result of polling the queues once.
struct Polled {
    /// The claimed entry; `None` if no queue had one that may be fetched.
    claimed: Option<(Queue, Claim)>,
    /// True if no entry was claimed and a queue is paused.
    is_paused: bool,
}

/// Returns the index of the queue that is polled first after `n_fetched` fetched entries. It is
/// usually 0. For every eighth entry, it is the index of another queue, and these queues take
/// turns.
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
