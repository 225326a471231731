//! The JSON request that `finish.lua` receives, in addition to the texts that the backend reads.

use serde::Serialize;

use crate::config::QueueConfig;
use crate::worker::claim_outcome::{ClaimOutcome, DeadLetter};

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
}

impl<'a> FinishRequest<'a> {
    /// Creates the request for the outcome of a claim. `id` is the job's id, if one could be read.
    pub(super) fn new(id: Option<&'a str>, outcome: &'a ClaimOutcome, config: &QueueConfig) -> Self {
        let release = FinishRequest {
            outcome: "release",
            id,
            ttl: config.result_ttl_seconds(),
            max_crashes: config.max_crashes,
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
