//! How often a request is sent, and how long to wait for an answer and between two attempts.
//!
//! In: the number of failed attempts, or a `Retry-After` header. Out: a wait. Invariant: every wait
//! is bounded.

use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822;
use oculus_system::backoff;

/// Numbers of attempts and lengths of waits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct RetryPolicy {
    /// Attempts per request, the first included.
    pub n_tries: u32,
    /// The longest wait after the first failed attempt; it doubles with each.
    pub base: Duration,
    /// The longest wait after any attempt.
    pub cap: Duration,
    /// Time limit of a connection.
    pub connect: Duration,
    /// Time limit of a complete answer.
    pub answer: Duration,
    /// Limit of the sum of consecutive waits for the server's rate limit.
    pub limited: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            n_tries: 6,
            base: Duration::from_secs(1),
            cap: Duration::from_secs(60),
            connect: Duration::from_secs(10),
            answer: Duration::from_secs(60),
            limited: Duration::from_secs(600),
        }
    }
}

impl RetryPolicy {
    /// Returns the wait after `n_failed` failed attempts: a random share of a time that doubles, so
    /// that many clients do not retry at the same time.
    ///
    /// * `share`: 0 to 1.
    pub(crate) fn backoff(&self, n_failed: u32, share: f64) -> Duration {
        backoff::doubled(self.base, self.cap, n_failed).mul_f64(share.clamp(0.0, 1.0))
    }
}

/// Returns the wait of a `Retry-After` header, which is a number of seconds or a date.
pub(crate) fn retry_after(text: &str, now: Timestamp) -> Option<Duration> {
    if let Ok(seconds) = text.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let until = rfc2822::DateTimeParser::new().parse_timestamp(text.trim()).ok()?;
    Some(Duration::try_from(until.duration_since(now)).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_cap_and_are_a_share_of_that() {
        let policy = RetryPolicy::default();
        let seconds: Vec<f64> = (1..=8).map(|n_failed| policy.backoff(n_failed, 1.0).as_secs_f64()).collect();
        assert_eq!(seconds, [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]);
        assert_eq!(policy.backoff(3, 0.25), Duration::from_secs(1));
        assert_eq!(policy.backoff(u32::MAX, 1.0), policy.cap);
    }

    #[test]
    fn retry_after_is_seconds_or_a_date_and_never_below_zero() {
        let now = "2024-07-10T12:00:00Z".parse().unwrap();
        for (text, needed) in [
            ("12", Some(12)),
            (" 0 ", Some(0)),
            ("Wed, 10 Jul 2024 12:00:30 GMT", Some(30)),
            ("Wed, 10 Jul 2024 11:00:00 GMT", Some(0)),
            ("soon", None),
            ("-5", None),
            ("1.5", None),
        ] {
            assert_eq!(retry_after(text, now), needed.map(Duration::from_secs), "{text}");
        }
    }
}
