//! Checks a server before the first command of the worker.
//!
//! In: the replies to `INFO`, or to a probe if `INFO` is forbidden. Out: the [`ServerId`], or the
//! reason why the server cannot be used. Invariant: no job is taken from a server in cluster mode.

use redis::aio::MultiplexedConnection;
use redis::{RedisError, RedisResult, cmd};

use super::connect_error::ConnectError;
use crate::worker::server_id::{ServerId, field};

/// The failure of a check.
pub(super) enum CheckError {
    /// The server did not respond, or rejected the check.
    Redis(RedisError),
    /// The server cannot be used.
    Server(ConnectError),
}

impl From<RedisError> for CheckError {
    fn from(error: RedisError) -> Self {
        Self::Redis(error)
    }
}

/// The two sections of `INFO` that the worker needs.
struct ServerInfo {
    server: String,
    replication: String,
}

/// Identifies the server. Returns `None` if the Redis user may not run `INFO`.
///
/// * `needs_primary`: true if a replica must be rejected.
pub(super) async fn check(
    connection: &mut MultiplexedConnection,
    needs_primary: bool,
) -> Result<Option<ServerId>, CheckError> {
    let Some(info) = read_info(connection).await? else {
        check_slots(connection).await?;
        if needs_primary {
            check_role(read_role(connection).await?.as_deref())?;
        }
        return Ok(None);
    };
    // Valkey names the field `server_mode`.
    match field(&info.server, "redis_mode").or_else(|| field(&info.server, "server_mode")) {
        Some("cluster") => return Err(CheckError::Server(ConnectError::cluster())),
        Some("sentinel") => return Err(CheckError::Server(sentinel_port())),
        _ => {}
    }
    if needs_primary {
        check_role(field(&info.replication, "role"))?;
    }
    Ok(ServerId::from_info(&info.server, &info.replication))
}

/// Reads `INFO`. Returns `None` if the Redis user may not run it.
async fn read_info(connection: &mut MultiplexedConnection) -> RedisResult<Option<ServerInfo>> {
    // Redis 6 accepts only one section per call.
    let Some(server) = permitted(cmd("INFO").arg("server").query_async(connection).await)? else { return Ok(None) };
    let replication = permitted(cmd("INFO").arg("replication").query_async(connection).await)?;
    Ok(replication.map(|replication| ServerInfo { server, replication }))
}

/// Reads the role of the server. Returns `None` if the Redis user may not run `ROLE`.
async fn read_role(connection: &mut MultiplexedConnection) -> RedisResult<Option<String>> {
    let role: Option<Vec<redis::Value>> = permitted(cmd("ROLE").query_async(connection).await)?;
    role.and_then(|role| role.into_iter().next()).map(redis::from_redis_value).transpose().map_err(RedisError::from)
}

/// Recognises a server in cluster mode by its reply to a command with keys of different slots.
async fn check_slots(connection: &mut MultiplexedConnection) -> Result<(), CheckError> {
    // The worker needs rights to these keys anyway.
    let keys = ["oculus:training:progress:a", "oculus:training:progress:b"];
    match permitted(cmd("EXISTS").arg(&keys).query_async::<u64>(connection).await) {
        Err(error) if is_cluster_reply(&error) => Err(CheckError::Server(ConnectError::cluster())),
        result => Ok(result.map(drop)?),
    }
}

/// Returns `None` if the Redis user may not run a command, or if an operator has renamed it.
fn permitted<T>(reply: RedisResult<T>) -> RedisResult<Option<T>> {
    match reply {
        Ok(reply) => Ok(Some(reply)),
        Err(error) if error.code() == Some("NOPERM") => Ok(None),
        Err(error) if error.detail().is_some_and(|detail| detail.starts_with("unknown command")) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Returns whether only a server in cluster mode replies with this error.
pub(super) fn is_cluster_reply(error: &RedisError) -> bool {
    error.code().is_some_and(|code| ["CROSSSLOT", "MOVED", "ASK", "CLUSTERDOWN"].contains(&code))
}

fn check_role(role: Option<&str>) -> Result<(), CheckError> {
    match role {
        // The sentinels are right until a command fails.
        None | Some("master") => Ok(()),
        Some(_) => Err(CheckError::Server(ConnectError::unavailable("the server is a replica, not the primary"))),
    }
}

fn sentinel_port() -> ConnectError {
    ConnectError::unusable(
        "the server is a sentinel, which stores no jobs",
        "write redis+sentinel://HOST:PORT/NAME with the name of the group in `sentinel monitor NAME …`",
    )
}
