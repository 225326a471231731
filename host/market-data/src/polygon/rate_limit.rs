//! The rate limit of a key, shared by all processes of the machine that use it.
//!
//! In: the number of requests per minute that the plan allows. Out: permission to send one request.
//! Invariant: no minute has more requests than the plan allows.
//!
//! The limiter has one token per request that the plan allows in a minute; a token returns one
//! minute after it was taken. A bucket that refills evenly would admit twice as many requests in
//! its first minute. The state is a small file with the times of the last requests, by the wall
//! clock.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use oculus_job::hash::sha256_hex;
use oculus_system::secret::Secret;

use super::error::{PolygonError, cache_error};
use super::files;
use super::lock::lock;

/// One minute, and one second for requests that travel at different speeds.
const RETURN_AFTER_MS: i64 = 61_000;
/// Characters of the key's hash in the file's name.
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
    /// * `clock_ms`: milliseconds since 1970-01-01 UTC.
    pub(crate) fn new(folder: &Path, key: &Secret, n_tokens: u32, clock_ms: fn() -> i64) -> Self {
        let hash = sha256_hex(key.reveal().as_bytes());
        let name = format!("requests-{}.json", &hash[..N_HASH_CHARS]);
        Self { path: folder.join(name), n_tokens: n_tokens as usize, clock_ms }
    }

    /// Waits for a token and takes it.
    ///
    /// * `on_wait`: receives the length of each wait before it begins.
    ///
    /// # Errors
    /// The file system's.
    pub(crate) async fn take(&self, on_wait: &dyn Fn(Duration)) -> Result<(), PolygonError> {
        while let Some(wait) = self.try_take().await? {
            on_wait(wait);
            tokio::time::sleep(wait).await;
        }
        Ok(())
    }

    /// Takes a token, or returns the time until the next one returns.
    async fn try_take(&self) -> Result<Option<Duration>, PolygonError> {
        if self.n_tokens == 0 {
            return Ok(None);
        }
        let _locked = lock(&self.path.with_extension("lock"), &|| {}).await?;
        let now_ms = (self.clock_ms)();
        let mut taken = self.taken(now_ms).map_err(cache_error(&self.path))?;
        // More tokens than the limit are those of a process with a higher limit.
        let wait = taken.len().checked_sub(self.n_tokens).map(|idx| (taken[idx] + RETURN_AFTER_MS - now_ms).max(1));
        if wait.is_none() {
            taken.push(now_ms);
        }
        // The file is written in both cases: times that were corrected must stay corrected.
        let text = serde_json::to_vec(&taken).map_err(io::Error::from).map_err(cache_error(&self.path))?;
        files::replace(&self.path, &text)?;
        Ok(wait.map(|wait_ms| Duration::from_millis(wait_ms.unsigned_abs())))
    }

    /// Returns the times at which the missing tokens were taken, in order. If the file cannot be
    /// parsed, all tokens count as taken now; a time in the future, left by a clock that was set
    /// back, counts as now too.
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

    fn pass(ms: i64) {
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
    fn no_minute_has_more_requests_than_the_plan_allows() {
        let folder = tempfile::tempdir().unwrap();
        let limiter = limiter(folder.path(), 5);
        let mut taken = Vec::new();
        while taken.len() < 40 {
            match wait_ms(&limiter) {
                None => taken.push(NOW_MS.get()),
                Some(wait) => pass(wait as i64),
            }
            pass(700);
        }
        assert!(taken.windows(6).all(|six| six[5] - six[0] > 60_000), "{taken:?}");
        assert!(taken[39] - taken[0] < 8 * 61_000 + 40 * 700, "no token is missing for longer: {taken:?}");
    }

    #[test]
    fn two_limiters_of_a_key_share_its_tokens_and_another_key_has_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let one = limiter(folder.path(), 2);
        let other = limiter(folder.path(), 2);
        assert_eq!([wait_ms(&one), wait_ms(&other), wait_ms(&one)], [None, None, Some(61_000)]);
        assert_eq!(wait_ms(&RateLimiter::new(folder.path(), &Secret::new("other"), 2, || NOW_MS.get())), None);
        let names: Vec<_> = folder.path().read_dir().unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert!(names.iter().all(|name| !name.to_str().unwrap().contains("hunter2")), "{names:?}");
    }

    #[test]
    fn a_clock_set_back_or_a_broken_file_waits_a_minute_at_most() {
        let folder = tempfile::tempdir().unwrap();
        let limiter = limiter(folder.path(), 1);
        assert_eq!(wait_ms(&limiter), None);
        pass(-86_400_000);
        assert_eq!(wait_ms(&limiter), Some(61_000));
        pass(60_999);
        assert_eq!(wait_ms(&limiter), Some(1));
        pass(1);
        assert_eq!(wait_ms(&limiter), None);
        std::fs::write(&limiter.path, "[17000").unwrap();
        assert_eq!(wait_ms(&limiter), Some(61_000));
        pass(61_000);
        assert_eq!(wait_ms(&limiter), None);
    }

    #[test]
    fn without_a_limit_nothing_is_counted() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(wait_ms(&limiter(folder.path(), 0)), None);
        assert_eq!(folder.path().read_dir().unwrap().count(), 0);
    }
}
