//! The JSON request that `finish.lua` receives, in addition to the texts that the backend reads.

use serde::Serialize;

use oculus_job::progress::{Event, Phase, Status};
use oculus_job::submission::MAX_SUBMISSIONS;

use crate::config::QueueConfig;
use crate::worker::claim_outcome::{ClaimOutcome, DeadLetter, LedgerEntry};
use crate::worker::operations::recent::RecentRequest;
use crate::worker::queue::keys::Keys;

/// The number of seconds after the last new submission for which a ledger is kept: a year.
const LEDGER_TTL_S: u64 = 365 * 24 * 3600;

/// The outcome of a claim in the form that `finish.lua` reads. The head of `finish.lua` describes
/// the fields.
#[derive(Serialize)]
pub(super) struct FinishRequest<'a> {
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    ttl: u64,
    max_crashes: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    succeeded: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    letter: Option<&'a DeadLetter>,
    #[serde(skip_serializing_if = "Option::is_none")]
    requeued: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    submission: Option<SubmissionRequest<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    superseded: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    recent: Option<RecentRequest>,
}

/// A new entry of a ledger, and the limits of the ledger.
#[derive(Serialize)]
struct SubmissionRequest<'a> {
    #[serde(flatten)]
    entry: &'a LedgerEntry,
    ttl: u64,
    max_entries: usize,
}

impl<'a> FinishRequest<'a> {
    /// Creates the request for the outcome of a claim. `id` is the job's id, if one could be read.
    pub(super) fn new(id: Option<&'a str>, outcome: &'a ClaimOutcome, config: &QueueConfig, keys: &Keys) -> Self {
        let release = FinishRequest {
            outcome: "release",
            id,
            ttl: config.result_ttl_seconds(),
            max_crashes: config.max_crashes,
            succeeded: None,
            letter: None,
            requeued: None,
            submission: None,
            superseded: id.map(superseded_event),
            recent: RecentRequest::of_outcome(outcome, keys),
        };
        match outcome {
            ClaimOutcome::Release => release,
            ClaimOutcome::Result { succeeded, submission, .. } => FinishRequest {
                outcome: "result",
                succeeded: succeeded.as_deref(),
                submission: submission.as_ref().map(|entry| SubmissionRequest {
                    entry,
                    ttl: LEDGER_TTL_S,
                    max_entries: MAX_SUBMISSIONS,
                }),
                ..release
            },
            ClaimOutcome::Dead { letter, .. } => FinishRequest { outcome: "dead", letter: Some(letter), ..release },
            ClaimOutcome::Crash { letter, requeued, .. } => {
                FinishRequest { outcome: "crash", letter: Some(letter), requeued: Some(requeued), ..release }
            }
        }
    }
}

/// Returns the progress event of a job whose attempt ends while a newer payload waits.
fn superseded_event(id: &str) -> String {
    let message = "a newer payload of this job was pushed; it replaces the attempt that has ended, and runs next";
    Event::now(id, Phase::Queued, Status::InProgress).with_message(message).to_json()
}
