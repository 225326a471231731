//! A connection to Redis that comes back by itself, and what is said while it is away.
//!
//! Invariant: an outage, or a step that Redis refuses, costs one warning when it begins and one line when it ends, however
//! many ask meanwhile.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use oculus_market_data::tls;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Cmd, FromRedisValue, RedisError, RedisResult, ScriptInvocation};

use oculus_system::secret::RedisAddress;

/// How long a connection may take to open.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long Redis may take for an answer, a job's payload included.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// A client of the server at that address; connects to nothing yet.
///
/// # Errors
/// An address that is none.
pub fn client(address: &RedisAddress) -> RedisResult<redis::Client> {
    tls::install();
    redis::Client::open(address.reveal())
}

/// A connection that is opened when needed and again after it broke.
pub struct RedisClient {
    client: redis::Client,
    answer_timeout: Duration,
    outage: Outage,
    live: tokio::sync::Mutex<Option<Live>>,
}

#[derive(Clone)]
struct Live {
    connection: MultiplexedConnection,
    since: Instant,
}

impl RedisClient {
    /// A link whose answers may take `answer_timeout`, longer than any blocking command's own.
    pub fn new(client: redis::Client, answer_timeout: Duration, outage: Outage) -> Self {
        Self { client, answer_timeout, outage, live: tokio::sync::Mutex::new(None) }
    }

    /// Sends one command. `step` is what the log calls it when Redis refuses.
    ///
    /// # Errors
    /// Redis' own; the caller decides whether to try again. The next call connects anew where that is needed.
    pub async fn query<T: FromRedisValue>(&self, step: &str, command: &Cmd) -> RedisResult<T> {
        let mut connection = self.connection().await?;
        let answer = command.query_async(&mut connection).await;
        self.note_result(step, answer).await
    }

    /// Reads at a key that a producer named: what it holds there is the caller's matter, not an outage.
    ///
    /// # Errors
    /// As [`RedisClient::query`], and what [`is_about_the_data`].
    pub async fn look_up<T: FromRedisValue>(&self, command: &Cmd) -> RedisResult<T> {
        let mut connection = self.connection().await?;
        match command.query_async(&mut connection).await {
            Err(error) if is_about_the_data(&error) => Err(error),
            answer => self.note_result("read", answer).await,
        }
    }

    /// Runs a script.
    ///
    /// # Errors
    /// As [`RedisClient::query`].
    pub async fn invoke<T: FromRedisValue>(&self, step: &str, script: &ScriptInvocation<'_>) -> RedisResult<T> {
        let mut connection = self.connection().await?;
        let answer = script.invoke_async(&mut connection).await;
        self.note_result(step, answer).await
    }

    /// How long this link has been open without a break; `None` while it is closed.
    pub async fn connected_for(&self) -> Option<Duration> {
        self.live.lock().await.as_ref().map(|live| live.since.elapsed())
    }

    async fn connection(&self) -> RedisResult<MultiplexedConnection> {
        let mut live = self.live.lock().await;
        if let Some(live) = &*live {
            return Ok(live.connection.clone());
        }
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_TIMEOUT))
            .set_response_timeout(Some(self.answer_timeout));
        match self.client.get_multiplexed_async_connection_with_config(&config).await {
            Ok(connection) => {
                *live = Some(Live { connection: connection.clone(), since: Instant::now() });
                Ok(connection)
            }
            Err(error) => {
                self.outage.began(&error);
                Err(error)
            }
        }
    }

    async fn note_result<T>(&self, step: &str, answer: RedisResult<T>) -> RedisResult<T> {
        match &answer {
            Ok(_) => self.outage.done(step),
            Err(error) => {
                if self.outage.failed(step, error) {
                    *self.live.lock().await = None;
                }
            }
        }
        answer
    }
}

/// Whether Redis is well and only a key holds something else than expected.
pub fn is_about_the_data(error: &RedisError) -> bool {
    error.code() == Some("WRONGTYPE")
}

/// Whether Redis has answered, but does not do what is asked; it serves otherwise.
fn is_refusal(error: &RedisError) -> bool {
    // A server that loads or has become a replica serves nobody; by its name another may be found.
    error.code().is_some_and(|code| !["LOADING", "MASTERDOWN", "READONLY"].contains(&code))
}

/// One peer's outage, said once by whoever notices first; and each step that it refuses meanwhile or otherwise, which
/// ends only when that very step is done again.
#[derive(Clone)]
pub struct Outage {
    peer: Arc<str>,
    since: Arc<Mutex<BTreeMap<String, Instant>>>,
}

/// Not a step's name.
const AWAY: &str = "";

impl Outage {
    /// For a peer as the log shall call it, such as `Redis at redis://localhost:6379/0`.
    pub fn of(peer: &str) -> Self {
        Self { peer: peer.into(), since: Arc::default() }
    }

    /// Notes that the peer does not serve; the first of an outage is logged.
    pub fn began(&self, reason: &dyn std::fmt::Display) {
        if self.is_new(AWAY) {
            tracing::warn!("{} does not serve: {reason}; trying until it does", self.peer);
        }
    }

    /// Notes that it serves; the first after an outage is logged.
    pub fn ended(&self) {
        if let Some(since) = self.lock().remove(AWAY) {
            tracing::info!("{} serves again after {:.1} s", self.peer, since.elapsed().as_secs_f64());
        }
    }

    /// Notes how Redis failed at a step; `true` when it did not even answer, so that the connection is of no use.
    pub fn failed(&self, step: &str, error: &RedisError) -> bool {
        if !is_refusal(error) {
            self.began(error);
            return true;
        }
        self.ended();
        if self.is_new(step) {
            tracing::warn!("{} refuses `{step}`: {error}; trying until it does not", self.peer);
        }
        false
    }

    /// Notes that a step was done.
    pub fn done(&self, step: &str) {
        self.ended();
        if let Some(since) = self.lock().remove(step) {
            let seconds = since.elapsed().as_secs_f64();
            tracing::info!("{} does `{step}` again after {seconds:.1} s", self.peer);
        }
    }

    fn is_new(&self, step: &str) -> bool {
        let mut since = self.lock();
        let is_new = !since.contains_key(step);
        if is_new {
            since.insert(step.to_owned(), Instant::now());
        }
        is_new
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Instant>> {
        self.since.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
