//! The backend's side of the contract, for the commands that act as a backend: submit a job, follow
//! it, read its result.

use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use oculus_job::progress::{Event, channel};
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, cmd};
use serde_json::Value;
use tokio::sync::mpsc;

use crate::config::{Config, QueueEnd};
use crate::worker::redis_client;

/// How often the result is read in addition to the events, which may be lost.
const POLL_EVERY: Duration = Duration::from_secs(1);

/// A connection to the queue as its producers use it.
pub(super) struct JobClient {
    connection: MultiplexedConnection,
    queue: String,
    push: &'static str,
    job_prefix: String,
    result_prefix: String,
}

impl JobClient {
    /// Connects to Redis.
    ///
    /// # Errors
    /// Redis does not respond.
    pub(super) async fn open(config: &Config) -> anyhow::Result<Self> {
        let timeouts = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(redis_client::CONNECT_TIMEOUT))
            .set_response_timeout(Some(redis_client::RESPONSE_TIMEOUT));
        let connection =
            redis_client::open(&config.redis)?.get_multiplexed_async_connection_with_config(&timeouts).await;
        Ok(Self {
            connection: connection.with_context(|| format!("Redis at {} does not answer", config.redis))?,
            queue: config.queue.names[0].clone(),
            push: match config.queue.end {
                QueueEnd::Right => "LPUSH",
                QueueEnd::Left => "RPUSH",
            },
            job_prefix: config.queue.job_prefix.clone(),
            result_prefix: config.queue.result_prefix.clone(),
        })
    }

    /// Returns the list to which jobs are pushed.
    pub(super) fn queue(&self) -> &str {
        &self.queue
    }

    /// Submits a job: stores the payload, then pushes the id.
    ///
    /// # Errors
    /// Redis' own.
    pub(super) async fn submit(&self, id: &str, payload: &str) -> anyhow::Result<()> {
        let mut connection = self.connection.clone();
        let key = format!("{}:{id}", self.job_prefix);
        let () =
            cmd("SET").arg(key).arg(payload).query_async(&mut connection).await.context("the job cannot be stored")?;
        let pushed = cmd(self.push).arg(&self.queue).arg(id).query_async(&mut connection).await;
        pushed.with_context(|| format!("the job cannot be pushed onto `{}`", self.queue))
    }

    async fn result(&self, id: &str) -> anyhow::Result<Option<String>> {
        let key = format!("{}:{id}", self.result_prefix);
        cmd("GET").arg(key).query_async(&mut self.connection.clone()).await.context("the result cannot be read")
    }
}

/// A subscription to one job's progress channel.
pub(super) struct JobWatcher<'a> {
    client: &'a JobClient,
    id: String,
    events: mpsc::UnboundedReceiver<Event>,
    /// The result of an earlier run of the same job.
    previous: Option<String>,
}

impl<'a> JobWatcher<'a> {
    /// Subscribes to the progress channel of a job.
    ///
    /// # Errors
    /// Redis' own.
    pub(super) async fn subscribe(config: &Config, client: &'a JobClient, id: &str) -> anyhow::Result<Self> {
        let mut connection =
            redis_client::open(&config.redis)?.get_connection_with_timeout(redis_client::CONNECT_TIMEOUT)?;
        let (sender, events) = mpsc::unbounded_channel();
        let name = channel(id);
        let (ready, subscribed) = tokio::sync::oneshot::channel();
        // The subscription blocks its connection, so it has a thread and a connection of its own
        // while the command runs.
        std::thread::Builder::new().name("events".to_owned()).spawn(move || {
            let mut channel = connection.as_pubsub();
            let _ = ready.send(channel.subscribe(&name));
            while let Ok(message) = channel.get_message() {
                if let Ok(event) = serde_json::from_slice(message.get_payload_bytes())
                    && sender.send(event).is_err()
                {
                    break;
                }
            }
        })?;
        subscribed.await.context("the listener ended")?.context("the job's channel cannot be listened to")?;
        Ok(Self { client, id: id.to_owned(), events, previous: client.result(id).await? })
    }

    /// Passes events to `on_event` until the job has a result, and returns the result.
    ///
    /// # Errors
    /// Redis' own, or a result that is not JSON.
    pub(super) async fn until_result(&mut self, mut on_event: impl FnMut(&Event)) -> anyhow::Result<Value> {
        let result = loop {
            let is_over = tokio::select! {
                event = self.events.recv() => {
                    let event = event.ok_or_else(|| anyhow!("the connection to Redis broke"))?;
                    on_event(&event);
                    event.is_final()
                }
                () = tokio::time::sleep(POLL_EVERY) => false,
            };
            let result = self.client.result(&self.id).await?;
            if is_over || result != self.previous {
                break result;
            }
        };
        // Result and last event are written in one step, so the last event may still be on its way.
        while let Ok(Some(event)) = tokio::time::timeout(POLL_EVERY / 4, self.events.recv()).await {
            on_event(&event);
        }
        let Some(result) = result else { bail!("job {} is over, but its result is gone", self.id) };
        serde_json::from_str(&result).with_context(|| format!("the result of {} is no JSON", self.id))
    }
}
