//! The operations of operators on queues, jobs, dead letters and workers.
//!
//! In: requests of a command, or of any other front end. Out: the state of the queues, and changes
//! in Redis. Invariants: each change is atomic, and is logged with the name of the operator. No
//! function depends on a running worker of this process.

use std::sync::Arc;

use oculus_job::request::Job;
use redis::RedisError;

use super::queue::keys::Keys;
use super::redis_client::RedisClient;
use crate::config::{QueueConfig, QueueEnd};

pub mod cancel;
pub mod dead;
pub mod drain;
pub mod fleet;
pub mod jobs;
pub mod pause;
pub mod recent;

/// The operations on the queues of a configuration, in the name of an operator.
pub struct Operations {
    redis: Arc<RedisClient>,
    queues: Vec<OperatedQueue>,
    operator: String,
}

/// One queue, as operators see it.
struct OperatedQueue {
    keys: Keys,
    config: QueueConfig,
}

/// The reason why an operation failed. Nothing was changed, unless the variant states otherwise.
#[derive(Debug, thiserror::Error)]
pub enum OperationError {
    /// Redis is unavailable or rejects a command. An operation on several queues may have changed
    /// some of them.
    #[error("Redis failed: {0}")]
    Redis(#[from] RedisError),
    /// The configuration does not contain the queue.
    #[error("found the queue `{queue}`, expected one of JOB_QUEUE: {configured}")]
    UnknownQueue {
        /// The requested queue.
        queue: String,
        /// The configured queues.
        configured: String,
    },
    /// No queue contains the job, and it has no result.
    #[error(
        "no job `{id}` is waiting, claimed or running in {queues}, and it has no result; `oculus-host jobs` lists the \
         jobs"
    )]
    UnknownJob {
        /// The requested id.
        id: String,
        /// The queues that were searched.
        queues: String,
    },
    /// The job has ended already.
    #[error("the job `{id}` has already ended{status}; nothing is cancelled")]
    JobEnded {
        /// The requested id.
        id: String,
        /// The status of its result, as the end of a sentence.
        status: String,
    },
    /// No dead letter matches the selection.
    #[error("no dead letter in {queues} matches {selection}; `oculus-host dead list` lists them")]
    NoLetter {
        /// The selection.
        selection: String,
        /// The queues that were searched.
        queues: String,
    },
    /// No worker with this id reports to the queues.
    #[error("no worker `{id}` reports to {queues}; found: {known}")]
    UnknownWorker {
        /// The requested worker.
        id: String,
        /// The queues that were searched.
        queues: String,
        /// The ids of the workers that report.
        known: String,
    },
}

impl Operations {
    /// Creates the operations on all queues of a configuration.
    ///
    /// * `operator`: the name of the person or program in the log, such as `alice@trading-1`.
    pub fn new(redis: Arc<RedisClient>, config: &QueueConfig, operator: &str) -> Self {
        let queue = |name: &String| OperatedQueue { keys: Keys::new(name, config), config: config.clone() };
        Self { redis, queues: config.names.iter().map(queue).collect(), operator: operator.to_owned() }
    }

    /// Restricts the operations to one queue. `None` keeps all queues.
    ///
    /// # Errors
    /// Returns [`OperationError::UnknownQueue`] if the configuration does not contain the queue.
    pub fn only(mut self, queue: Option<&str>) -> Result<Self, OperationError> {
        let Some(queue) = queue else { return Ok(self) };
        let configured = self.queue_names();
        self.queues.retain(|known| known.name() == queue);
        if self.queues.is_empty() {
            return Err(OperationError::UnknownQueue { queue: queue.to_owned(), configured });
        }
        Ok(self)
    }

    /// Returns the names of the queues, separated by commas.
    fn queue_names(&self) -> String {
        self.queues.iter().map(|queue| format!("`{}`", queue.name())).collect::<Vec<_>>().join(", ")
    }

    /// Logs a change of an operator.
    fn audit(&self, queue: &OperatedQueue, action: &str, subject: &str) {
        tracing::info!(operator = self.operator, action, subject, queue = queue.name(), "operator action");
    }
}

impl OperatedQueue {
    fn name(&self) -> &str {
        self.keys.queue()
    }

    /// Returns the index of the next entry.
    fn next_index(&self) -> i8 {
        match self.config.end {
            QueueEnd::Left => 0,
            QueueEnd::Right => -1,
        }
    }

    /// Returns the command with which producers push: the entry is behind all waiting ones.
    fn push_last(&self) -> &'static str {
        match self.config.end {
            QueueEnd::Left => "RPUSH",
            QueueEnd::Right => "LPUSH",
        }
    }
}

/// Returns the configuration of a job with all defaults, if its payload can be parsed.
fn design_config(payload: &str) -> Option<serde_json::Value> {
    Job::parse(payload).ok().map(|job| job.design_config())
}

/// Returns the time in seconds since 1970.
fn now_s() -> f64 {
    jiff::Timestamp::now().as_millisecond() as f64 / 1000.0
}
