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
