//! Log lines about a peer that is unavailable or rejects a step.
//!
//! In: failures and successes from every caller. Out: log lines. Invariant: the start and the end
//! of an outage are each logged once, no matter how many callers encounter it. A step that Redis
//! rejects is an outage too.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;
use redis::RedisError;

use super::redis_client::{ConnectError, ConnectErrorKind};

/// The current outages of one peer: one if the peer is unavailable, and one per step that it
/// rejects. The outage of a step is over only when that step succeeds. Clones share the outages.
#[derive(Clone)]
pub struct Outage {
    peer: Arc<str>,
    /// The start of each outage, by the name of its step.
    since: Arc<Mutex<BTreeMap<String, Instant>>>,
}

/// The key of the outage of the peer itself. It differs from every step, because no step has an
/// empty name.
const PEER: &str = "";

/// The key of the time during which Redis, or the configuration of this worker, prevents a
/// connection. No step has this name, because names of steps are printable.
const REJECTED: &str = "\0";

impl Outage {
    /// Creates the outages of a peer that has none yet.
    ///
    /// * `peer`: the name of the peer in the log, such as `Redis at redis://localhost:6379/0`.
    pub fn new(peer: &str) -> Self {
        Self { peer: peer.into(), since: Arc::default() }
    }

    /// Records that the peer is unavailable. Logs it if the outage is new.
    pub fn note_unavailable(&self, reason: &dyn Display) {
        if self.starts(PEER) {
            tracing::warn!("{} unavailable: {reason}; retrying", self.peer);
        }
    }

    /// Records that no connection could be opened. Logs the reason if the outage is new, or if an
    /// operator has to act and this has not been logged yet.
    pub(super) fn note_connect_failure(&self, error: &ConnectError) {
        match error.kind {
            ConnectErrorKind::Unavailable => self.note_unavailable(error),
            ConnectErrorKind::Rejected if self.starts(REJECTED) => {
                tracing::warn!("{} does not accept this worker: {error}; retrying", self.peer);
            }
            ConnectErrorKind::Unusable if self.starts(REJECTED) => {
                tracing::error!("{} cannot be used: {error}; no jobs are fetched from it", self.peer);
            }
            ConnectErrorKind::Rejected | ConnectErrorKind::Unusable => {}
        }
    }

    /// Records that the peer is available. Logs it if an outage is over.
    pub fn note_available(&self) {
        let mut outages = self.since.lock();
        let rejected = outages.remove(REJECTED);
        let unavailable = outages.remove(PEER);
        drop(outages);
        if let Some(since) = rejected.into_iter().chain(unavailable).min() {
            tracing::info!("{} available again after {:.1} s", self.peer, since.elapsed().as_secs_f64());
        }
    }

    /// Records a step that failed. Returns `true` if Redis did not respond, so that the connection
    /// must be replaced, and `false` if Redis rejected the step.
    pub fn note_failure(&self, step: &str, error: &RedisError) -> bool {
        if !is_rejection(error) {
            self.note_unavailable(error);
            return true;
        }
        // A rejection is a response, so the peer itself is available.
        self.note_available();
        if self.starts(step) {
            tracing::warn!("{} rejects `{step}`: {error}; retrying", self.peer);
        }
        false
    }

    /// Records a step that succeeded.
    pub fn note_success(&self, step: &str) {
        self.note_available();
        if let Some(since) = self.since.lock().remove(step) {
            let seconds = since.elapsed().as_secs_f64();
            tracing::info!("{} accepts `{step}` again after {seconds:.1} s", self.peer);
        }
    }

    /// Records that a step fails. Returns whether this is the start of an outage.
    fn starts(&self, step: &str) -> bool {
        // One lock covers the test and the insertion, so only one of several callers logs the
        // outage.
        let mut since = self.since.lock();
        let is_new = !since.contains_key(step);
        if is_new {
            since.insert(step.to_owned(), Instant::now());
        }
        is_new
    }
}

/// Returns whether Redis is available and rejects only this command.
pub(super) fn is_rejection(error: &RedisError) -> bool {
    // A server that loads its data or has become a replica cannot be used. It is treated as
    // unavailable, so that the client reconnects: the host name may then resolve to another server.
    error.code().is_some_and(|code| !["LOADING", "MASTERDOWN", "READONLY"].contains(&code))
}
