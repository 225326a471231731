//! A moment whose age includes the time for which the machine was suspended.

use std::time::{Duration, Instant, SystemTime};

/// A moment on two clocks. The monotonic clock stops while the machine is suspended. The wall clock
/// does not, but it can be set. The age is the larger of the two differences, so a lease is never
/// assumed to be fresher than it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Moment {
    monotonic: Instant,
    wall: SystemTime,
}

impl Moment {
    /// Returns the current moment.
    pub(super) fn now() -> Self {
        Self { monotonic: Instant::now(), wall: SystemTime::now() }
    }

    /// Returns the time since this moment.
    pub(super) fn age(&self) -> Duration {
        // An error means that the wall clock has been set back.
        self.monotonic.elapsed().max(self.wall.elapsed().unwrap_or_default())
    }

    /// Returns a moment before this one. Tests use it in place of a suspended machine.
    #[cfg(test)]
    pub(super) fn with_wall_clock_set_back_by(self, by: Duration) -> Self {
        Self { wall: self.wall - by, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_age_includes_a_jump_of_the_wall_clock_but_not_a_clock_that_was_set_back() {
        let hour = Duration::from_secs(3600);
        let now = Moment::now();
        assert!(now.age() < hour);
        assert!(now.with_wall_clock_set_back_by(hour).age() >= hour);
        let ahead = Moment { wall: now.wall + hour, ..now };
        assert!(ahead.age() < hour);
    }
}
