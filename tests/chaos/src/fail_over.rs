//! Follows a fail-over: from the state at the promotion on, the new primary is the witness.
//!
//! In: the servers of a run. Out: a ledger that continues with the history of the new primary.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::fault::FaultKind;
use crate::progress;
use crate::restored::Reversion;
use crate::suite::Suite;

/// The time within which each worker leaves a primary that does not respond, and finds the new one.
pub(crate) const RECONNECT_LIMIT: Duration = Duration::from_secs(10);

impl Suite {
    /// Continues with the new primary if the sentinels have promoted one. Returns whether they
    /// have.
    ///
    /// # Errors
    /// Returns an error if the state or the append-only file of the new primary cannot be read.
    pub(crate) fn follow_fail_over(&self) -> Result<bool> {
        let mut server = self.server.lock();
        let Some(group) = server.group() else { return Ok(false) };
        let failed_at = group.failed_at();
        if !group.follow_promotion() {
            return Ok(false);
        }
        let at = Instant::now();
        let after = failed_at.map(|failed_at| at - failed_at);
        let live = self.live_workers();
        let mut witness = self.witness.lock();
        let reversion = Reversion { kind: FaultKind::FailOver, live: &live, lease_ttl: self.options.lease_ttl() };
        let summary = witness.continue_with(server.primary(), reversion)?;
        witness.ledger.disturb_all(FaultKind::FailOver, &live, at + RECONNECT_LIMIT);
        witness.ledger.recovery.redis_returned(FaultKind::FailOver, at);
        after.into_iter().for_each(|after| witness.ledger.recovery.promoted(after));
        self.n_fail_overs.fetch_add(1, Ordering::Relaxed);
        progress::print_promotion(&summary, after);
        Ok(true)
    }

    /// Returns the time for which the queue must be empty before no worker restores a claim any
    /// more.
    pub(crate) fn settle_time(&self) -> Duration {
        let lease_ttl = self.options.lease_ttl();
        let is_held_outside = !self.witness.lock().ledger.held_outside.is_empty();
        if is_held_outside { lease_ttl + RECONNECT_LIMIT } else { lease_ttl }
    }
}
