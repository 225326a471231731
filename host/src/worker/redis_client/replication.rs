//! Confirms that replicas have received a write.

use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{RedisResult, make_extension_error, pipe};

/// The time within which the replicas must confirm a write.
const CONFIRM_TIMEOUT: Duration = Duration::from_secs(1);

/// The lifetime of the key that each confirmation writes.
const MARK_TTL_SECONDS: u64 = 3600;

/// The request that replicas confirm a write.
#[derive(Clone, Debug)]
pub struct Replication {
    /// The name of the confirmation in the log.
    pub step: String,
    /// The key that each confirmation writes.
    pub key: String,
    /// The number of replicas that must confirm.
    pub n_replicas: u32,
}

impl Replication {
    /// Waits until enough replicas have received everything that was written on this connection.
    ///
    /// # Errors
    /// Returns [`RedisError`](redis::RedisError) with the code `NOREPLICAS` if too few replicas
    /// confirm in time, and other errors if Redis is unavailable or rejects a command.
    pub(super) async fn confirm(&self, connection: &mut MultiplexedConnection) -> RedisResult<()> {
        let mut commands = pipe();
        // `WAIT` covers the writes of its own connection. A script that is repeated after a
        // reconnect writes nothing, so `WAIT` alone would confirm nothing. This write follows the
        // earlier ones in the stream of the replicas, so a replica that has it has them too.
        commands.cmd("SET").arg(&self.key).arg(1).arg("EX").arg(MARK_TTL_SECONDS).ignore();
        commands.cmd("WAIT").arg(self.n_replicas).arg(CONFIRM_TIMEOUT.as_millis() as u64);
        let (n_confirmed,): (u32,) = commands.query_async(connection).await?;
        if n_confirmed >= self.n_replicas {
            return Ok(());
        }
        let detail = format!("{n_confirmed} of {} replicas have confirmed the result", self.n_replicas);
        Err(make_extension_error("NOREPLICAS".to_owned(), Some(detail)))
    }
}
