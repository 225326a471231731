//! A connection to Redis that is opened when needed and again after it broke.
//!
//! In: commands and scripts. Out: Redis' replies. Every failure is recorded in an [`Outage`].

use std::time::{Duration, Instant};

use oculus_market_data::tls;
use oculus_system::secret::RedisAddress;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Cmd, FromRedisValue, RedisError, RedisResult, ScriptInvocation};

use super::outage::Outage;

/// How long a connection may take to open.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long Redis may take to respond, also with a job's payload.
pub const RESPONSE_TIMEOUT: Duration = Duration::from_secs(10);

/// Returns a client of the server at `address`; opens no connection yet.
///
/// # Errors
/// The address is not a Redis URL.
pub fn open(address: &RedisAddress) -> RedisResult<redis::Client> {
    tls::install();
    redis::Client::open(address.reveal())
}

/// A client of one Redis server that reconnects by itself.
pub struct RedisClient {
    client: redis::Client,
    response_timeout: Duration,
    outage: Outage,
    live: tokio::sync::Mutex<Option<LiveConnection>>,
}

#[derive(Clone)]
struct LiveConnection {
    connection: MultiplexedConnection,
    since: Instant,
}

impl RedisClient {
    /// Creates a client whose replies may take `response_timeout`: longer than any blocking command
    /// that it sends.
    pub fn new(client: redis::Client, response_timeout: Duration, outage: Outage) -> Self {
        Self { client, response_timeout, outage, live: tokio::sync::Mutex::new(None) }
    }

    /// Sends one command. `step` is its name in the log if Redis rejects it.
    ///
    /// # Errors
    /// Redis' own; the caller decides whether to retry. The next call reconnects if the connection
    /// is lost.
    pub async fn query<T: FromRedisValue>(&self, step: &str, command: &Cmd) -> RedisResult<T> {
        let mut connection = self.connection().await?;
        let result = command.query_async(&mut connection).await;
        self.note_result(step, result).await
    }

    /// Reads a key that a producer named. A value of another type at that key is the caller's
    /// error, not an outage.
    ///
    /// # Errors
    /// Those of [`RedisClient::query`], and those that [`is_wrong_type`] recognises.
    pub async fn look_up<T: FromRedisValue>(&self, command: &Cmd) -> RedisResult<T> {
        let mut connection = self.connection().await?;
        match command.query_async(&mut connection).await {
            Err(error) if is_wrong_type(&error) => Err(error),
            result => self.note_result("read", result).await,
        }
    }

    /// Runs a script.
    ///
    /// # Errors
    /// Those of [`RedisClient::query`].
    pub async fn invoke<T: FromRedisValue>(&self, step: &str, script: &ScriptInvocation<'_>) -> RedisResult<T> {
        let mut connection = self.connection().await?;
        let result = script.invoke_async(&mut connection).await;
        self.note_result(step, result).await
    }

    /// Returns how long the connection has been open without a break; `None` while it is closed.
    pub async fn connected_for(&self) -> Option<Duration> {
        self.live.lock().await.as_ref().map(|live| live.since.elapsed())
    }

    async fn connection(&self) -> RedisResult<MultiplexedConnection> {
        // Held while connecting, so that concurrent callers share one attempt.
        let mut live = self.live.lock().await;
        if let Some(live) = &*live {
            return Ok(live.connection.clone());
        }
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_TIMEOUT))
            .set_response_timeout(Some(self.response_timeout));
        match self.client.get_multiplexed_async_connection_with_config(&config).await {
            Ok(connection) => {
                *live = Some(LiveConnection { connection: connection.clone(), since: Instant::now() });
                Ok(connection)
            }
            Err(error) => {
                self.outage.began(&error);
                Err(error)
            }
        }
    }

    /// Records the result of a step, and closes the connection if Redis did not respond.
    async fn note_result<T>(&self, step: &str, result: RedisResult<T>) -> RedisResult<T> {
        match &result {
            Ok(_) => self.outage.done(step),
            Err(error) => {
                if self.outage.failed(step, error) {
                    *self.live.lock().await = None;
                }
            }
        }
        result
    }
}

/// Returns whether Redis is available and only the key holds a value of another type.
pub fn is_wrong_type(error: &RedisError) -> bool {
    error.code() == Some("WRONGTYPE")
}
