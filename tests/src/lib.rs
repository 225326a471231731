//! Real parts for end-to-end tests: a private redis-server, the real binary, and a backend that
//! records requests.
//!
//! If a part is missing, the panic message names it. Every part stops when it is dropped.

use std::time::{Duration, Instant};

pub mod backend;
pub mod build;
pub mod certificates;
pub mod command;
pub mod hostile;
pub mod jobs;
pub mod log;
pub mod markdown;
pub mod market;
pub mod outside;
pub mod polygon;
pub mod predictions;
pub mod processes;
pub mod redis_server;
pub mod results;
pub mod schema;
pub mod sentinels;
pub mod site;
pub mod tcp_proxy;
pub mod versions;
pub mod wording;
pub mod worker;

pub use backend::Backend;
pub use redis_server::Redis;
pub use site::Site;
pub use worker::Worker;

/// The time limit of a step that should complete soon.
pub const SOON: Duration = Duration::from_secs(20);

/// Polls `poll` until it returns a value, and returns the value.
///
/// * `description`: name of the value in the panic message.
///
/// # Panics
/// Panics if there is no value within `limit`.
pub fn eventually<T>(description: &str, limit: Duration, mut poll: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(found) = poll() {
            return found;
        }
        assert!(Instant::now() < deadline, "no {description} within {limit:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
