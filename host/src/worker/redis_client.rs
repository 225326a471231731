//! A client of Redis that opens its connection when it is needed and replaces it after a failure.
//!
//! In: commands and scripts. Out: Redis' replies.
//! Invariant: every failure is recorded in an [`Outage`].

use std::sync::Arc;
use std::time::{Duration, Instant};

use redis::{Cmd, FromRedisValue, Pipeline, RedisError, RedisResult, ScriptInvocation};

use super::outage::Outage;
use super::server_id::ServerId;

mod connect_error;
mod connector;
mod diagnosis;
mod probe;
mod replication;
mod sentinel;
mod server_check;

pub use connect_error::{ConnectError, ConnectErrorKind};
pub use connector::{Connector, OpenConnection};
pub use replication::Replication;

/// A client of one Redis server that reconnects automatically, to the current primary if there are
/// sentinels.
pub struct RedisClient {
    connector: Arc<Connector>,
    response_timeout: Duration,
    outage: Outage,
    /// The open connection; `None` while it is closed.
    live: tokio::sync::Mutex<Option<LiveConnection>>,
}

/// An open connection.
#[derive(Clone)]
struct LiveConnection {
    opened: OpenConnection,
    /// The time at which the connection was opened.
    since: Instant,
}

impl RedisClient {
    /// Creates a client.
    ///
    /// * `response_timeout`: the time limit for a response. It must be longer than the longest time
    ///   for which a command of the caller can block.
    pub fn new(connector: Arc<Connector>, response_timeout: Duration, outage: Outage) -> Self {
        Self { connector, response_timeout, outage, live: tokio::sync::Mutex::new(None) }
    }

    /// Opens a connection, unless one is open.
    ///
    /// # Errors
    /// Returns [`ConnectError`] if there is no server that can be used.
    pub async fn connect(&self) -> Result<(), ConnectError> {
        self.live().await.map(drop)
    }

    /// Sends one command. `step` is the name of the command in the log if Redis rejects it.
    ///
    /// # Errors
    /// Returns [`RedisError`] if Redis is unavailable or rejects the command. The caller decides
    /// whether to retry. If the connection is lost, the next call opens a new one.
    pub async fn query<T: FromRedisValue>(&self, step: &str, command: &Cmd) -> RedisResult<T> {
        let mut live = self.live().await?;
        let result = command.query_async(&mut live.opened.connection).await;
        self.note_result(step, &live, result).await
    }

    /// Sends several commands, whose replies are ignored, in one message.
    ///
    /// # Errors
    /// Returns [`RedisError`] if Redis is unavailable or rejects a command.
    pub async fn query_all(&self, step: &str, commands: &Pipeline) -> RedisResult<()> {
        let mut live = self.live().await?;
        let result = commands.query_async(&mut live.opened.connection).await;
        self.note_result(step, &live, result).await
    }

    /// Reads a key that a producer has named. Some errors are mistakes of the producer. They are
    /// returned, but no outage is recorded.
    ///
    /// * `is_mistake`: recognises such an error, for example [`is_wrong_type`].
    ///
    /// # Errors
    /// Returns the errors of [`RedisClient::query`].
    pub async fn read_key<T: FromRedisValue>(
        &self,
        command: &Cmd,
        is_mistake: impl Fn(&RedisError) -> bool,
    ) -> RedisResult<T> {
        let mut live = self.live().await?;
        match command.query_async(&mut live.opened.connection).await {
            Err(error) if is_mistake(&error) => Err(error),
            result => self.note_result("read", &live, result).await,
        }
    }

    /// Runs a script. `step` is the name of the script in the log if Redis rejects it.
    ///
    /// # Errors
    /// Returns [`RedisError`] if Redis is unavailable or rejects the script.
    pub async fn invoke<T: FromRedisValue>(&self, step: &str, script: &ScriptInvocation<'_>) -> RedisResult<T> {
        let mut live = self.live().await?;
        let result = script.invoke_async(&mut live.opened.connection).await;
        self.note_result(step, &live, result).await
    }

