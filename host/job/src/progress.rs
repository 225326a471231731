//! Progress of a job: the phases in their order and what an event says.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Where a job stands; the order is the order of work.
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
    /// The name on the wire.
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

/// How the phase stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Under way.
    InProgress,
    /// Ended well.
    Completed,
    /// Ended badly; the result says why.
    Failed,
    /// Ended on request.
    Cancelled,
}

/// One event of a job, before the worker adds the job's id and the time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Where.
    pub phase: Phase,
    /// How.
    pub status: Status,
    /// `percent`, `message` and what the phase knows.
    pub details: Map<String, Value>,
}

/// An event as it is published on the job's progress channel.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// The job's id.
    pub job_id: String,
    /// UTC, such as `2024-01-15T10:30:00`.
    pub timestamp: String,
    /// Where.
    pub phase: Phase,
    /// How.
    pub status: Status,
    /// `percent`, `elapsed_s`, `eta_s`, `message` and what the phase knows.
    pub details: Map<String, Value>,
}

impl Event {
    /// An event of this moment, with no details yet.
    pub fn now(job_id: &str, phase: Phase, status: Status) -> Self {
        let timestamp = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S").to_string();
        Self { job_id: job_id.to_owned(), timestamp, phase, status, details: Map::new() }
    }

    /// The same with a message for people.
    #[must_use]
    pub fn with_message(mut self, message: &str) -> Self {
        self.details.insert("message".to_owned(), message.into());
        self
    }

    /// Its form on the wire.
    pub fn to_json(&self) -> String {
        serde_json::json!(self).to_string()
    }

    /// Whether nothing follows: the job is complete, failed or cancelled.
    pub fn is_final(&self) -> bool {
        match self.status {
            Status::Failed | Status::Cancelled => true,
            Status::Completed => self.phase == Phase::Complete,
            Status::InProgress => false,
        }
    }
}

/// The channel that a job's events are published on, and the key that holds the last of them for an hour.
pub fn channel(job_id: &str) -> String {
    format!("oculus:training:progress:{job_id}")
}
