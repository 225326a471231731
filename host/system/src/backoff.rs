//! Pauses between attempts: doubled from attempt to attempt up to a longest one, with jitter.
//!
//! In: the number of failed attempts. Out: a pause.
//! Invariant: every retry of the host computes its pause here, so that no second formula can drift from the first.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::time::Duration;

/// Returns the pause after `n_failed` failed attempts (at least 1), without jitter: `first · 2^(n_failed − 1)`, at most
/// `longest`.
pub fn doubled(first: Duration, longest: Duration, n_failed: u32) -> Duration {
    let factor = 1_u32.checked_shl(n_failed.saturating_sub(1)).unwrap_or(u32::MAX);
    first.saturating_mul(factor).min(longest)
}

/// Returns a random duration between half of `pause` and all of it, so that workers do not retry in step.
pub fn jittered(pause: Duration) -> Duration {
    let random = RandomState::new().build_hasher().finish() as f64 / u64::MAX as f64;
    pause.mul_f64(0.5 + random / 2.0)
}

/// The shortest pause of a [`Backoff`].
const FIRST: Duration = Duration::from_millis(100);

/// Growing pauses with jitter: 0.1 s, doubled up to a longest one, each shortened at random by up to a half.
#[derive(Debug)]
pub struct Backoff {
    longest: Duration,
    n_failed: u32,
}

impl Backoff {
    /// Creates a sequence of pauses of at most `longest`.
    pub fn up_to(longest: Duration) -> Self {
        Self { longest, n_failed: 0 }
    }

    /// Returns the next pause.
    pub fn pause(&mut self) -> Duration {
        self.n_failed = self.n_failed.saturating_add(1);
        jittered(doubled(FIRST, self.longest, self.n_failed))
    }

    /// Starts again with the shortest pause.
    pub fn reset(&mut self) {
        self.n_failed = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest() {
        let first = Duration::from_secs(1);
        let longest = Duration::from_secs(60);
        let seconds: Vec<u64> = (1..=8).map(|n_failed| doubled(first, longest, n_failed).as_secs()).collect();
        assert_eq!(seconds, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(doubled(first, longest, u32::MAX), longest);
        assert_eq!(doubled(longest, first, 1), first, "the first pause has the same bound");
    }

    #[test]
    fn jitter_takes_at_most_half_of_a_pause() {
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
