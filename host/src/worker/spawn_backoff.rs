//! The backoff of a worker whose machine cannot start job processes.

use std::time::Duration;

use oculus_system::backoff::Backoff;
use parking_lot::Mutex;

const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// The backoff that all attempts of a worker share. It is shared because the failure to start a
/// process is a fault of the machine, not of one job.
#[derive(Default)]
pub(super) struct SpawnBackoff {
    /// `None` while processes can be started.
    backoff: Mutex<Option<Backoff>>,
}

impl SpawnBackoff {
    /// Records that a process could not be started. Returns the pause before the next attempt. Logs
    /// the first of several failures in a row.
    pub(super) fn failed(&self, reason: &str) -> Duration {
        let mut backoff = self.backoff.lock();
        let backoff = backoff.get_or_insert_with(|| {
            tracing::warn!(
                "no job process can be started: {reason}; jobs are requeued without counting an attempt, and the next \
                 start is tried after a pause"
            );
            Backoff::up_to(LONGEST_PAUSE)
        });
        backoff.pause()
    }

    /// Records that a process was started. Logs the success if the previous start failed.
    pub(super) fn succeeded(&self) {
        if self.backoff.lock().take().is_some() {
            tracing::info!("job processes can be started again");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_until_a_process_starts() {
        let backoff = SpawnBackoff::default();
        let pauses: Vec<Duration> = (0..5).map(|_| backoff.failed("no memory")).collect();
        assert!(pauses[4] >= Duration::from_millis(800) && pauses[0] <= Duration::from_millis(100), "{pauses:?}");
        backoff.succeeded();
        assert!(backoff.failed("no memory") <= Duration::from_millis(100));
    }
}
