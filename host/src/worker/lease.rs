//! Renews the leases of this worker's attempts, on a separate thread, runtime and connection.
//!
//! In: claims. Out: the [`LeaseStatus`] of each claim. Invariant: a busy runtime or a slow command
//! on another connection cannot delay a renewal. If the last renewal is older than five sixths of a
//! lease, the attempt publishes nothing, because another worker may soon claim the job.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use oculus_system::backoff::Backoff;
use parking_lot::Mutex;
use redis::RedisResult;
use tokio::sync::watch;

use super::claim::ClaimId;
use super::outage::is_rejection;
use super::queue::{LeaseStatus, Queue};
use super::redis_client::RedisClient;

/// The key of a lease: the name of its queue, and the id of its claim. Tokens are unique only
/// within a queue.
type LeaseKey = (String, ClaimId);

/// All leases that this worker holds.
#[derive(Clone, Default)]
pub(super) struct Leases {
    held: Arc<Mutex<HashMap<LeaseKey, HeldLease>>>,
}

/// A lease in the list of leases to renew.
struct HeldLease {
    queue: Queue,
    renewal: watch::Sender<Renewal>,
}

/// The last renewal of a lease.
#[derive(Clone, Copy)]
struct Renewal {
    status: LeaseStatus,
    /// The time at which the request was sent.
    at: Instant,
}

/// The lease of one claim. The lease is renewed until this value is dropped.
pub(super) struct Lease {
    leases: Leases,
    key: LeaseKey,
    renewal: watch::Receiver<Renewal>,
    ttl: Duration,
}

impl Leases {
    /// Starts the thread that renews the leases at intervals of a third of `ttl`. Therefore a lease
    /// survives two failed renewals in a row.
    ///
    /// * `redis`: a client that no other part of the worker uses, because its connection belongs to
    ///   the runtime of the thread.
    ///
    /// # Errors
    /// Returns [`io::Error`] if the thread or its runtime cannot be started.
    pub(super) fn start(redis: RedisClient, ttl: Duration) -> io::Result<Self> {
        let leases = Self::default();
        let renewed = leases.clone();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        std::thread::Builder::new()
            .name("leases".to_owned())
            .spawn(move || runtime.block_on(renewed.renew_forever(&redis, ttl)))?;
        Ok(leases)
    }

    /// Adds the lease of a claim to the leases that are renewed.
    pub(super) fn hold(&self, queue: &Queue, claim: ClaimId) -> Lease {
        let (sender, renewal) = watch::channel(Renewal { status: LeaseStatus::Held, at: Instant::now() });
        let key = (queue.name().to_owned(), claim);
        self.held.lock().insert(key.clone(), HeldLease { queue: queue.clone(), renewal: sender });
        Lease { leases: self.clone(), key, renewal, ttl: queue.config().lease }
    }

    /// Renews all leases at intervals. Never returns.
    async fn renew_forever(&self, redis: &RedisClient, ttl: Duration) {
        // After a failure, the pauses are at most as long as the usual interval, because the leases
        // are running out.
        let mut backoff = Backoff::up_to((ttl / 3).min(Duration::from_secs(5)));
        loop {
            let pause = match self.renew_all(redis).await {
                Ok(()) => {
                    backoff.reset();
                    ttl / 3
                }
                Err(_) => backoff.pause(),
            };
            tokio::time::sleep(pause).await;
        }
    }

    /// Renews each lease once. The other leases are renewed even if Redis rejects a renewal, but
    /// not if Redis is unavailable.
    ///
    /// # Errors
    /// Returns the last error. The client has logged it.
    async fn renew_all(&self, redis: &RedisClient) -> RedisResult<()> {
        let mut result = Ok(());
        for (claim, queue) in self.claims() {
            // Redis extends the lease at some time between the request and the response. The time
            // of the request is the safe assumption, because the response may be late.
            let sent = Instant::now();
            match queue.renew_through(redis, claim).await {
                Ok(status) => self.set_renewed(&queue, claim, Renewal { status, at: sent }),
                Err(error) if is_rejection(&error) => result = Err(error),
                Err(error) => return Err(error),
            }
        }
        result
    }

    /// Returns a copy of the claims, so that this thread does not hold the lock while it waits for
    /// Redis. `hold` and `drop` run on the runtime's threads and must not be blocked.
    fn claims(&self) -> Vec<(ClaimId, Queue)> {
        self.held.lock().iter().map(|((_, claim), held)| (*claim, held.queue.clone())).collect()
    }

    /// Notifies the lease of its renewal.
    fn set_renewed(&self, queue: &Queue, claim: ClaimId, renewal: Renewal) {
        // The lease may have been dropped while Redis responded.
        if let Some(held) = self.held.lock().get(&(queue.name().to_owned(), claim)) {
            held.renewal.send_replace(renewal);
        }
    }
}

impl Lease {
    /// Waits until the claim is lost or its cancellation is requested, and returns the status.
    pub(super) async fn lost_or_cancelled(&mut self) -> LeaseStatus {
        let changed = self.renewal.wait_for(|renewal| renewal.status != LeaseStatus::Held).await;
        match changed.map(|renewal| renewal.status) {
            Ok(status) => status,
            Err(_) => std::future::pending().await,
        }
    }

    /// Waits until the claim is lost.
    pub(super) async fn lost(&mut self) {
        if self.renewal.wait_for(|renewal| renewal.status == LeaseStatus::Lost).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Returns a view that shows whether this worker may still publish for the claim.
    pub(super) fn freshness(&self) -> Freshness {
        // The last sixth of the lease is a margin for messages that are on their way to Redis.
        Freshness { renewal: self.renewal.clone(), limit: self.ttl * 5 / 6 }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        // A renewal that is in progress is harmless: its reply is `lost`, but no receiver is left.
        self.leases.held.lock().remove(&self.key);
    }
}

/// A view of a lease that shows whether its last renewal is recent enough for the worker to
/// publish.
#[derive(Clone)]
pub(super) struct Freshness {
    renewal: watch::Receiver<Renewal>,
    limit: Duration,
}

impl Freshness {
    /// Returns whether this worker may publish.
    pub(super) fn is_fresh(&self) -> bool {
        let renewal = self.renewal.borrow();
        renewal.status != LeaseStatus::Lost && renewal.at.elapsed() < self.limit
    }
}
