//! Asks a sentinel for the current primary.

use std::time::Duration;

use redis::{AsyncConnectionConfig, RedisError, RedisResult, cmd};

use super::connect_error::ConnectError;
use super::diagnosis::{Peer, explain};
use crate::config::{HostPort, RedisAddress, SentinelGroup};

/// The time limit for the answer of one sentinel, including the connection. It is short, because
/// the next sentinel usually answers.
const SENTINEL_TIMEOUT: Duration = Duration::from_secs(2);

/// Returns the place of the primary of a group.
///
/// * `may_probe`: true if no connection to the address has been opened yet.
///
/// # Errors
/// Returns [`ConnectError`] if the sentinel does not answer or does not know the group.
pub(super) async fn primary(
    address: &RedisAddress,
    group: &SentinelGroup,
    sentinel: &HostPort,
    may_probe: bool,
) -> Result<HostPort, ConnectError> {
    let peer = Peer::sentinel(address, sentinel, may_probe);
    let limit = SENTINEL_TIMEOUT.min(address.timeouts().connect);
    let answer = tokio::time::timeout(limit, ask(address, group, sentinel)).await;
    match answer.unwrap_or_else(|_| Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into())) {
        Ok(Some((host, port))) => Ok(HostPort { host, port }),
        Ok(None) => Err(ConnectError::rejected(
            format!("sentinel {sentinel} knows no group `{}`", group.master_name),
            "write the name in `sentinel monitor NAME …` as the path of REDIS_URL",
        )),
        Err(error) if is_unknown_command(&error) => Err(ConnectError::rejected(
            format!("{sentinel} is not a sentinel"),
            "write the ports of the sentinels (by default 26379), or redis:// for a server without sentinels",
        )),
        Err(error) => Err(explain(&error, &peer).await),
    }
}

async fn ask(address: &RedisAddress, group: &SentinelGroup, sentinel: &HostPort) -> RedisResult<Option<(String, u16)>> {
    let client = redis::Client::open(address.sentinel_info(group, sentinel)?)?;
    // `primary` limits the time of the whole exchange.
    let config = AsyncConnectionConfig::new().set_connection_timeout(None).set_response_timeout(None);
    let mut connection = client.get_multiplexed_async_connection_with_config(&config).await?;
    let mut command = cmd("SENTINEL");
    command.arg("GET-MASTER-ADDR-BY-NAME").arg(&group.master_name);
    command.query_async(&mut connection).await
}

fn is_unknown_command(error: &RedisError) -> bool {
    error.detail().is_some_and(|detail| detail.starts_with("unknown command"))
}
