//! Pauses between attempts: exponential backoff with jitter.
//!
//! In: the number of failed attempts. Out: a pause. Invariant: every retry of the host computes its
//! pause with these functions, so all retries follow the same formula.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::time::Duration;

/// Returns the pause after `n_failed` failed attempts (at least 1), without jitter:
/// `min(first · 2^(n_failed − 1), longest)`.
pub fn doubled(first: Duration, longest: Duration, n_failed: u32) -> Duration {
    // A shift of 32 bits or more is not defined. The pause is then `longest` in any case.
    let factor = 1_u32.checked_shl(n_failed.saturating_sub(1)).unwrap_or(u32::MAX);
    first.saturating_mul(factor).min(longest)
}

/// Returns a random duration between `pause / 2` and `pause`, so that workers do not retry at the
/// same time.
pub fn jittered(pause: Duration) -> Duration {
    // The keys of a `RandomState` are random, so its hash of an empty input is a random number.
    // This avoids a dependency.
    let random = RandomState::new().build_hasher().finish() as f64 / u64::MAX as f64;
    pause.mul_f64(0.5 + random / 2.0)
}

/// The first pause of a [`Backoff`], before jitter.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// Growing pauses with jitter. The pauses start at 0.1 s and double up to a limit. Each is
/// shortened by a random share of at most one half.
#[derive(Debug)]
pub struct Backoff {
    longest: Duration,
    n_failed: u32,
}

impl Backoff {
    /// Creates a backoff whose pauses are at most `longest`.
    pub fn up_to(longest: Duration) -> Self {
        Self { longest, n_failed: 0 }
    }

    /// Returns the next pause.
    pub fn pause(&mut self) -> Duration {
        self.n_failed = self.n_failed.saturating_add(1);
        jittered(doubled(FIRST_PAUSE, self.longest, self.n_failed))
    }

    /// Resets the pauses after a success, so that the next pause is the shortest one again.
    pub fn reset(&mut self) {
        self.n_failed = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_limit() {
        let first = Duration::from_secs(1);
        let longest = Duration::from_secs(60);
        let seconds: Vec<u64> = (1..=8).map(|n_failed| doubled(first, longest, n_failed).as_secs()).collect();
        assert_eq!(seconds, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(doubled(first, longest, u32::MAX), longest);
        assert_eq!(doubled(longest, first, 1), first, "the first pause is bounded as well");
    }

    #[test]
    fn jitter_shortens_a_pause_by_at_most_half() {
        let mut backoff = Backoff::up_to(Duration::from_millis(350));
        for expected in [100, 200, 350, 350] {
            let pause = backoff.pause();
            let expected = Duration::from_millis(expected);
            assert!(pause >= expected / 2 && pause <= expected, "{pause:?} of {expected:?}");
        }
        backoff.reset();
        assert!(backoff.pause() <= Duration::from_millis(100));
    }
}
