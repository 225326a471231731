//! Renews the leases of this worker's attempts, on a separate thread, runtime and connection.
//!
//! In: claims. Out: the [`LeaseStatus`] of each claim. Invariant: a busy runtime or a slow command
//! on another connection cannot delay a renewal. If the last renewal is older than five sixths of a
//! lease, the attempt publishes nothing, because another worker may soon claim the job. This includes
//! the time for which the machine was suspended.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use oculus_system::backoff::Backoff;
use parking_lot::Mutex;
use redis::RedisResult;
use tokio::sync::watch;

use super::claim::{Claim, ClaimId, ClaimRecord, PayloadRecord, StartRecord};
use super::intake::{AdmittedJob, entry_id};
use super::moment::Moment;
use super::outage::is_rejection;
use super::queue::{LeaseStatus, Queue};
use super::redis_client::RedisClient;
use super::server_id::ServerId;

/// The key of a lease: the name of its queue, and the id of its claim. Tokens are unique only
/// within a queue.
type LeaseKey = (String, ClaimId);

/// The interval at which requests to cancel a running job are read. A cancelled job ends at most this
/// time later, plus the time that its process takes to die.
const WATCH_EVERY: Duration = Duration::from_secs(1);

/// All leases that this worker holds.
#[derive(Clone, Default)]
pub(super) struct Leases {
    held: Arc<Mutex<HashMap<LeaseKey, HeldLease>>>,
}

/// A lease in the list of leases to renew.
struct HeldLease {
    queue: Queue,
    is_started: Arc<AtomicBool>,
    renewal: watch::Sender<Renewal>,
}

/// The last renewal of a lease.
#[derive(Clone)]
struct Renewal {
    status: LeaseStatus,
    /// The time at which the request was sent.
    at: Moment,
    /// The server that last confirmed the claim, if the Redis user may read its id.
    server: Option<ServerId>,
    /// The server that has sent the status.
    reported_by: Option<ServerId>,
}

impl Renewal {
    /// Returns the state of a claim that `server` has issued on a request at the time `at`.
    fn confirmed_by(server: Option<ServerId>, at: Moment) -> Self {
        Self { status: LeaseStatus::Held, at, reported_by: server.clone(), server }
    }
}

/// The lease of one claim. The lease is renewed until this value is dropped.
pub(super) struct Lease {
    leases: Leases,
    queue: Queue,
    claim: ClaimId,
    renewal: watch::Receiver<Renewal>,
    record: ClaimRecord,
    is_started: Arc<AtomicBool>,
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
    pub(super) fn hold(&self, queue: &Queue, claim: &Claim) -> Lease {
        let renewal = Renewal::confirmed_by(claim.server.clone(), claim.requested_at);
        let (sender, renewal) = watch::channel(renewal);
        let key = (queue.name().to_owned(), claim.id);
        let is_started = Arc::new(AtomicBool::new(false));
        let held = HeldLease { queue: queue.clone(), is_started: Arc::clone(&is_started), renewal: sender };
        self.held.lock().insert(key, held);
        let id = entry_id(queue, &claim.entry);
        let payload = id.as_ref().zip(claim.payload.clone());
        let record = ClaimRecord {
            entry: claim.entry.clone(),
            payload: payload.map(|(id, value)| PayloadRecord { key: queue.payload_key(id), value }),
            id,
            start: None,
            server: claim.server.clone(),
        };
        Lease { leases: self.clone(), queue: queue.clone(), claim: claim.id, renewal, record, is_started }
    }

