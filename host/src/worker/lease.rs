//! Renews the leases of this worker's jobs, on a thread and a connection of their own.
//!
//! Invariant: a busy runtime, a long script or a full socket elsewhere cannot cost a lease. An
//! attempt that has not been renewed for five sixths of a lease publishes nothing, since another
//! worker may claim the job at any moment.

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

/// A lease's queue and claim.
type LeaseKey = (String, ClaimId);

/// All leases that this worker holds.
#[derive(Clone, Default)]
pub(super) struct Leases {
    held: Arc<Mutex<HashMap<LeaseKey, HeldLease>>>,
}

struct HeldLease {
    queue: Queue,
    renewal: watch::Sender<Renewal>,
}

/// The last renewal of a lease.
#[derive(Clone, Copy)]
struct Renewal {
    status: LeaseStatus,
    /// When the request was sent.
    at: Instant,
}

/// The lease of one claim; renewed until dropped.
pub(super) struct Lease {
    leases: Leases,
    key: LeaseKey,
    renewal: watch::Receiver<Renewal>,
    ttl: Duration,
}

impl Leases {
    /// Starts the thread that renews every third of `ttl`.
    ///
    /// # Errors
    /// The system cannot start a thread.
    pub(super) fn start(client: Client, ttl: Duration, outage: Outage) -> io::Result<Self> {
        let leases = Self::default();
        let renewed = leases.clone();
        std::thread::Builder::new()
            .name("leases".to_owned())
            .spawn(move || renewed.renew_forever(&client, ttl, &outage))?;
        Ok(leases)
    }

    /// Renews the lease of this claim from now on.
    pub(super) fn hold(&self, queue: &Queue, claim: ClaimId) -> Lease {
        let (sender, renewal) = watch::channel(Renewal { status: LeaseStatus::Held, at: Instant::now() });
        let key = (queue.name().to_owned(), claim);
        self.held.lock().insert(key.clone(), HeldLease { queue: queue.clone(), renewal: sender });
        Lease { leases: self.clone(), key, renewal, ttl: queue.rules().lease }
    }

    fn renew_forever(&self, client: &Client, ttl: Duration, outage: &Outage) {
        let mut connection = None;
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

    /// Renews each lease once. An error is recorded in `outage` and stops the other renewals only
    /// if the connection is lost.
    fn renew_all(&self, client: &Client, connection: &mut Option<Connection>, outage: &Outage) -> Result<(), ()> {
        let mut result = Ok(());
        for (claim, queue) in self.claims() {
            let connection = match connection {
                Some(connection) => connection,
                None => connection.insert(connect(client).map_err(|error| outage.began(&error))?),
            };
            let step = queue.step("renew");
            // The lease runs from when Redis extends it, which may be long before a late response.
            let sent = Instant::now();
            match queue.renew_on(connection, claim) {
                Ok(status) => {
                    outage.done(&step);
                    self.set_renewed(&queue, claim, Renewal { status, at: sent });
                }
                Err(error) if outage.failed(&step, &error) => return Err(()),
                Err(_) => result = Err(()),
            }
        }
        result
    }

    /// Returns a copy of the claims, so that no lock is held while Redis responds.
    fn claims(&self) -> Vec<(ClaimId, Queue)> {
        self.held.lock().iter().map(|((_, claim), held)| (*claim, held.queue.clone())).collect()
    }

    fn set_renewed(&self, queue: &Queue, claim: ClaimId, renewal: Renewal) {
        if let Some(held) = self.held.lock().get(&(queue.name().to_owned(), claim)) {
            held.renewal.send_replace(renewal);
        }
    }
}

fn connect(client: &Client) -> RedisResult<Connection> {
    let connection = client.get_connection_with_timeout(CONNECT_TIMEOUT)?;
    connection.set_read_timeout(Some(RESPONSE_TIMEOUT))?;
    connection.set_write_timeout(Some(RESPONSE_TIMEOUT))?;
    Ok(connection)
}

impl Lease {
    /// Returns once the claim is lost or its cancellation is requested, with which of the two.
    pub(super) async fn ended(&mut self) -> LeaseStatus {
        let ended = self.renewal.wait_for(|renewal| renewal.status != LeaseStatus::Held).await;
        match ended.map(|renewal| renewal.status) {
            Ok(status) => status,
            Err(_) => std::future::pending().await,
        }
    }

    /// Returns once the claim is lost.
    pub(super) async fn lost(&mut self) {
        if self.renewal.wait_for(|renewal| renewal.status == LeaseStatus::Lost).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Returns a view that shows whether this worker may still publish for the claim.
    pub(super) fn freshness(&self) -> Freshness {
        Freshness { renewal: self.renewal.clone(), limit: self.ttl * 5 / 6 }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.leases.held.lock().remove(&self.key);
    }
}

/// Shows whether a lease was renewed recently enough to publish under it.
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
