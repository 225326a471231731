//! The retry policy of requests: number of attempts, timeouts, and waits between attempts.
//!
//! The module `client` decides whether a failed request is retried. This file decides how often it
//! is retried, and how long each wait is.
//!
//! In: the number of failed attempts, or a `Retry-After` header. Out: the length of a wait.
//! Invariant: every wait is bounded.

use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822;
use oculus_system::backoff;

/// The number of attempts per request, and the lengths of waits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct RetryPolicy {
    /// Maximum number of attempts per request, including the first.
    pub n_tries: u32,
    /// Maximum wait after the first failed attempt. The maximum doubles with each further failure.
    pub first_wait: Duration,
    /// Maximum wait after any failed attempt.
    pub max_wait: Duration,
    /// Timeout for establishing a connection.
    pub connect_timeout: Duration,
    /// Timeout for a complete response.
    pub response_timeout: Duration,
    /// Maximum sum of consecutive waits for the server's rate limit.
    pub max_rate_limit_wait: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            n_tries: 6,
            first_wait: Duration::from_secs(1),
            max_wait: Duration::from_secs(60),
            connect_timeout: Duration::from_secs(10),
            response_timeout: Duration::from_secs(60),
            max_rate_limit_wait: Duration::from_secs(600),
        }
    }
}

impl RetryPolicy {
    /// Returns the wait after `n_failed` failed attempts: a random share of an exponentially
    /// growing duration ("full jitter"). Clients therefore do not retry at the same time.
    ///
    /// * `share`: a random number from 0 to 1.
    pub(crate) fn backoff(&self, n_failed: u32, share: f64) -> Duration {
        backoff::doubled(self.first_wait, self.max_wait, n_failed).mul_f64(share.clamp(0.0, 1.0))
    }
}

/// Returns the length of the wait that a `Retry-After` header states. The header is a number of
/// seconds or a date. For a date in the past, the wait is zero.
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
    fn waits_double_up_to_the_maximum_and_are_multiplied_by_the_share() {
        let policy = RetryPolicy::default();
        let seconds: Vec<f64> = (1..=8).map(|n_failed| policy.backoff(n_failed, 1.0).as_secs_f64()).collect();
        assert_eq!(seconds, [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]);
        assert_eq!(policy.backoff(3, 0.25), Duration::from_secs(1));
        assert_eq!(policy.backoff(u32::MAX, 1.0), policy.max_wait);
    }

    #[test]
    fn retry_after_is_seconds_or_a_date_and_never_negative() {
        let now = "2024-07-10T12:00:00Z".parse().unwrap();
        for (text, expected) in [
            ("12", Some(12)),
            (" 0 ", Some(0)),
            ("Wed, 10 Jul 2024 12:00:30 GMT", Some(30)),
            ("Wed, 10 Jul 2024 11:00:00 GMT", Some(0)),
            ("soon", None),
            ("-5", None),
            ("1.5", None),
        ] {
            assert_eq!(retry_after(text, now), expected.map(Duration::from_secs), "{text}");
        }
    }
}