    /// Renews all leases and reads the requests to cancel their jobs, at intervals. Never returns.
    async fn renew_forever(&self, redis: &RedisClient, ttl: Duration) {
        // After a failure, the pauses are at most as long as the usual interval, because the leases
        // are running out.
        let mut backoff = Backoff::up_to((ttl / 3).min(Duration::from_secs(5)));
        let tick = WATCH_EVERY.min(ttl / 3);
        let mut last_round: Option<Moment> = None;
        loop {
            let started = Moment::now();
            // Half a tick is subtracted, so that a late tick does not delay the renewal by another
            // one. After a suspend, the age is large and the leases are renewed at once.
            let is_due = last_round.is_none_or(|last| last.age() + tick / 2 >= ttl / 3);
            let result = if is_due { self.renew_all(redis).await } else { self.read_cancellations(redis).await };
            if is_due {
                last_round = result.is_ok().then_some(started);
            }
            let pause = match result {
                Ok(()) => {
                    backoff.reset();
                    tick
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
            let at = Moment::now();
            let server = redis.server().await?;
            match queue.renew_through(redis, claim, self.is_started(&queue, claim)).await {
                Ok(status) => self.set_renewed(&queue, claim, status, at, server),
                Err(error) if is_rejection(&error) => result = Err(error),
                Err(error) => return Err(error),
            }
        }
        result
    }

    /// Reads the requests to cancel the jobs of all claims.
    ///
    /// # Errors
    /// Returns the last error. The client has logged it.
    async fn read_cancellations(&self, redis: &RedisClient) -> RedisResult<()> {
        let mut result = Ok(());
        for (queue, claims) in self.claims_by_queue() {
            match queue.cancelled_through(redis, &claims).await {
                Ok(cancelled) => cancelled.into_iter().for_each(|claim| self.set_cancelled(&queue, claim)),
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

    /// Returns the claims of each queue.
    fn claims_by_queue(&self) -> Vec<(Queue, Vec<ClaimId>)> {
        let mut queues: HashMap<String, (Queue, Vec<ClaimId>)> = HashMap::new();
        for (claim, queue) in self.claims() {
            queues.entry(queue.name().to_owned()).or_insert_with(|| (queue, Vec::new())).1.push(claim);
        }
        queues.into_values().collect()
    }

    /// Returns whether the job of a claim has started.
    fn is_started(&self, queue: &Queue, claim: ClaimId) -> bool {
        // `Relaxed` is enough. If the value is out of date, the next renewal has the new one.
        let held = self.held.lock();
        held.get(&(queue.name().to_owned(), claim)).is_some_and(|held| held.is_started.load(Ordering::Relaxed))
    }

    /// Notifies the lease of its renewal.
    ///
    /// * `at`: the time at which the request was sent.
    /// * `server`: the server that has replied.
    fn set_renewed(&self, queue: &Queue, claim: ClaimId, status: LeaseStatus, at: Moment, server: Option<ServerId>) {
        self.update(queue, claim, |last| {
            *last = Renewal { status, at, server: last.server.take(), reported_by: server };
            // A server that does not know the claim confirms nothing. The last one that did is kept,
            // because the claim may be restored if this server is another one.
            if status != LeaseStatus::Lost {
                last.server.clone_from(&last.reported_by);
            }
        });
    }

    /// Notifies the lease that its cancellation is requested.
    fn set_cancelled(&self, queue: &Queue, claim: ClaimId) {
        self.update(queue, claim, |last| last.status = LeaseStatus::Cancelled);
    }

    fn update(&self, queue: &Queue, claim: ClaimId, change: impl FnOnce(&mut Renewal)) {
        // The lease may have been dropped while Redis responded.
        if let Some(held) = self.held.lock().get(&(queue.name().to_owned(), claim)) {
            held.renewal.send_modify(change);
        }
    }
}

impl Lease {
    /// Returns the queue of the claim.
    pub(super) fn queue(&self) -> &Queue {
        &self.queue
    }

    /// Returns the id of the claim. It changes when a lost claim is restored.
    pub(super) fn claim(&self) -> ClaimId {
        self.claim
    }

    /// Returns the job id, if one could be read.
    pub(super) fn job_id(&self) -> Option<&str> {
        self.record.id.as_deref()
    }

    /// Returns the parts of the claim that are needed to restore it.
    pub(super) fn record(&self) -> ClaimRecord {
        ClaimRecord { server: self.renewal.borrow().server.clone(), ..self.record.clone() }
    }

    /// Returns the server that has reported the loss of the claim, or `None` if no renewal has failed.
    pub(super) fn lost_on(&self) -> Option<ServerId> {
        let renewal = self.renewal.borrow();
        renewal.reported_by.clone().filter(|_| renewal.status == LeaseStatus::Lost)
    }

    /// Returns the status of the last renewal.
    pub(super) fn status(&self) -> LeaseStatus {
        self.renewal.borrow().status
    }

    /// Notes that the start of the job has been repeated after Redis had lost it.
    pub(super) fn note_started_again(&self) {
        self.leases.update(&self.queue, self.claim, |last| last.status = LeaseStatus::Held);
    }

    /// Adds the start of the job to the record of the claim.
    pub(super) fn record_start(&mut self, job: &AdmittedJob) {
        self.is_started.store(true, Ordering::Relaxed);
        self.record.id = Some(job.id.clone());
        self.record.start = Some(StartRecord {
            attempt: job.attempt,
            crashes: job.crashes,
            payload_sha256: job.payload_sha256.clone(),
        });
        self.record.payload =
            job.payload_key.clone().map(|key| PayloadRecord { key, value: job.payload.clone().into_bytes() });
    }

    /// Replaces a lost claim by the one that `server` has issued in its place, on a request at the
    /// time `at`.
    pub(super) fn replace_claim(&mut self, claim: ClaimId, server: Option<ServerId>, at: Moment) {
        let queue = self.queue.name().to_owned();
        let lost = std::mem::replace(&mut self.claim, claim);
        let mut held = self.leases.held.lock();
        if let Some(lease) = held.remove(&(queue.clone(), lost)) {
            lease.renewal.send_replace(Renewal::confirmed_by(server, at));
            held.insert((queue, claim), lease);
        }
    }

    /// Waits until the claim is not simply held, and returns the status.
    pub(super) async fn changed(&mut self) -> LeaseStatus {
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
        Freshness { renewal: self.renewal.clone(), limit: self.queue.config().lease * 5 / 6 }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        // A renewal that is in progress is harmless: its reply is `lost`, but no receiver is left.
        self.leases.held.lock().remove(&(self.queue.name().to_owned(), self.claim));
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
        renewal.status != LeaseStatus::Lost && renewal.at.age() < self.limit
    }
}
