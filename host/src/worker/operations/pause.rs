//! Pauses and resumes queues. Workers of a paused queue fetch no entries and finish what they run.

use redis::{RedisResult, cmd};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{OperatedQueue, OperationError, Operations, now_s};

/// The pause of a queue, as Redis stores it. The fields are null if another program has set the
/// key.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Pause {
    /// Operator who paused the queue.
    pub by: Option<String>,
    /// Time of the pause, in seconds since 1970.
    pub at: Option<f64>,
    /// Reason of the pause, for people.
    pub reason: Option<String>,
}

/// The state of a queue after it was paused or resumed.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct QueueState {
    /// Name of the queue.
    pub queue: String,
    /// True if the queue is paused now.
    pub is_paused: bool,
    /// True if the command changed the state.
    pub has_changed: bool,
    /// The pause that exists now, or that the command ended; null if there was none.
    pub pause: Option<Pause>,
}

impl Pause {
    /// Parses the value of the key. Any value pauses the queue, so an unknown one has no fields.
    pub(super) fn parse(text: &[u8]) -> Self {
        serde_json::from_slice(text).unwrap_or_default()
    }
}

impl Operations {
    /// Pauses every queue. A queue that is paused already keeps its first pause.
    ///
    /// # Errors
    /// Returns [`OperationError::Redis`] if Redis is unavailable.
    pub async fn pause(&self, reason: Option<&str>) -> Result<Vec<QueueState>, OperationError> {
        let pause = Pause { by: Some(self.operator.clone()), at: Some(now_s()), reason: reason.map(str::to_owned) };
        let text = serde_json::json!(pause).to_string();
        let mut states = Vec::new();
        for queue in &self.queues {
            let set = cmd("SET").arg(queue.keys.paused()).arg(&text).arg("NX").to_owned();
            let has_changed = self.redis.query::<Option<String>>("pause", &set).await?.is_some();
            if has_changed {
                self.audit(queue, "pause", reason.unwrap_or_default());
            }
            let pause = if has_changed { Some(pause.clone()) } else { self.read_pause(queue, "GET").await? };
            states.push(QueueState { queue: queue.name().to_owned(), is_paused: true, has_changed, pause });
        }
        Ok(states)
    }

    /// Resumes every queue.
    ///
    /// # Errors
    /// Returns [`OperationError::Redis`] if Redis is unavailable.
    pub async fn resume(&self) -> Result<Vec<QueueState>, OperationError> {
        let mut states = Vec::new();
        for queue in &self.queues {
            let pause = self.read_pause(queue, "GETDEL").await?;
            if pause.is_some() {
                self.audit(queue, "resume", "");
            }
            let has_changed = pause.is_some();
            states.push(QueueState { queue: queue.name().to_owned(), is_paused: false, has_changed, pause });
        }
        Ok(states)
    }

    async fn read_pause(&self, queue: &OperatedQueue, command: &str) -> RedisResult<Option<Pause>> {
        let text: Option<Vec<u8>> = self.redis.query("pause", cmd(command).arg(queue.keys.paused())).await?;
        Ok(text.map(|text| Pause::parse(&text)))
    }
}
