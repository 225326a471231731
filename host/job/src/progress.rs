//! Progress of a job: its phases in their order, and the events that are published.
//!
//! In: a phase, its status and details. Out: an [`Event`] in JSON.
//! Invariant: phases are ordered as the work is, and no event follows a final one.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A phase of a job; the variants are in the order of the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Taken from the queue.
    Queued,
    /// Reading the market's bars.
    DataFetch,
    /// Computing features and labels.
    FeatureEngineering,
    /// Searching label and configuration.
    ConfigSearch,
    /// Fitting the model families.
    Training,
    /// Scoring and mining rules.
    RuleExtraction,
    /// Searching strategy parameters.
    StrategyOptimization,
    /// Result stored.
    Complete,
}

impl Phase {
    /// Returns the name on the wire.
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// The phase is running.
    InProgress,
    /// The phase succeeded.
    Completed,
    /// The phase failed; the result states why.
    Failed,
    /// The job was cancelled on request.
    Cancelled,
}

/// One event of a job, before the worker adds the job's id and the time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// The phase of the job.
    pub phase: Phase,
    /// The status of the phase.
    pub status: Status,
    /// `percent`, `message` and further fields of the phase.
    pub details: Map<String, Value>,
}

/// An event as it is published on the job's progress channel.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// The job's id.
    pub job_id: String,
    /// UTC, such as `2024-01-15T10:30:00`.
    pub timestamp: String,
    /// The phase of the job.
    pub phase: Phase,
    /// The status of the phase.
    pub status: Status,
    /// `percent`, `elapsed_s`, `eta_s`, `message` and further fields of the phase.
    pub details: Map<String, Value>,
}

impl Event {
    /// Creates an event with the current time and no details.
    pub fn now(job_id: &str, phase: Phase, status: Status) -> Self {
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

    /// Returns whether no event follows: the job is complete, failed or cancelled.
    pub fn is_final(&self) -> bool {
        match self.status {
            Status::Failed | Status::Cancelled => true,
            Status::Completed => self.phase == Phase::Complete,
            Status::InProgress => false,
        }
    }
}

/// Returns the channel on which a job's events are published, which is also the key that holds the
/// last one for an hour.
pub fn channel(job_id: &str) -> String {
    format!("oculus:training:progress:{job_id}")
}
