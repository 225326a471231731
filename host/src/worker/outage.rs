//! Log lines about a peer that is unavailable or rejects a step.
//!
//! Invariant: an outage, or a step that Redis rejects, costs one warning when it begins and one
//! line when it ends, however many callers notice it.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;
use redis::RedisError;

/// The outages of one peer: one of the peer itself, and one per step that it rejects. The outage of
/// a step ends only when that step succeeds. Clones share them.
#[derive(Clone)]
pub struct Outage {
    peer: Arc<str>,
    since: Arc<Mutex<BTreeMap<String, Instant>>>,
}

/// The key of the outage of the peer itself; no step has an empty name.
const PEER: &str = "";

impl Outage {
    /// Returns the outages of a peer, which the log calls `peer`, such as `Redis at
    /// redis://localhost:6379/0`.
    pub fn new(peer: &str) -> Self {
        Self { peer: peer.into(), since: Arc::default() }
    }

    /// Records that the peer is unavailable; the first call of an outage logs it.
    pub fn began(&self, reason: &dyn Display) {
        if self.is_new(PEER) {
            tracing::warn!("{} unavailable: {reason}; retrying", self.peer);
        }
    }

    /// Records that the peer is available; the first call after an outage logs it.
    pub fn ended(&self) {
        if let Some(since) = self.since.lock().remove(PEER) {
            tracing::info!("{} available again after {:.1} s", self.peer, since.elapsed().as_secs_f64());
        }
    }

    /// Records a step that failed. Returns whether Redis did not respond at all, so that the
    /// connection is useless.
    pub fn failed(&self, step: &str, error: &RedisError) -> bool {
        if !is_rejection(error) {
            self.began(error);
            return true;
        }
        self.ended();
        if self.is_new(step) {
            tracing::warn!("{} rejects `{step}`: {error}; retrying", self.peer);
        }
        false
    }

    /// Records a step that succeeded.
    pub fn done(&self, step: &str) {
        self.ended();
        if let Some(since) = self.since.lock().remove(step) {
            let seconds = since.elapsed().as_secs_f64();
            tracing::info!("{} accepts `{step}` again after {seconds:.1} s", self.peer);
        }
    }

    fn is_new(&self, step: &str) -> bool {
        let mut since = self.since.lock();
        let is_new = !since.contains_key(step);
        if is_new {
            since.insert(step.to_owned(), Instant::now());
        }
        is_new
    }
}

/// Returns whether Redis has responded and is available, but rejects this command.
fn is_rejection(error: &RedisError) -> bool {
    // A server that loads its data or has become a replica is unavailable; its name may lead to
    // another server.
    error.code().is_some_and(|code| !["LOADING", "MASTERDOWN", "READONLY"].contains(&code))
}
