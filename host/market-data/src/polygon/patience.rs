//! How long is waited for an answer, and between two tries.

use std::time::Duration;

use jiff::{Timestamp, fmt::rfc2822};
use oculus_system::backoff;

/// Tries and waits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Patience {
    /// Tries of one request, the first included.
    pub n_tries: u32,
    /// The longest wait after the first failed try; it doubles with each.
    pub base: Duration,
    /// The longest wait after any.
    pub cap: Duration,
    /// For a connection.
    pub connect: Duration,
    /// For a whole answer.
    pub answer: Duration,
    /// Waits for the server's rate limit in a row, all together.
    pub limited: Duration,
}

impl Default for Patience {
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

impl Patience {
    /// The wait after so many failed tries: a random share of a time that doubles, so that many clients do not come
    /// back at once.
    ///
    /// * `share`: 0 to 1.
    pub(crate) fn backoff(&self, n_failed: u32, share: f64) -> Duration {
        backoff::doubled(self.base, self.cap, n_failed).mul_f64(share.clamp(0.0, 1.0))
    }
}

/// The wait that a `Retry-After` asks for: seconds, or a date.
pub(crate) fn retry_after(text: &str, now: Timestamp) -> Option<Duration> {
    if let Ok(seconds) = text.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let until = rfc2822::DateTimeParser::new().parse_timestamp(text.trim()).ok()?;
    Some(Duration::try_from(until.duration_since(now)).unwrap_or_default())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_cap_and_are_a_share_of_that() {
        let patience = Patience::default();
        let seconds: Vec<f64> = (1..=8).map(|n_failed| patience.backoff(n_failed, 1.0).as_secs_f64()).collect();
        assert_eq!(seconds, [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]);
        assert_eq!(patience.backoff(3, 0.25), Duration::from_secs(1));
        assert_eq!(patience.backoff(u32::MAX, 1.0), patience.cap);
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
