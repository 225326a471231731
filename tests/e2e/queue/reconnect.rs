//! Connections that Redis closes while they are idle.

use std::time::Instant;

use oculus_tests::{SOON, Worker, eventually};

use super::*;

/// Returns the longest time in seconds for which a connection has been blocked in the worker's wait
/// for an entry; `None` if no connection is blocked.
fn blocked_seconds(redis: &Redis) -> Option<u64> {
    let clients: String = redis.query(&["CLIENT", "LIST"]);
    let blocked = clients.lines().filter(|client| client.contains(" cmd=blmove "));
    blocked.filter_map(|client| client.split(" idle=").nth(1)?.split(' ').next()?.parse().ok()).max()
}

#[test]
fn the_pause_before_a_reconnect_does_not_grow_from_one_closed_connection_to_the_next() {
    let redis = Redis::start();
    let _worker = Worker::start(&redis, &[]);
    // Pauses that double from 0.1 s would reach 2.5 to 5 s at the seventh reconnect.
    for _ in 0..8 {
        eventually("blocked connection", SOON, || blocked_seconds(&redis).filter(|seconds| *seconds >= 1));
        let killed = Instant::now();
        let _: u64 = redis.query(&["CLIENT", "KILL", "TYPE", "normal"]);
        eventually("reconnect", SOON, || blocked_seconds(&redis));
        assert!(killed.elapsed() < Duration::from_millis(2400), "reconnected after {:?}", killed.elapsed());
    }
}
