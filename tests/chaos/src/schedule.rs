//! The schedule of faults. It depends only on the seed and the options.
//!
//! In: seed, kinds, number of workers, lease. Out: an endless sequence of [`Fault`]s in the order of
//! their times. Invariant: two faults of Redis do not overlap, and neither do two faults of one
//! worker.

use std::time::Duration;

use crate::fault::{Fault, FaultKind};
use crate::options::Options;
use crate::random::{Purpose, Random};

/// The time before the first fault, in which the first jobs start.
const LEAD_TIME: Duration = Duration::from_secs(2);

/// The time from the return of a former primary until it is a complete replica and the sentinels
/// permit the next fail-over.
const REJOIN_TIME: Duration = Duration::from_secs(6);

/// Draws faults.
pub(crate) struct Schedule {
    random: Random,
    kinds: Vec<FaultKind>,
    mean_pause: f64,
    lease: Duration,
    /// The faults of the current round that are not drawn yet. Each round contains every kind, so a
    /// short run also injects each kind.
    round: Vec<FaultKind>,
    at: Duration,
    redis_busy_until: Duration,
    slots_busy_until: Vec<Duration>,
}

impl Schedule {
    /// Creates the schedule of a run.
    pub(crate) fn new(options: &Options) -> Self {
        Self {
            random: Random::new(options.seed, Purpose::Schedule),
            kinds: options.faults.clone(),
            mean_pause: options.pause,
            lease: options.lease_ttl(),
            round: Vec::new(),
            at: LEAD_TIME,
            redis_busy_until: Duration::ZERO,
            slots_busy_until: vec![Duration::ZERO; options.workers.max(1)],
        }
    }

    fn draw_round(&mut self) {
        let repeated = |kind: &FaultKind| std::iter::repeat_n(*kind, kind.n_per_round());
        self.round = self.kinds.iter().flat_map(repeated).collect();
        self.random.shuffle(&mut self.round);
    }

    /// Returns the duration of a fault. The bounds are in seconds; those of a worker's faults depend
    /// on the lease.
    fn draw_duration(&mut self, kind: FaultKind) -> Duration {
        let lease = self.lease.as_secs_f64();
        let (low, high) = match kind {
            FaultKind::KillWorker => (0.2, 2.0),
            FaultKind::FreezeWorker => (lease * 1.3, lease * 2.5),
            FaultKind::KillRedis | FaultKind::RestoreSnapshot => (0.1, 2.5),
            FaultKind::FreezeRedis => (1.0, 4.0),
            // Some former primaries return while workers still wait for their replies.
            FaultKind::FailOver => (3.0, 8.0),
            FaultKind::StallConnections => (lease * 0.3, lease * 2.0),
            FaultKind::FullSpool => (lease * 0.5, lease * 1.5),
            _ => return Duration::ZERO,
        };
        Duration::from_secs_f64(self.random.between(low, high))
    }

    /// Returns the worker whose last fault ends first from a random index on, and the time at which
    /// it is available.
    fn draw_slot(&mut self) -> (usize, Duration) {
        let n = self.slots_busy_until.len();
        let first = self.random.below(n);
        let slots = (0..n).map(|offset| (first + offset) % n);
        let slot = slots.min_by_key(|slot| self.slots_busy_until[*slot].max(self.at)).unwrap_or(0);
        (slot, self.slots_busy_until[slot])
    }
}

impl Iterator for Schedule {
    type Item = Fault;

    fn next(&mut self) -> Option<Fault> {
        if self.round.is_empty() {
            self.draw_round();
        }
        let kind = self.round.pop()?;
        self.at += Duration::from_secs_f64(self.mean_pause * self.random.between(0.5, 1.5));
        let lasts = self.draw_duration(kind);
        let (slot, slot_free_at) = self.draw_slot();
        let pick = self.random.below(usize::MAX);
        match kind {
            FaultKind::KillRedis | FaultKind::RestoreSnapshot | FaultKind::FreezeRedis => {
                self.at = self.at.max(self.redis_busy_until);
                self.redis_busy_until = self.at + lasts;
            }
            FaultKind::FailOver => {
                self.at = self.at.max(self.redis_busy_until);
                self.redis_busy_until = self.at + lasts + REJOIN_TIME;
            }
            _ if lasts.is_zero() => {}
            _ => {
                self.at = self.at.max(slot_free_at);
                self.slots_busy_until[slot] = self.at + lasts;
            }
        }
        Some(Fault { at: self.at, kind, slot, lasts, pick })
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    fn faults(arguments: &[&str], n: usize) -> Vec<Fault> {
        let options = Options::parse_from([&["chaos"], arguments].concat());
        Schedule::new(&options).take(n).collect()
    }

    #[test]
    fn a_seed_gives_the_same_schedule_again_and_another_seed_a_different_one() {
        assert_eq!(faults(&["--seed", "7"], 200), faults(&["--seed", "7"], 200));
        assert_ne!(faults(&["--seed", "7"], 200), faults(&["--seed", "8"], 200));
    }

    #[test]
    fn every_round_contains_every_kind_and_times_do_not_decrease() {
        let kinds = FaultKind::defaults();
        let n_per_round = kinds.iter().map(|kind| kind.n_per_round()).sum();
        let round = faults(&[], n_per_round);
        assert!(kinds.iter().all(|kind| round.iter().any(|fault| fault.kind == *kind)));
        assert!(round.is_sorted_by_key(|fault| fault.at));
    }

    #[test]
    fn faults_of_redis_and_faults_of_one_worker_do_not_overlap() {
        let all = faults(&["--faults", "kill-redis,freeze-redis,freeze-worker,full-spool", "--pause", "0.1"], 400);
        let is_of_redis = |fault: &&Fault| matches!(fault.kind, FaultKind::KillRedis | FaultKind::FreezeRedis);
        let of_redis: Vec<_> = all.iter().filter(is_of_redis).collect();
        let do_not_overlap = |faults: &[&Fault]| faults.windows(2).all(|pair| pair[0].at + pair[0].lasts <= pair[1].at);
        assert!(do_not_overlap(&of_redis));
        for slot in 0..4 {
            let of_slot: Vec<_> = all.iter().filter(|fault| !is_of_redis(fault) && fault.slot == slot).collect();
            assert!(!of_slot.is_empty() && do_not_overlap(&of_slot));
        }
    }

    #[test]
    fn a_schedule_without_kinds_is_empty() {
        let options = Options { faults: Vec::new(), ..Options::parse_from(["chaos"]) };
        assert_eq!(Schedule::new(&options).next(), None);
    }
}
