//! What `finish.lua` is told of an ending, beside the texts that the backend reads.

use std::sync::LazyLock;

use serde::Serialize;

use crate::config::QueueConfig;
use crate::worker::claim_outcome::{ClaimOutcome, DeadLetter, ResultMessage};

/// What `finish.lua` is told beside the texts.
#[derive(Serialize)]
pub struct FinishRequest<'a> {
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
    /// Of an ending of the job `id`.
    pub fn new(id: Option<&'a str>, outcome: &'a ClaimOutcome, rules: &QueueConfig) -> Self {
        let ttl = rules.result_ttl.map_or(0, |ttl| ttl.as_secs());
        let plain = FinishRequest {
            outcome: "release",
            id,
            ttl,
            max_crashes: rules.max_crashes,
            succeeded: None,
            letter: None,
            requeued: None,
        };
        match outcome {
            ClaimOutcome::Release => plain,
            ClaimOutcome::Result { succeeded, .. } => {
                FinishRequest { outcome: "result", succeeded: succeeded.as_deref(), ..plain }
            }
            ClaimOutcome::Dead { letter, .. } => FinishRequest { outcome: "dead", letter: Some(letter), ..plain },
            ClaimOutcome::Crash { letter, requeued, .. } => {
                FinishRequest { outcome: "crash", letter: Some(letter), requeued: Some(requeued), ..plain }
            }
        }
    }
}

impl ClaimOutcome {
    /// The texts that the backend reads; empty for a release.
    pub fn answer(&self) -> &ResultMessage {
        static NONE: LazyLock<ResultMessage> = LazyLock::new(ResultMessage::default);
        match self {
            Self::Release => &NONE,
            Self::Result { answer, .. } | Self::Crash { answer, .. } | Self::Dead { answer, .. } => answer,
        }
    }
}
