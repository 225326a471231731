//! Files that do not serve for now, why, and when each is looked at again.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::snapshot::State;
use crate::stamp::Stamp;

/// When a file that the machine failed is tried again: at first, and at last.
const RETRY_AFTER: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(600));

/// All that wait.
#[derive(Debug, Default)]
pub(super) struct WaitingRoom(Mutex<BTreeMap<PathBuf, Waiting>>);

#[derive(Debug)]
struct Waiting {
    stamp: Option<Stamp>,
    state: State,
    n_tries: u32,
    again_at: Instant,
}

impl WaitingRoom {
    /// A file waits, with this stamp and for this; the same again waits longer.
    pub(super) fn enter(&self, path: &Path, stamp: Option<Stamp>, state: State) {
        let mut waiting = self.locked();
        let n_tries = waiting.get(path).filter(|before| before.state == state).map_or(0, |before| before.n_tries + 1);
        let (first, last) = RETRY_AFTER;
        let pause = match state {
            State::Pending => Duration::ZERO,
            _ => last.min(first * 2u32.saturating_pow(n_tries.min(10))),
        };
        let again_at = Instant::now() + pause;
        waiting.insert(path.to_owned(), Waiting { stamp, state, n_tries, again_at });
    }

    /// A file waits no longer.
    pub(super) fn leave(&self, path: &Path) {
        self.locked().remove(path);
    }

    /// Only these go on waiting.
    pub(super) fn retain(&self, stays: impl Fn(&PathBuf) -> bool) {
        self.locked().retain(|path, _| stays(path));
    }

    /// Whether a file, still the same, is not to be looked at yet.
    pub(super) fn is_too_early(&self, path: &Path) -> bool {
        let stamp = Stamp::of(path).ok();
        let is_early = |waiting: &Waiting| waiting.stamp == stamp && Instant::now() < waiting.again_at;
        self.locked().get(path).is_some_and(is_early)
    }

    /// What a file waits for.
    pub(super) fn state(&self, path: &Path) -> Option<State> {
        self.locked().get(path).map(|waiting| waiting.state.clone())
    }

    /// Whether a file is on its way, so that another look is due soon.
    pub(super) fn is_anything_pending(&self) -> bool {
        self.locked().values().any(|waiting| waiting.state == State::Pending)
    }

    fn locked(&self) -> MutexGuard<'_, BTreeMap<PathBuf, Waiting>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