    /// Runs a script, and waits until replicas have received its writes. `step` is the name of the
    /// script in the log if Redis rejects it. The call blocks the connection, so this client must not
    /// be used for anything else.
    ///
    /// # Errors
    /// Returns [`RedisError`] if Redis is unavailable or rejects the script, or if too few replicas
    /// have confirmed the writes within the time limit. The script has run in the last case.
    pub async fn invoke_replicated<T: FromRedisValue>(
        &self,
        step: &str,
        script: &ScriptInvocation<'_>,
        replication: &Replication,
    ) -> RedisResult<T> {
        // Script and confirmation use one connection, and therefore one server. After a fail-over
        // between the two, the new primary would confirm writes that it has never received.
        let mut live = self.live().await?;
        let result = script.invoke_async(&mut live.opened.connection).await;
        let reply = self.note_result(step, &live, result).await?;
        let confirmed = replication.confirm(&mut live.opened.connection).await;
        self.note_result(&replication.step, &live, confirmed).await?;
        Ok(reply)
    }

    /// Returns the time for which the connection has been open, or `None` while it is closed.
    pub async fn connected_for(&self) -> Option<Duration> {
        self.live.lock().await.as_ref().map(|live| live.since.elapsed())
    }

    /// Returns the server to which the connection is open, or opens a connection. Returns `None` if
    /// the Redis user may not run `INFO`.
    ///
    /// # Errors
    /// Returns [`RedisError`] if Redis is unavailable.
    pub async fn server(&self) -> RedisResult<Option<ServerId>> {
        Ok(self.live().await?.opened.server)
    }

    /// Returns the open connection, or opens one.
    async fn live(&self) -> Result<LiveConnection, ConnectError> {
        // The lock is held while connecting, so that concurrent callers share one attempt.
        let mut live = self.live.lock().await;
        if let Some(open) = live.as_ref() {
            if self.connector.is_current(&open.opened) {
                return Ok(open.clone());
            }
            // The command fails as on a closed connection. If it ran on a new connection instead,
            // the reaper would reap immediately after a fail-over.
            *live = None;
            return Err(ConnectError::unavailable("another connection has found the server gone"));
        }
        let opened = self.connector.connect(self.response_timeout).await;
        let opened = opened.inspect_err(|error| self.outage.note_connect_failure(error))?;
        Ok(live.insert(LiveConnection { opened, since: Instant::now() }).clone())
    }

    /// Records the result of a step, and closes the connection if Redis did not respond.
    async fn note_result<T>(&self, step: &str, used: &LiveConnection, result: RedisResult<T>) -> RedisResult<T> {
        match &result {
            Ok(_) => self.outage.note_success(step),
            Err(error) if server_check::is_cluster_reply(error) => {
                self.outage.note_connect_failure(&self.connector.note_cluster());
                self.close(used).await;
            }
            Err(error) => {
                // The connection is closed here, because after a timeout it may look open although
                // Redis no longer responds on it.
                if self.outage.note_failure(step, error) {
                    if is_gone(error) {
                        self.connector.note_gone(&used.opened);
                    }
                    self.close(used).await;
                }
            }
        }
        result
    }

    /// Closes a connection, unless another one has replaced it.
    async fn close(&self, used: &LiveConnection) {
        let mut live = self.live.lock().await;
        if live.as_ref().is_some_and(|live| live.since == used.since) {
            *live = None;
        }
    }
}

/// Returns whether the other connections to the server are useless too: the server does not
/// respond, or it is no longer the primary. A single closed connection does not show this.
fn is_gone(error: &RedisError) -> bool {
    error.is_timeout() || error.code().is_some()
}

/// Returns whether the error only means that the key holds a value of another type. Redis is
/// available then.
pub fn is_wrong_type(error: &RedisError) -> bool {
    error.code() == Some("WRONGTYPE")
}

/// Returns whether the error only means that the Redis user has no right to the command or its key.
pub fn is_denied(error: &RedisError) -> bool {
    error.code() == Some("NOPERM")
}
