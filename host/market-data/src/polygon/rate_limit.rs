//! The rate limiter of an API key, shared by all processes of the machine that use the key.
//!
//! In: the number of requests per minute that the plan allows. Out: permission to send one request.
//! Invariant: no minute contains more requests than the plan allows.
//!
//! The limiter has as many tokens as the plan allows requests in a minute. A token becomes
//! available again one minute after it was taken. A token bucket that refills evenly would admit
//! nearly twice the limit in its first minute. The state is a small file with the times of the last
//! requests. The times come from the wall clock, because processes do not share a monotonic clock.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use oculus_job::hash::sha256_hex;
use oculus_system::secret::Secret;

use super::error::{PolygonError, cache_error};
use super::files;
use super::lock::lock;

/// Milliseconds after which a token is available again: one minute and one second. The extra second
/// is a margin, because requests take different times to arrive at the server.
const RETURN_AFTER_MS: i64 = 61_000;
/// Number of characters of the key's hash in the name of the file.
const N_HASH_CHARS: usize = 8;

/// The rate limiter of one key.
#[derive(Clone, Debug)]
pub(crate) struct RateLimiter {
    path: PathBuf,
    n_tokens: usize,
    clock_ms: fn() -> i64,
}

impl RateLimiter {
    /// Creates the limiter of a key, with its file in `folder`.
    ///
    /// * `n_tokens`: requests per minute; 0 means no limit.
    /// * `clock_ms`: returns the current time in milliseconds since 1970-01-01 UTC.
    pub(crate) fn new(folder: &Path, key: &Secret, n_tokens: u32, clock_ms: fn() -> i64) -> Self {
        // Each key has its own limit. The file's name contains only a hash of the key, so the key
        // itself is not stored.
        let hash = sha256_hex(key.reveal().as_bytes());
        let name = format!("requests-{}.json", &hash[..N_HASH_CHARS]);
        Self { path: folder.join(name), n_tokens: n_tokens as usize, clock_ms }
    }

    /// Waits until a token is available, and takes it.
    ///
    /// * `on_wait`: receives the length of each wait before the wait begins.
    ///
    /// # Errors
    /// Returns [`PolygonError::Cache`] if the file cannot be read, written or locked.
    pub(crate) async fn take(&self, on_wait: &dyn Fn(Duration)) -> Result<(), PolygonError> {
        // This is a loop, because another process may take the token during the wait.
        while let Some(wait) = self.try_take().await? {
            on_wait(wait);
            tokio::time::sleep(wait).await;
        }
        Ok(())
    }

    /// Takes a token, or returns the time until the next token is available.
    async fn try_take(&self) -> Result<Option<Duration>, PolygonError> {
        if self.n_tokens == 0 {
            return Ok(None);
        }
        let _locked = lock(&self.path.with_extension("lock"), &|| {}).await?;
        let now_ms = (self.clock_ms)();
        let mut taken = self.taken(now_ms).map_err(cache_error(&self.path))?;
        // More tokens than the limit are taken if another process runs with a higher limit. The
        // wait then lasts until the excess tokens and one more token are available.
        let wait = taken.len().checked_sub(self.n_tokens).map(|idx| (taken[idx] + RETURN_AFTER_MS - now_ms).max(1));
        if wait.is_none() {
            taken.push(now_ms);
        }
        // The file is written even if no token was taken: the function `taken` replaces a time in
        // the future with the current time. If the replacement were not stored, each call would use
        // a later time, and the wait would not end.
        let text = serde_json::to_vec(&taken).map_err(io::Error::from).map_err(cache_error(&self.path))?;
        files::replace(&self.path, &text)?;
        Ok(wait.map(|wait_ms| Duration::from_millis(wait_ms.unsigned_abs())))
    }

    /// Returns the times at which the unavailable tokens were taken, in order. If the file cannot
    /// be parsed, all tokens are treated as taken now. A time in the future is replaced with the
    /// current time. The file contains such a time if the clock was set back.
    fn taken(&self, now_ms: i64) -> io::Result<Vec<i64>> {
        let text = match std::fs::read(&self.path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            text => text?,
        };
        let Ok(taken) = serde_json::from_slice::<Vec<i64>>(&text) else {
            return Ok(vec![now_ms; self.n_tokens]);
        };
        let mut taken: Vec<i64> = taken.into_iter().map(|taken_ms| taken_ms.min(now_ms)).collect();
        taken.retain(|taken_ms| now_ms - taken_ms < RETURN_AFTER_MS);
        taken.sort_unstable();
        Ok(taken)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    thread_local! {
        static NOW_MS: Cell<i64> = const { Cell::new(1_700_000_000_000) };
    }

    fn advance(ms: i64) {
        NOW_MS.set(NOW_MS.get() + ms);
    }

    fn limiter(folder: &Path, n_tokens: u32) -> RateLimiter {
        RateLimiter::new(folder, &Secret::new("hunter2"), n_tokens, || NOW_MS.get())
    }

    fn wait_ms(limiter: &RateLimiter) -> Option<u64> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(limiter.try_take()).unwrap().map(|wait| wait.as_millis() as u64)
    }

    #[test]
    fn no_minute_contains_more_requests_than_the_plan_allows() {
        let folder = tempfile::tempdir().unwrap();
        let limiter = limiter(folder.path(), 5);
        let mut taken = Vec::new();
        while taken.len() < 40 {
            match wait_ms(&limiter) {
                None => taken.push(NOW_MS.get()),
                Some(wait) => advance(wait as i64),
            }
            advance(700);
        }
        assert!(taken.windows(6).all(|six| six[5] - six[0] > 60_000), "{taken:?}");
        assert!(taken[39] - taken[0] < 8 * 61_000 + 40 * 700, "a token was unavailable for more than 61 s: {taken:?}");
    }

    #[test]
    fn limiters_of_one_key_share_its_tokens_and_another_key_has_separate_tokens() {
        let folder = tempfile::tempdir().unwrap();
        let one = limiter(folder.path(), 2);
        let other = limiter(folder.path(), 2);
        assert_eq!([wait_ms(&one), wait_ms(&other), wait_ms(&one)], [None, None, Some(61_000)]);
        assert_eq!(wait_ms(&RateLimiter::new(folder.path(), &Secret::new("other"), 2, || NOW_MS.get())), None);
        let names: Vec<_> = folder.path().read_dir().unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert!(names.iter().all(|name| !name.to_str().unwrap().contains("hunter2")), "{names:?}");
    }

    #[test]
    fn a_clock_that_was_set_back_or_a_broken_file_causes_a_wait_of_one_minute_at_most() {
        let folder = tempfile::tempdir().unwrap();
        let limiter = limiter(folder.path(), 1);
        assert_eq!(wait_ms(&limiter), None);
        advance(-86_400_000);
        assert_eq!(wait_ms(&limiter), Some(61_000));
        advance(60_999);
        assert_eq!(wait_ms(&limiter), Some(1));
        advance(1);
        assert_eq!(wait_ms(&limiter), None);
        std::fs::write(&limiter.path, "[17000").unwrap();
        assert_eq!(wait_ms(&limiter), Some(61_000));
        advance(61_000);
        assert_eq!(wait_ms(&limiter), None);
    }

    #[test]
    fn without_a_limit_no_file_is_written() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(wait_ms(&limiter(folder.path(), 0)), None);
        assert_eq!(folder.path().read_dir().unwrap().count(), 0);
    }
}
