//! A client of the queue, for the commands that act as a backend: submits a job, follows its
//! progress, reads its result.

use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use oculus_job::progress::{Event, channel};
use redis::cmd;
use serde_json::Value;
use tokio::sync::mpsc;

use crate::config::{Config, QueueEnd};
use crate::worker::redis_client::{Connector, OpenConnection};

/// Interval at which the result is polled. The result is polled because Pub/Sub does not redeliver
/// a lost event.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// A connection to the queue for a producer of jobs.
pub(super) struct JobClient {
    opened: OpenConnection,
    connect_timeout: Duration,
    queue: String,
    push: &'static str,
    job_prefix: String,
    result_prefix: String,
}

impl JobClient {
    /// Connects to Redis.
    ///
    /// # Errors
    /// Returns an error if Redis cannot be reached within the timeout.
    pub(super) async fn open(config: &Config) -> anyhow::Result<Self> {
        let connector = Connector::new(config.redis.clone());
        let opened = connector.connect(connector.response_timeout()).await;
        Ok(Self {
            opened: opened.with_context(|| format!("cannot connect to Redis at {}", config.redis))?,
            connect_timeout: config.redis.timeouts().connect,
            queue: config.queue.names[0].clone(),
            // A queue is first in, first out, so jobs are pushed at one end and workers pop from
            // the other.
            push: match config.queue.end {
                QueueEnd::Right => "LPUSH",
                QueueEnd::Left => "RPUSH",
            },
            job_prefix: config.queue.job_prefix.clone(),
            result_prefix: config.queue.result_prefix.clone(),
        })
    }

    /// Returns the name of the Redis list that jobs are pushed to.
    pub(super) fn queue(&self) -> &str {
        &self.queue
    }

    /// Submits a job: stores its payload, then pushes its id. Returns the number of entries that wait
    /// in front of it.
    ///
    /// # Errors
    /// Returns an error if Redis rejects a command or the connection breaks.
    pub(super) async fn submit(&self, id: &str, payload: &str) -> anyhow::Result<u64> {
        let mut connection = self.opened.connection.clone();
        let key = format!("{}:{id}", self.job_prefix);
        // The payload is stored first, because a worker may pop the id as soon as it is pushed.
        let () = cmd("SET").arg(key).arg(payload).query_async(&mut connection).await.context("cannot store the job")?;
        let pushed = cmd(self.push).arg(&self.queue).arg(id).query_async(&mut connection).await;
        let length: u64 = pushed.with_context(|| format!("cannot push the job to `{}`", self.queue))?;
        // The reply is the length of the list, which includes this job.
        Ok(length.saturating_sub(1))
    }

    async fn result(&self, id: &str) -> anyhow::Result<Option<String>> {
        let key = format!("{}:{id}", self.result_prefix);
        cmd("GET").arg(key).query_async(&mut self.opened.connection.clone()).await.context("cannot read the result")
    }
}

/// A subscription to the progress channel of one job.
pub(super) struct JobWatcher<'a> {
    client: &'a JobClient,
    id: String,
    events: mpsc::UnboundedReceiver<Event>,
    /// The result of an earlier run of the same job. It must not be taken for the result of this
    /// run.
    previous: Option<String>,
}

impl<'a> JobWatcher<'a> {
    /// Subscribes to the progress channel of a job.
    ///
    /// # Errors
    /// Returns an error if Redis cannot be reached or rejects the subscription.
    pub(super) async fn subscribe(client: &'a JobClient, id: &str) -> anyhow::Result<Self> {
        let mut connection =
            redis::Client::open(client.opened.info.clone())?.get_connection_with_timeout(client.connect_timeout)?;
        let (sender, events) = mpsc::unbounded_channel();
        let name = channel(id);
        let (ready, subscribed) = tokio::sync::oneshot::channel();
        // A subscribed connection accepts no other commands, and its reads block. Therefore the
        // subscription has its own connection and thread.
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
        subscribed
            .await
            .context("the subscriber thread has stopped")?
            .context("cannot subscribe to the job's channel")?;
        Ok(Self { client, id: id.to_owned(), events, previous: client.result(id).await? })
    }

    /// Passes events to `on_event` until the job has a result, and returns the result.
    ///
    /// # Errors
    /// Returns an error if the connection to Redis breaks, or if the result is absent or is not
    /// JSON.
    pub(super) async fn wait_for_result(&mut self, mut on_event: impl FnMut(&Event)) -> anyhow::Result<Value> {
        let result = loop {
            let is_final = tokio::select! {
                event = self.events.recv() => {
                    let event = event.ok_or_else(|| anyhow!("lost the connection to Redis"))?;
                    on_event(&event);
                    event.is_final()
                }
                () = tokio::time::sleep(POLL_INTERVAL) => false,
            };
            let result = self.client.result(&self.id).await?;
            if is_final || (result.is_some() && result != self.previous) {
                break result;
            }
            // A worker removes the earlier result when it starts the job. From then on, any result
            // is the one of this run, even if it equals the earlier one.
            if result.is_none() {
                self.previous = None;
            }
        };
        // The result and the last event are written in one step, so the client may read the result
        // before the event arrives.
        while let Ok(Some(event)) = tokio::time::timeout(POLL_INTERVAL / 4, self.events.recv()).await {
            on_event(&event);
        }
        let Some(result) = result else { bail!("job {} has finished, but its result no longer exists", self.id) };
        serde_json::from_str(&result).with_context(|| format!("the result of {} is not JSON", self.id))
    }
}
