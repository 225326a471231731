//! The record of one job in the ledger.

use std::collections::BTreeSet;

use crate::fault::{FaultKind, FaultSet};
use crate::jobs::{JobKind, ResultSummary};

/// The number of crashes at which a job becomes a dead letter (`MAX_CRASHES`).
const MAX_CRASHES: u32 = 3;

/// The number of vanished workers at which a job becomes a dead letter.
const MAX_VANISHED: u32 = 10;

/// All that is known about a job.
#[derive(Clone, Debug)]
pub(crate) struct JobRecord {
    /// The kind.
    pub(crate) kind: JobKind,
    /// The last version that the suite has created; it may not be pushed yet.
    pub(crate) last_version: u32,
    /// The versions that the final result may have: the newest one. After Redis has returned from an
    /// older state, it may be the version of that state or the one that a worker holds.
    pub(crate) expected_versions: BTreeSet<u32>,
    /// The number of entries that Redis was given since its current state.
    pub(crate) n_entries: u32,
    /// The number of results that Redis accepted since its current state.
    pub(crate) n_accepted: u32,
    /// The number of results that Redis should not have accepted.
    pub(crate) n_accepted_twice: u32,
    /// The version of the stored success.
    stored_success: Option<u32>,
    /// True if the job was cancelled and no result was accepted before its newest version was pushed.
    pub(crate) is_cancelled: bool,
    /// True if a result was accepted since the last cancellation.
    is_cancellation_over: bool,
    /// True if no result is required, because neither Redis nor a worker knew the job after Redis
    /// had reverted to an older state.
    pub(crate) is_forgotten: bool,
    /// True if a live worker held the job when Redis reverted to an older state, and did not add it
    /// to Redis again.
    pub(crate) is_abandoned: bool,
    /// The faults that affected the job.
    pub(crate) faults: FaultSet,
    pub(crate) n_explained_crashes: u32,
    pub(crate) n_explained_vanished: u32,
}

impl JobRecord {
    /// Creates the record of a job that is not pushed yet.
    pub(crate) fn new(kind: JobKind) -> Self {
        Self {
            kind,
            last_version: 0,
            expected_versions: BTreeSet::new(),
            n_entries: 0,
            n_accepted: 0,
            n_accepted_twice: 0,
            stored_success: None,
            is_cancelled: false,
            is_cancellation_over: false,
            is_forgotten: false,
            is_abandoned: false,
            faults: FaultSet::default(),
            n_explained_crashes: 0,
            n_explained_vanished: 0,
        }
    }

    /// Returns the state of the job as a sentence.
    pub(crate) fn describe(&self) -> String {
        let versions: Vec<String> = self.expected_versions.iter().map(u32::to_string).collect();
        let cancelled = if self.is_cancelled { ", cancelled" } else { "" };
        format!(
            "expected version {}{cancelled}; {:?} job, {} entries, {} results accepted, {} of them wrongly",
            versions.join(" or "),
            self.kind,
            self.n_entries,
            self.n_accepted,
            self.n_accepted_twice
        )
    }

    /// Returns whether Redis has committed a push of the job.
    pub(crate) fn is_pushed(&self) -> bool {
        !self.expected_versions.is_empty()
    }

    /// Counts a push.
    pub(crate) fn pushed(&mut self, version: u32) {
        self.n_entries += 1;
        self.is_forgotten = false;
        if !self.expected_versions.contains(&version) || self.expected_versions.len() > 1 {
            self.expected_versions = BTreeSet::from([version]);
            // A cancellation also ends a newer payload that is pushed before the worker reads it.
            self.is_cancelled &= !self.is_cancellation_over;
        }
    }

    /// Records a cancellation.
    pub(crate) fn cancelled(&mut self) {
        self.is_cancelled = true;
        self.is_cancellation_over = false;
    }

    /// Returns whether the injected faults explain a dead letter.
    pub(crate) fn explains(&self, reason: &str) -> bool {
        match reason {
            "job_crashed" => self.n_explained_crashes >= MAX_CRASHES,
            "worker_vanished" => self.n_explained_vanished >= MAX_VANISHED,
            // The worker held the entry, but Redis lost the payload before the worker had read it.
            "payload_missing" => {
                self.faults.contains(FaultKind::RestoreSnapshot) || self.faults.contains(FaultKind::FailOver)
            }
            _ => false,
        }
    }

    /// Counts an accepted result. It is accepted twice if the job has more results than entries, or
    /// if a success of its payload is already stored.
    pub(crate) fn accept(&mut self, result: &ResultSummary) {
        self.n_accepted += 1;
        let success = result.version.filter(|_| result.status == "success");
        if self.n_accepted > self.n_entries || (success.is_some() && success == self.stored_success) {
            self.n_accepted_twice += 1;
        }
        self.stored_success = success;
        self.is_cancellation_over = true;
        self.n_explained_crashes = 0;
        self.n_explained_vanished = 0;
    }

    /// Replaces the counts of entries and results by those of a restored state.
    ///
    /// * `versions`: the versions that the final result may have; empty if no result is required.
    pub(crate) fn restore(&mut self, n_entries: u32, versions: BTreeSet<u32>) {
        self.n_entries = n_entries;
        self.n_accepted = 0;
        self.stored_success = None;
        if !versions.is_empty() {
            self.expected_versions = versions;
        }
    }
}
