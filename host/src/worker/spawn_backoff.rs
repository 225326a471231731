//! Whether this machine starts job processes at all, and how the worker waits while it does not.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use oculus_system::backoff::Backoff;

const LONGEST: Duration = Duration::from_secs(30);

/// Shared by all attempts of a worker: the machine's trouble is no job's.
#[derive(Default)]
pub struct SpawnBackoff {
    /// While no process can be started.
    trouble: Mutex<Option<Backoff>>,
}

impl SpawnBackoff {
    /// Notes a process that could not be started, and says how long to wait before the next; the first is logged.
    pub fn failed(&self, reason: &str) -> Duration {
        let mut trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        let backoff = trouble.get_or_insert_with(|| {
            tracing::warn!(
                "no job process can be started: {reason}; jobs go back to the queue, uncounted, until one can"
            );
            Backoff::up_to(LONGEST)
        });
        backoff.pause()
    }

    /// Notes one that was.
    pub fn succeeded(&self) {
        if self.trouble.lock().unwrap_or_else(PoisonError::into_inner).take().is_some() {
            tracing::info!("job processes can be started again");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_until_a_process_starts() {
        let starts = SpawnBackoff::default();
        let pauses: Vec<Duration> = (0..5).map(|_| starts.failed("no memory")).collect();
        assert!(pauses[4] >= Duration::from_millis(800) && pauses[0] <= Duration::from_millis(100), "{pauses:?}");
        starts.succeeded();
        assert!(starts.failed("no memory") <= Duration::from_millis(100));
    }
}
