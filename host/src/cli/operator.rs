//! The common parts of the commands of operators: the connection, the choice of a queue, the operator's
//! name, and the formats of their tables.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Args as ClapArgs;
use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{ContentArrangement, Table};
use serde::Serialize;

use super::{exit_code, stdout};
use crate::config::Config;
use crate::worker::operations::{OperationError, Operations};
use crate::worker::outage::Outage;
use crate::worker::redis_client::{Connector, RedisClient};

/// Text of a cell without a value.
const ABSENT: &str = "–";

/// The flags of every command for operators.
#[derive(ClapArgs, Clone, Debug)]
pub(super) struct OperatorArgs {
    /// Queue to use, one of JOB_QUEUE [default: all of them]
    #[arg(long, value_name = "QUEUE")]
    pub queue: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Returns the operations on the queues that the flags choose.
///
/// # Errors
/// Returns an error if the name of the queue is invalid.
pub(super) fn connect(config: &Config, args: &OperatorArgs) -> anyhow::Result<Operations> {
    Ok(Operations::new(Arc::new(client(config)), &config.queue, &operator()).only(args.queue.as_deref())?)
}

/// Returns a client of the configured Redis. Opens no connection.
pub(super) fn client(config: &Config) -> RedisClient {
    let connector = Connector::new(config.redis.clone());
    let response_timeout = connector.response_timeout();
    RedisClient::new(connector, response_timeout, Outage::new(&format!("Redis at {}", config.redis)))
}

/// Converts the error of an operation into the exit code of the command, after it was printed.
///
/// # Errors
/// Returns every other error.
pub(super) fn exit_code_of(result: anyhow::Result<ExitCode>) -> anyhow::Result<ExitCode> {
    match result {
        Err(error) if matches!(error.downcast_ref(), Some(OperationError::UnknownQueue { .. })) => {
            eprintln!("error: {error}");
            Ok(ExitCode::from(exit_code::USAGE))
        }
        result => result,
    }
}

/// Prints a value as JSON, or its table.
///
/// # Errors
/// Returns an error if stdout cannot be written.
pub(super) fn print<T: Serialize>(value: &T, is_json: bool, text: impl FnOnce(&T) -> String) -> anyhow::Result<()> {
    let output = if is_json { serde_json::to_string(value)? } else { text(value) };
    Ok(stdout::print_output(output.trim_end())?)
}

/// Creates a table for a terminal.
pub(super) fn table<const N: usize>(header: [&str; N]) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED).set_header(header).set_content_arrangement(ContentArrangement::Dynamic);
    table
}

/// Formats a value that may be absent.
pub(super) fn cell(value: Option<impl ToString>) -> String {
    value.map_or_else(|| ABSENT.to_owned(), |value| value.to_string())
}

/// Formats a number of seconds, such as `42 s`, `3 min` or `2.5 h`.
pub(super) fn duration(seconds: f64) -> String {
    match seconds {
        ..100.0 => format!("{seconds:.0} s"),
        ..6000.0 => format!("{:.0} min", seconds / 60.0),
        _ => format!("{:.1} h", seconds / 3600.0),
    }
}

/// Formats a time in seconds since 1970, in UTC.
pub(super) fn time(seconds: f64) -> String {
    let time = jiff::Timestamp::from_millisecond((seconds * 1000.0) as i64);
    time.map_or_else(|_| ABSENT.to_owned(), |time| time.strftime("%Y-%m-%d %H:%M:%S UTC").to_string())
}

/// Returns the noun of a count, such as `1 entry` and `2 entries`.
pub(super) fn count(n: usize, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}

/// Parses a time limit in whole seconds.
///
/// # Errors
/// Returns a message that states the allowed range.
pub(super) fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().filter(|seconds| (1..=86_400).contains(seconds));
    seconds.map(Duration::from_secs).ok_or_else(|| "expected a whole number of seconds from 1 to 86400".to_owned())
}

/// Returns the name of the operator in audit lines: the user and the host, such as
/// `alice@trading-1`.
fn operator() -> String {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let user = variable("USER").or_else(|| variable("LOGNAME"));
    let user = user.unwrap_or_else(|| format!("uid {}", rustix::process::getuid().as_raw()));
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    format!("{user}@{host}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_times_are_short() {
        assert_eq!([1.4, 99.0, 150.0, 9000.0].map(duration), ["1 s", "99 s", "2 min", "2.5 h"]);
        assert_eq!(time(0.0), "1970-01-01 00:00:00 UTC");
        assert_eq!(time(f64::MAX), ABSENT);
    }
}
