//! Progress of a job: its phases in order, and the progress events that are published.
//!
//! In: a phase with its status and details. Out: an [`Event`] in JSON. Invariant: the variants of
//! [`Phase`] are in the order of the work. No event follows a final event.

mod details;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use self::details::EventDetails;

/// A phase of a job. The variants have the order in which a job passes through them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// The worker has taken the job from the queue.
    Queued,
    /// Bars are read or fetched.
    DataFetch,
    /// Features and labels are computed.
    FeatureEngineering,
    /// The search selects a label and a configuration.
    ConfigSearch,
    /// The model families are fitted.
    Training,
    /// Rules are mined and scored.
    RuleExtraction,
    /// The parameters of the strategy are optimised.
    StrategyOptimization,
    /// The result is stored.
    Complete,
}

impl Phase {
    /// Returns the name of the phase in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::DataFetch => "data_fetch",
            Self::FeatureEngineering => "feature_engineering",
            Self::ConfigSearch => "config_search",
            Self::Training => "training",
            Self::RuleExtraction => "rule_extraction",
            Self::StrategyOptimization => "strategy_optimization",
            Self::Complete => "complete",
        }
    }
}

/// The status of a phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// The phase is running.
    InProgress,
    /// The phase succeeded.
    Completed,
    /// The phase failed. The job's result states the reason.
    Failed,
    /// The job was cancelled on request.
    Cancelled,
}

/// A progress event from the job process. The worker adds the job's id and the time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// The phase of the job.
    pub phase: Phase,
    /// The status of the phase.
    pub status: Status,
    /// `percent`, `message` and further fields of the phase.
    pub details: Map<String, Value>,
}

/// A progress event in the form that is published on the job's channel.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Event {
    /// `job_id` of the job, or its `build_id` if it has no `job_id`.
    #[schemars(extend("x-contract" = true))]
    pub job_id: String,
    /// Time of the event in UTC, with whole seconds and without an offset, such as `2024-01-15T10:30:00`.
    #[schemars(extend("x-contract" = true))]
    pub timestamp: String,
    /// Phase of the job.
    #[schemars(extend("x-contract" = true))]
    pub phase: Phase,
    /// Status of the phase.
    #[schemars(extend("x-contract" = true))]
    pub status: Status,
    /// Message, progress and further fields of the phase.
    #[schemars(with = "EventDetails", extend("x-contract" = true))]
    pub details: Map<String, Value>,
}

impl Event {
    /// Creates an event with the current time and no details.
    pub fn now(job_id: &str, phase: Phase, status: Status) -> Self {
        // In the wire format, a time is in UTC, with whole seconds and without an offset.
        let timestamp = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S").to_string();
        Self { job_id: job_id.to_owned(), timestamp, phase, status, details: Map::new() }
    }

    /// Adds a message for people.
    #[must_use]
    pub fn with_message(mut self, message: &str) -> Self {
        self.details.insert("message".to_owned(), message.into());
        self
    }

    /// Returns the event as JSON.
    pub fn to_json(&self) -> String {
        serde_json::json!(self).to_string()
    }

    /// Returns whether this is the last event of the job, which states that the job is complete,
    /// failed or cancelled.
    pub fn is_final(&self) -> bool {
        match self.status {
            Status::Failed | Status::Cancelled => true,
            Status::Completed => self.phase == Phase::Complete,
            Status::InProgress => false,
        }
    }
}

/// Returns the Redis channel on which the events of a job are published. The Redis key of the same
/// name stores the job's latest event for one hour.
pub fn channel(job_id: &str) -> String {
    format!("oculus:training:progress:{job_id}")
}
