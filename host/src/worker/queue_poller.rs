//! Polls the queues of a worker, and waits while all of them are empty.
//!
//! In: queues in order of priority. Out: claims. Invariant: the first queue has priority, but the
//! other queues do not starve. For every eighth job, another queue is polled first.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use oculus_system::backoff::{Backoff, jittered};
use redis::RedisResult;

use super::claim::Claim;
use super::outage::is_rejection;
use super::queue::{Fetched, Queue};
use super::redis_client::RedisClient;

/// The longest time for which a blocking wait lasts, if the worker has only one queue.
pub(super) const LONGEST_WAIT: Duration = Duration::from_secs(2);

/// The time after which a wait that fails was not rejected at once.
const LONG_WAIT: Duration = Duration::from_millis(200);

/// The longest pause after a failure. It is short, because a fail-over takes a few seconds.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// The maximum number of entries of one fetch. If the responses of a fetch are lost, so many
/// entries wait until their leases expire.
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
    /// The number of entries that wait in a queue, as far as the last fetch has shown.
    n_waiting: u64,
    /// True if the last fetch failed.
    is_failing: bool,
    /// True if a queue was paused at the last fetch.
    is_paused: bool,
}

impl QueuePoller {
    /// Creates a poller.
    ///
    /// * `queues`: the queues in order of priority.
    /// * `blocking_client`: a client for blocking commands, whose responses may take longer than 2
    ///   s.
    pub(super) fn new(queues: Vec<Queue>, blocking_client: RedisClient) -> Self {
        Self {
            queues,
            blocking_client,
            fetch_backoff: Backoff::up_to(LONGEST_PAUSE),
            wait_backoff: Backoff::up_to(LONGEST_PAUSE),
            n_fetched: 0,
            n_waiting: 0,
            is_failing: false,
            is_paused: false,
        }
    }

    /// Returns the number of entries that [`QueuePoller::fetch`] should claim if enough slots are
    /// free. It is at most half of those that wait, so that other idle workers receive some too.
    pub(super) fn batch_size(&self) -> usize {
        usize::try_from(self.n_waiting.div_ceil(2)).unwrap_or(MAX_BATCH).clamp(1, MAX_BATCH)
    }

    /// Claims up to `n_entries` entries. The calls are sent together, because Redis replies to
    /// several calls in little more time than to one. The future must not be dropped before it
    /// completes. An entry whose response is lost would stay claimed until its lease expires.
    pub(super) async fn fetch(&mut self, n_entries: usize) -> Vec<(Queue, Claim)> {
        let turns = self.n_fetched..self.n_fetched + n_entries;
        let fetched = join_all(turns.map(|turn| self.try_fetch(turn))).await;
        // If a call fails, the Redis client logs the error and `wait` pauses.
        self.is_failing = fetched.iter().any(Result::is_err);
        if !self.is_failing {
            self.fetch_backoff.reset();
        }
        let turns: Vec<Turn> = fetched.into_iter().flatten().collect();
        self.is_paused = turns.iter().any(|turn| turn.is_paused);
        let is_empty = turns.iter().any(|turn| turn.claimed.is_none());
        let claims: Vec<_> = turns.into_iter().filter_map(|turn| turn.claimed).collect();
        let n_waiting = claims.iter().map(|(_, claim)| claim.queue_length).max().unwrap_or(0);
        self.n_waiting = if is_empty { 0 } else { n_waiting };
        self.n_fetched += claims.len();
        claims
    }

    /// Returns whether the last fetch failed.
    pub(super) fn is_failing(&self) -> bool {
        self.is_failing
    }

    /// Waits until there may be an entry to fetch. The future may be dropped at any time.
    pub(super) async fn wait(&mut self) {
        let started = Instant::now();
        let waited = match self.queues.as_slice() {
            _ if self.is_failing => return tokio::time::sleep(self.fetch_backoff.pause()).await,
            // A paused queue may contain entries, for which the blocking command would not wait.
            [only] if !self.is_paused => only.wait(&self.blocking_client, LONGEST_WAIT).await,
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

    /// Claims an entry from the first queue that is not empty, in the order of a turn. A queue
    /// whose fetch Redis rejects, for example because its key has another type, does not stop the
    /// others.
    async fn try_fetch(&self, turn: usize) -> RedisResult<Turn> {
        let first = first_queue(turn, self.queues.len());
        let mut is_paused = false;
        let mut rejection = None;
        for offset in 0..self.queues.len() {
            let queue = &self.queues[(first + offset) % self.queues.len()];
            match queue.fetch().await {
                Ok(Fetched::Claimed(claim)) => {
                    return Ok(Turn { claimed: Some((queue.clone(), claim)), is_paused: false });
                }
                Ok(Fetched::Paused) => is_paused = true,
                Ok(Fetched::Empty) => {}
                Err(error) if is_rejection(&error) => rejection = Some(error),
                Err(error) => return Err(error),
            }
        }
        rejection.map_or(Ok(Turn { claimed: None, is_paused }), Err)
    }
}

/// The result of polling the queues once.
struct Turn {
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
