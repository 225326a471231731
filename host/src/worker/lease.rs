//! Keeps the leases of this worker's jobs alive, on a thread and a connection of its own.
//!
//! Invariant: a busy runtime, a long script or a full socket elsewhere cannot cost a lease; and who has not renewed for
//! five sixths of a lease publishes nothing, since the job may be in other hands at any moment.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use redis::{Client, Connection, RedisResult};
use tokio::sync::watch;

use oculus_system::backoff::Backoff;

use super::claim::ClaimId;
use super::queue::{LeaseStatus, Queue};
use super::redis_client::{ANSWER_TIMEOUT, CONNECT_TIMEOUT, Outage};

/// All leases that this worker holds.
#[derive(Clone, Default)]
pub struct Leases {
    held: Arc<Mutex<HashMap<(String, ClaimId), HeldLease>>>,
}

struct HeldLease {
    queue: Queue,
    state: watch::Sender<LeaseState>,
}

#[derive(Clone, Copy)]
struct LeaseState {
    standing: LeaseStatus,
    renewed: Instant,
}

/// The lease of one job; renewed until dropped.
pub struct Lease {
    leases: Leases,
    key: (String, ClaimId),
    state: watch::Receiver<LeaseState>,
    ttl: Duration,
}

impl Leases {
    /// Starts the thread that renews every third of `ttl`.
    ///
    /// # Errors
    /// The system's, when it has no thread to spare.
    pub fn start(client: Client, ttl: Duration, outage: Outage) -> io::Result<Self> {
        let leases = Self::default();
        let renewed = leases.clone();
        std::thread::Builder::new()
            .name("leases".to_owned())
            .spawn(move || renewed.renew_for_ever(&client, ttl, &outage))?;
        Ok(leases)
    }

    /// Renews the lease of this claim from now on.
    pub fn hold(&self, queue: &Queue, claim: ClaimId) -> Lease {
        let (sender, state) = watch::channel(LeaseState { standing: LeaseStatus::Held, renewed: Instant::now() });
        let key = (queue.name().to_owned(), claim);
        self.lock().insert(key.clone(), HeldLease { queue: queue.clone(), state: sender });
        Lease { leases: self.clone(), key, state, ttl: queue.rules().lease }
    }

    fn renew_for_ever(&self, client: &Client, ttl: Duration, outage: &Outage) {
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

    /// Renews each lease once; an error is noted and costs no other lease its renewal, unless the connection is lost.
    fn renew_all(&self, client: &Client, connection: &mut Option<Connection>, outage: &Outage) -> Result<(), ()> {
        let held: Vec<(ClaimId, Queue)> =
            self.lock().iter().map(|((_, claim), held)| (*claim, held.queue.clone())).collect();
        let mut outcome = Ok(());
        for (claim, queue) in held {
            let connection = match connection {
                Some(connection) => connection,
                None => connection.insert(connect(client).map_err(|error| outage.began(&error))?),
            };
            match queue.renew_on(connection, claim) {
                Ok(standing) => {
                    outage.done(&queue.doing("renew"));
                    if let Some(held) = self.lock().get(&(queue.name().to_owned(), claim)) {
                        held.state.send_replace(LeaseState { standing, renewed: Instant::now() });
                    }
                }
                Err(error) if outage.failed(&queue.doing("renew"), &error) => return Err(()),
                Err(_) => outcome = Err(()),
            }
        }
        outcome
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(String, ClaimId), Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn connect(client: &Client) -> RedisResult<Connection> {
    let connection = client.get_connection_with_timeout(CONNECT_TIMEOUT)?;
    connection.set_read_timeout(Some(ANSWER_TIMEOUT))?;
    connection.set_write_timeout(Some(ANSWER_TIMEOUT))?;
    Ok(connection)
}

impl Lease {
    /// Returns once the job is lost or an end is asked for, with which of the two.
    pub async fn ended(&mut self) -> LeaseStatus {
        let ended = self.state.wait_for(|state| state.standing != LeaseStatus::Held).await.map(|state| state.standing);
        match ended {
            Ok(standing) => standing,
            Err(_) => std::future::pending().await,
        }
    }

    /// A view that tells whether the job is surely still ours.
    pub fn freshness(&self) -> Freshness {
        Freshness { state: self.state.clone(), limit: self.ttl * 5 / 6 }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.leases.lock().remove(&self.key);
    }
}

/// Tells whether a lease was renewed lately enough to publish in its name.
#[derive(Clone)]
pub struct Freshness {
    state: watch::Receiver<LeaseState>,
    limit: Duration,
}

impl Freshness {
    /// Whether it was.
    pub fn is_fresh(&self) -> bool {
        let state = self.state.borrow();
        state.standing != LeaseStatus::Lost && state.renewed.elapsed() < self.limit
    }
}
