//! Renews the leases of this worker's attempts, on a separate thread and connection.
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
use redis::{Client, Connection, RedisResult};
use tokio::sync::watch;

use super::claim::ClaimId;
use super::outage::Outage;
use super::queue::{LeaseStatus, Queue};
use super::redis_client::{CONNECT_TIMEOUT, RESPONSE_TIMEOUT};

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
    /// # Errors
    /// Returns [`io::Error`] if the thread cannot be started.
    pub(super) fn start(client: Client, ttl: Duration, outage: Outage) -> io::Result<Self> {
        let leases = Self::default();
        let renewed = leases.clone();
        std::thread::Builder::new()
            .name("leases".to_owned())
            .spawn(move || renewed.renew_forever(&client, ttl, &outage))?;
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
    fn renew_forever(&self, client: &Client, ttl: Duration, outage: &Outage) {
        let mut connection = None;
        // After a failure, the pauses are at most as long as the usual interval, because the leases
        // are running out.
        let mut backoff = Backoff::up_to((ttl / 3).min(Duration::from_secs(5)));
        loop {
            match self.renew_all(client, &mut connection, outage) {
                Ok(()) => {
                    backoff.reset();
                    std::thread::sleep(ttl / 3);
                }
                Err(()) => {
                    connection = None;
                    std::thread::sleep(backoff.pause());
                }
            }
        }
    }

    /// Renews each lease once. Records an error in `outage`. The other leases are renewed even if
    /// Redis rejects a renewal, but not if the connection is lost.
    fn renew_all(&self, client: &Client, connection: &mut Option<Connection>, outage: &Outage) -> Result<(), ()> {
        let mut result = Ok(());
        for (claim, queue) in self.claims() {
            let connection = match connection {
                Some(connection) => connection,
                None => connection.insert(connect(client).map_err(|error| outage.note_unavailable(&error))?),
            };
            let step = queue.step("renew");
            // Redis extends the lease at some time between the request and the response. The time
            // of the request is the safe assumption, because the response may be late.
            let sent = Instant::now();
            match queue.renew_on(connection, claim) {
                Ok(status) => {
                    outage.note_success(&step);
                    self.set_renewed(&queue, claim, Renewal { status, at: sent });
                }
                Err(error) if outage.note_failure(&step, &error) => return Err(()),
                Err(_) => result = Err(()),
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

/// Opens a connection whose commands have a time limit, so that a hanging server does not block the
/// thread forever.
fn connect(client: &Client) -> RedisResult<Connection> {
    let connection = client.get_connection_with_timeout(CONNECT_TIMEOUT)?;
    connection.set_read_timeout(Some(RESPONSE_TIMEOUT))?;
    connection.set_write_timeout(Some(RESPONSE_TIMEOUT))?;
    Ok(connection)
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
