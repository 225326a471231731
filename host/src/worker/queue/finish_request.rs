//! The JSON request that `finish.lua` receives, in addition to the texts that the backend reads.

use serde::Serialize;

use crate::config::QueueConfig;
use crate::worker::claim_outcome::{ClaimOutcome, DeadLetter};

/// How a claim ends, as `finish.lua` reads it.
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
}

impl<'a> FinishRequest<'a> {
    /// Returns the request for the outcome of the job `id`.
    pub(super) fn new(id: Option<&'a str>, outcome: &'a ClaimOutcome, rules: &QueueConfig) -> Self {
        let release = FinishRequest {
            outcome: "release",
            id,
            ttl: rules.result_ttl_seconds(),
            max_crashes: rules.max_crashes,
            succeeded: None,
            letter: None,
            requeued: None,
        };
        match outcome {
            ClaimOutcome::Release => release,
            ClaimOutcome::Result { succeeded, .. } => {
                FinishRequest { outcome: "result", succeeded: succeeded.as_deref(), ..release }
            }
            ClaimOutcome::Dead { letter, .. } => FinishRequest { outcome: "dead", letter: Some(letter), ..release },
            ClaimOutcome::Crash { letter, requeued, .. } => {
                FinishRequest { outcome: "crash", letter: Some(letter), requeued: Some(requeued), ..release }
            }
        }
    }
}
