//! Recovery times per kind of fault.
//!
//! In: faults and the events of the queue. Out: the times from a fault to the restart of each job
//! that it interrupted, and from the return of Redis to the next claim.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use crate::event::Token;
use crate::fault::FaultKind;
use crate::jobs::JobNumber;

/// Measures recovery times.
#[derive(Default)]
pub(crate) struct Recovery {
    /// Jobs that were interrupted and have not restarted.
    interrupted: HashMap<JobNumber, Interruption>,
    /// Returns of Redis after which no entry was claimed yet.
    returns: Vec<(FaultKind, Instant)>,
    /// Cancelled jobs that have no result yet.
    cancelled: HashMap<JobNumber, (FaultKind, Instant)>,
    times: BTreeMap<FaultKind, Vec<Duration>>,
    /// The times from the loss of a primary to the promotion of its replica.
    promotions: Vec<Duration>,
}

struct Interruption {
    kind: FaultKind,
    at: Instant,
    /// The claim that the fault interrupted. A new claim of the job is a restart.
    token: Token,
}

impl Recovery {
    /// Records that a fault interrupted a job.
    pub(crate) fn interrupt(&mut self, kind: FaultKind, job: JobNumber, token: Token, at: Instant) {
        self.interrupted.insert(job, Interruption { kind, at, token });
    }

    /// Records that Redis is available again after a fault.
    pub(crate) fn redis_returned(&mut self, kind: FaultKind, at: Instant) {
        self.returns.push((kind, at));
    }

    /// Records that a replica became the primary.
    ///
    /// * `after`: the time since the loss of the former primary.
    pub(crate) fn promoted(&mut self, after: Duration) {
        self.promotions.push(after);
    }

    /// Returns the times from the loss of a primary to the promotion of its replica, in ascending
    /// order.
    pub(crate) fn promotions(&self) -> Vec<Duration> {
        let mut times = self.promotions.clone();
        times.sort_unstable();
        times
    }

    /// Records that an entry was claimed.
    pub(crate) fn claimed(&mut self, at: Instant) {
        for (kind, since) in std::mem::take(&mut self.returns) {
            self.add(kind, at.saturating_duration_since(since));
        }
    }

    /// Records that a job started under a claim, or ended without a start.
    pub(crate) fn resumed(&mut self, job: JobNumber, token: Option<Token>, at: Instant) {
        let Some(interruption) = self.interrupted.remove(&job) else { return };
        // The frozen worker may continue before its lease is reaped. Then nothing restarts.
        if token != Some(interruption.token) {
            self.add(interruption.kind, at.saturating_duration_since(interruption.at));
        }
    }

    /// Records that a job was cancelled.
    pub(crate) fn cancelled(&mut self, kind: FaultKind, job: JobNumber, at: Instant) {
        self.cancelled.insert(job, (kind, at));
    }

    /// Records that a result of a job was stored.
    pub(crate) fn finished(&mut self, job: JobNumber, at: Instant) {
        if let Some((kind, since)) = self.cancelled.remove(&job) {
            self.add(kind, at.saturating_duration_since(since));
        }
    }

    /// Records that a job ended under an unknown claim; its interruption is no longer measured.
    pub(crate) fn ended(&mut self, job: JobNumber) {
        self.interrupted.remove(&job);
    }

    /// Drops the interruptions that are not over, because Redis has forgotten their claims.
    pub(crate) fn drop_interruptions(&mut self) {
        self.interrupted.clear();
        self.cancelled.clear();
    }

    /// Adds a time that was measured elsewhere.
    pub(crate) fn add(&mut self, kind: FaultKind, time: Duration) {
        self.times.entry(kind).or_default().push(time);
    }

    /// Drops the returns of Redis without a claim, because the queue is empty.
    pub(crate) fn drop_open_returns(&mut self) {
        self.returns.clear();
    }

    /// Returns the recovery times of a kind in ascending order.
    pub(crate) fn times_of(&self, kind: FaultKind) -> Vec<Duration> {
        let mut times = self.times.get(&kind).cloned().unwrap_or_default();
        times.sort_unstable();
        times
    }
}

/// Returns the smallest time that is at least as long as a share of all times. `sorted` is in
/// ascending order.
pub(crate) fn quantile(sorted: &[Duration], share: f64) -> Option<Duration> {
    let rank = (sorted.len() as f64 * share).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_values_of_the_sample() {
        let times: Vec<_> = (1..=100).map(Duration::from_secs).collect();
        let seconds = |share| quantile(&times, share).map(|time| time.as_secs());
        assert_eq!([seconds(0.5), seconds(0.99), seconds(1.0)], [Some(50), Some(99), Some(100)]);
        assert_eq!(quantile(&[], 0.5), None);
    }

    #[test]
    fn only_a_start_under_a_new_claim_is_a_recovery() {
        let mut recovery = Recovery::default();
        let start = Instant::now();
        let later = start + Duration::from_secs(3);
        recovery.interrupt(FaultKind::KillWorker, 1, 10, start);
        recovery.interrupt(FaultKind::FreezeWorker, 2, 20, start);
        recovery.resumed(1, Some(11), later);
        recovery.resumed(2, Some(20), later);
        assert_eq!(recovery.times_of(FaultKind::KillWorker), [Duration::from_secs(3)]);
        assert!(recovery.times_of(FaultKind::FreezeWorker).is_empty());
    }
}
