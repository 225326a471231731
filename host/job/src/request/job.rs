//! A valid job, and the configuration that its result states.
//!
//! In: nothing. Out: [`Job`].

use serde_json::{Value, json};

use super::design::Design;
use super::design_config::DesignConfig;
use super::timeframe::Timeframe;

/// A valid job: every value is within its range, and every default is filled in.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    /// Id in the queue and in progress events: `job_id`, or `build_id` if there is no `job_id`.
    pub id: String,
    /// Id in the result: `build_id`, or `job_id` if there is no `build_id`.
    pub build_id: String,
    /// Owner of the job, or empty if the job does not name one.
    pub user_id: String,
    /// Tickers in the job's order, without duplicates. They are safe as file names.
    pub symbols: Vec<String>,
    /// Length of a bar.
    pub timeframe: Timeframe,
    /// The strategy to search for, and how to train its models.
    pub design: Design,
}

impl Job {
    /// Returns the field `design_config` of the result: the configuration with all defaults filled
    /// in.
    pub fn design_config(&self) -> Value {
        json!(DesignConfig::from(self))
    }
}
