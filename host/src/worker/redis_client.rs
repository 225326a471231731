//! A client of Redis that opens its connection when it is needed and replaces it after a failure.
//!
//! In: commands and scripts. Out: Redis' replies.
//! Invariant: every failure is recorded in an [`Outage`].

use std::time::{Duration, Instant};

use oculus_market_data::tls;
use oculus_system::secret::RedisAddress;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Cmd, FromRedisValue, Pipeline, RedisError, RedisResult, ScriptInvocation};

use super::outage::Outage;
use super::server_id::ServerId;

/// The time limit for opening a connection.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The time limit for a response. It also applies to the transfer of a job's payload.
pub const RESPONSE_TIMEOUT: Duration = Duration::from_secs(10);

/// Creates a client of the server at `address`. Opens no connection.
///
/// # Errors
/// Returns [`RedisError`] if the address is not a Redis URL.
pub fn open(address: &RedisAddress) -> RedisResult<redis::Client> {
    tls::install();
    redis::Client::open(address.reveal())
}

/// A client of one Redis server that reconnects automatically.
pub struct RedisClient {
    client: redis::Client,
    response_timeout: Duration,
    outage: Outage,
    /// The open connection; `None` while it is closed.
    live: tokio::sync::Mutex<Option<LiveConnection>>,
}

/// An open connection.
#[derive(Clone)]
struct LiveConnection {
    connection: MultiplexedConnection,
    /// The time at which the connection was opened.
    since: Instant,
    /// The server at the other end; `None` if the Redis user may not run `INFO`.
    server: Option<ServerId>,
}

impl RedisClient {
    /// Creates a client.
    ///
    /// * `response_timeout`: the time limit for a response. It must be longer than the longest time
    ///   for which a command of the caller can block.
    pub fn new(client: redis::Client, response_timeout: Duration, outage: Outage) -> Self {
        Self { client, response_timeout, outage, live: tokio::sync::Mutex::new(None) }
    }

    /// Sends one command. `step` is the name of the command in the log if Redis rejects it.
    ///
    /// # Errors
    /// Returns [`RedisError`] if Redis is unavailable or rejects the command. The caller decides
    /// whether to retry. If the connection is lost, the next call opens a new one.
    pub async fn query<T: FromRedisValue>(&self, step: &str, command: &Cmd) -> RedisResult<T> {
        let mut connection = self.live().await?.connection;
        let result = command.query_async(&mut connection).await;
        self.note_result(step, result).await
    }

    /// Sends several commands, whose replies are ignored, in one message.
    ///
    /// # Errors
    /// Returns [`RedisError`] if Redis is unavailable or rejects a command.
    pub async fn query_all(&self, step: &str, commands: &Pipeline) -> RedisResult<()> {
        let mut connection = self.live().await?.connection;
        let result = commands.query_async(&mut connection).await;
        self.note_result(step, result).await
    }

    /// Reads a key that a producer has named. If the value has another type, returns an error but
    /// records no outage, because the mistake is the producer's.
    ///
    /// # Errors
    /// Returns the errors of [`RedisClient::query`]. [`is_wrong_type`] recognises the error of a
    /// value that has another type.
    pub async fn read_key<T: FromRedisValue>(&self, command: &Cmd) -> RedisResult<T> {
        let mut connection = self.live().await?.connection;
        match command.query_async(&mut connection).await {
            Err(error) if is_wrong_type(&error) => Err(error),
            result => self.note_result("read", result).await,
        }
    }

    /// Runs a script. `step` is the name of the script in the log if Redis rejects it.
    ///
    /// # Errors
    /// Returns [`RedisError`] if Redis is unavailable or rejects the script.
    pub async fn invoke<T: FromRedisValue>(&self, step: &str, script: &ScriptInvocation<'_>) -> RedisResult<T> {
        let mut connection = self.live().await?.connection;
        let result = script.invoke_async(&mut connection).await;
        self.note_result(step, result).await
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
        Ok(self.live().await?.server)
    }

    /// Returns the open connection, or opens one.
    async fn live(&self) -> RedisResult<LiveConnection> {
        // The lock is held while connecting, so that concurrent callers share one attempt.
        let mut live = self.live.lock().await;
        if let Some(live) = &*live {
            return Ok(live.clone());
        }
        let opened = self.open_connection().await.inspect_err(|error| self.outage.note_unavailable(error))?;
        Ok(live.insert(opened).clone())
    }

    /// Opens a connection and identifies its server.
    async fn open_connection(&self) -> RedisResult<LiveConnection> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_TIMEOUT))
            .set_response_timeout(Some(self.response_timeout));
        let mut connection = self.client.get_multiplexed_async_connection_with_config(&config).await?;
        let server = ServerId::read(&mut connection).await?;
        Ok(LiveConnection { connection, since: Instant::now(), server })
    }

    /// Records the result of a step, and closes the connection if Redis did not respond.
    async fn note_result<T>(&self, step: &str, result: RedisResult<T>) -> RedisResult<T> {
        match &result {
            Ok(_) => self.outage.note_success(step),
            Err(error) => {
                // The connection is closed here, because after a timeout it may look open although
                // Redis no longer responds on it.
                if self.outage.note_failure(step, error) {
                    *self.live.lock().await = None;
                }
            }
        }
        result
    }
}

/// Returns whether the error only means that the key holds a value of another type. Redis is
/// available then.
pub fn is_wrong_type(error: &RedisError) -> bool {
    error.code() == Some("WRONGTYPE")
}
