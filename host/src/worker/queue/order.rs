//! What `finish.lua` is told of an ending, beside the texts that the backend reads.

use std::sync::LazyLock;

use serde::Serialize;

use crate::config::QueueConfig;
use crate::worker::outcome::{Answer, Letter, Outcome};

/// What `finish.lua` is told beside the texts.
#[derive(Serialize)]
pub struct Order<'a> {
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    ttl: u64,
    max_crashes: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    succeeded: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    letter: Option<&'a Letter>,
    #[serde(skip_serializing_if = "Option::is_none")]
    requeued: Option<&'a str>,
}

impl<'a> Order<'a> {
    /// Of an ending of the job `id`.
    pub fn new(id: Option<&'a str>, outcome: &'a Outcome, rules: &QueueConfig) -> Self {
        let ttl = rules.result_ttl.map_or(0, |ttl| ttl.as_secs());
        let plain = Order {
            outcome: "release",
            id,
            ttl,
            max_crashes: rules.max_crashes,
            succeeded: None,
            letter: None,
            requeued: None,
        };
        match outcome {
            Outcome::Release => plain,
            Outcome::Result { succeeded, .. } => Order { outcome: "result", succeeded: succeeded.as_deref(), ..plain },
            Outcome::Dead { letter, .. } => Order { outcome: "dead", letter: Some(letter), ..plain },
            Outcome::Crash { letter, requeued, .. } => {
                Order { outcome: "crash", letter: Some(letter), requeued: Some(requeued), ..plain }
            }
        }
    }
}

impl Outcome {
    /// The texts that the backend reads; empty for a release.
    pub fn answer(&self) -> &Answer {
        static NONE: LazyLock<Answer> = LazyLock::new(Answer::default);
        match self {
            Self::Release => &NONE,
            Self::Result { answer, .. } | Self::Crash { answer, .. } | Self::Dead { answer, .. } => answer,
        }
    }
}
