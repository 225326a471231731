//! The kinds of faults, and the faults of a schedule.

use std::fmt;
use std::time::Duration;

use clap::ValueEnum;

/// A kind of fault; one row of the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, ValueEnum)]
pub enum FaultKind {
    /// Kill a worker with SIGKILL and restart it
    KillWorker,
    /// Kill a job process with SIGKILL
    KillJob,
    /// Kill a plugin process with SIGKILL
    KillPlugin,
    /// Stop a worker with SIGSTOP for longer than its lease
    FreezeWorker,
    /// Kill Redis with SIGKILL and restart it with its append-only file
    KillRedis,
    /// Stop Redis with SIGSTOP for some seconds
    FreezeRedis,
    /// Kill Redis and restart it from an older snapshot
    RestoreSnapshot,
    /// Kill, stop or partition the primary, so that three sentinels fail over to its replica
    FailOver,
    /// Close all connections of a worker to Redis
    CutConnections,
    /// Forward no bytes between a worker and Redis for up to two leases
    StallConnections,
    /// Fill the disk of a worker's spool, and stall its connections if Redis has a fixed address
    FullSpool,
    /// Push a job again with the same payload
    DuplicatePush,
    /// Push a job again with a different payload
    ChangedPayload,
    /// Cancel a running job by the field `cancel` of its claim
    CancelClaim,
    /// Cancel a queued or running job by the key `{Q}:cancel:ID`
    CancelKey,
}

impl FaultKind {
    /// Returns the kinds that a run injects by default.
    ///
    /// A restored snapshot and a fail-over make Redis forget jobs. The checks of the other faults
    /// are stricter without them.
    pub(crate) fn defaults() -> Vec<Self> {
        let is_default = |kind: &Self| !matches!(kind, Self::RestoreSnapshot | Self::FailOver);
        Self::value_variants().iter().copied().filter(is_default).collect()
    }

    /// Returns whether the kind affects a Redis at a fixed address, or the proxy of a worker in
    /// front of it. A fail-over changes the address.
    pub(crate) fn needs_fixed_address(self) -> bool {
        matches!(
            self,
            Self::KillRedis | Self::FreezeRedis | Self::RestoreSnapshot | Self::CutConnections | Self::StallConnections
        )
    }

    /// Returns how often the kind occurs in one round of the schedule.
    pub(crate) fn n_per_round(self) -> usize {
        match self {
            Self::KillWorker | Self::KillJob | Self::DuplicatePush | Self::ChangedPayload => 2,
            _ => 1,
        }
    }

    /// Returns the bit of the kind in a [`FaultSet`].
    fn bit(self) -> u32 {
        1 << self as u32
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.to_possible_value();
        f.write_str(value.as_ref().map_or("", |value| value.get_name()))
    }
}

/// A set of kinds: the faults that affected a job.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct FaultSet(u32);

impl FaultSet {
    /// Adds a kind.
    pub(crate) fn insert(&mut self, kind: FaultKind) {
        self.0 |= kind.bit();
    }

    /// Returns whether the set contains a kind.
    pub(crate) fn contains(self, kind: FaultKind) -> bool {
        self.0 & kind.bit() != 0
    }

    /// Returns whether the set is empty.
    pub(crate) fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// One fault of the schedule.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Fault {
    /// The time since the start of the run.
    pub(crate) at: Duration,
    /// The kind.
    pub(crate) kind: FaultKind,
    /// The index of the worker, if the kind affects one.
    pub(crate) slot: usize,
    /// How long the fault lasts: the time for which a process is stopped or down, or a connection is
    /// stalled. Zero for a fault without a duration.
    pub(crate) lasts: Duration,
    /// A random number that selects one of the jobs that are queued or running at that time.
    pub(crate) pick: usize,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:7.1} s  {:<17}  worker {}", self.at.as_secs_f64(), self.kind.to_string(), self.slot)?;
        if self.lasts.is_zero() { Ok(()) } else { write!(f, "  for {:.1} s", self.lasts.as_secs_f64()) }
    }
}
