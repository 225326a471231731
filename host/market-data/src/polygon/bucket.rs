//! The rate limit of a key, shared by all processes of the machine that use it.
//!
//! A bucket of as many tokens as the plan allows requests a minute; a token is back a minute after it was taken. So there
//! are never more than that in any minute, which a bucket that fills steadily does not keep: it lets through twice as many
//! in its first minute. The bucket is a small file of the times of the last requests, by the wall clock.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::files;
use super::lock::lock;
use super::trouble::{Trouble, cache};
use oculus_job::hash::sha256_hex;
use oculus_system::secret::Secret;

/// A minute, and a second for requests that travel at different speeds.
const BACK_AFTER_MS: i64 = 61_000;
/// Characters of the key's hash in the file's name.
const N_HASH_CHARS: usize = 8;

/// The bucket of one key.
#[derive(Clone, Debug)]
pub(crate) struct Bucket {
    path: PathBuf,
    n_tokens: usize,
    clock_ms: fn() -> i64,
}

impl Bucket {
    /// The bucket of a key in a folder.
    ///
    /// * `n_tokens`: requests a minute; 0 is without limit.
    /// * `clock_ms`: milliseconds since 1970-01-01 UTC.
    pub(crate) fn new(folder: &Path, key: &Secret, n_tokens: u32, clock_ms: fn() -> i64) -> Self {
        let hash = sha256_hex(key.reveal().as_bytes());
        let name = format!("requests-{}.json", &hash[..N_HASH_CHARS]);
        Self { path: folder.join(name), n_tokens: n_tokens as usize, clock_ms }
    }

    /// Waits for a token and takes it.
    ///
    /// * `hear`: told how long it has to wait, each time that it waits.
    ///
    /// # Errors
    /// The file system's.
    pub(crate) async fn take(&self, hear: &dyn Fn(Duration)) -> Result<(), Trouble> {
        while let Some(wait) = self.try_take().await? {
            hear(wait);
            tokio::time::sleep(wait).await;
        }
        Ok(())
    }

    /// Takes a token, or says when the next one is back.
    async fn try_take(&self) -> Result<Option<Duration>, Trouble> {
        if self.n_tokens == 0 {
            return Ok(None);
        }
        let _locked = lock(&self.path.with_extension("lock"), &|| {}).await?;
        let now_ms = (self.clock_ms)();
        let mut taken = self.taken(now_ms).map_err(cache(&self.path))?;
        // The tokens beyond the limit are those of a process with a higher one.
        let wait = taken.len().checked_sub(self.n_tokens).map(|idx| (taken[idx] + BACK_AFTER_MS - now_ms).max(1));
        if wait.is_none() {
            taken.push(now_ms);
        }
        // Also while it waits: times that were corrected have to stay so.
        let text = serde_json::to_vec(&taken).map_err(std::io::Error::from).map_err(cache(&self.path))?;
        files::replace(&self.path, &text)?;
        Ok(wait.map(|wait_ms| Duration::from_millis(wait_ms.unsigned_abs())))
    }

    /// When the tokens that are away were taken, in order. What cannot be read counts as all taken at this moment, and a
    /// time to come, left by a clock that has been set back, as this moment too.
    fn taken(&self, now_ms: i64) -> std::io::Result<Vec<i64>> {
        let text = match std::fs::read(&self.path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            text => text?,
        };
        let Ok(taken) = serde_json::from_slice::<Vec<i64>>(&text) else {
            return Ok(vec![now_ms; self.n_tokens]);
        };
        let mut taken: Vec<i64> = taken.into_iter().map(|taken_ms| taken_ms.min(now_ms)).collect();
        taken.retain(|taken_ms| now_ms - taken_ms < BACK_AFTER_MS);
        taken.sort_unstable();
        Ok(taken)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::cell::Cell;

    thread_local! {
        static NOW_MS: Cell<i64> = const { Cell::new(1_700_000_000_000) };
    }

    fn pass(ms: i64) {
        NOW_MS.set(NOW_MS.get() + ms);
    }

    fn bucket(folder: &Path, n_tokens: u32) -> Bucket {
        Bucket::new(folder, &Secret::new("hunter2"), n_tokens, || NOW_MS.get())
    }

    fn wait_ms(bucket: &Bucket) -> Option<u64> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(bucket.try_take()).unwrap().map(|wait| wait.as_millis() as u64)
    }

    #[test]
    fn no_minute_has_more_requests_than_the_plan_allows() {
        let folder = tempfile::tempdir().unwrap();
        let bucket = bucket(folder.path(), 5);
        let mut taken = Vec::new();
        while taken.len() < 40 {
            match wait_ms(&bucket) {
                None => taken.push(NOW_MS.get()),
                Some(wait) => pass(wait as i64),
            }
            pass(700);
        }
        assert!(taken.windows(6).all(|six| six[5] - six[0] > 60_000), "{taken:?}");
        assert!(taken[39] - taken[0] < 8 * 61_000 + 40 * 700, "and no token stays away longer: {taken:?}");
    }

    #[test]
    fn two_buckets_of_a_key_share_its_tokens_and_another_key_has_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let (one, other) = (bucket(folder.path(), 2), bucket(folder.path(), 2));
        assert_eq!([wait_ms(&one), wait_ms(&other), wait_ms(&one)], [None, None, Some(61_000)]);
        assert_eq!(wait_ms(&Bucket::new(folder.path(), &Secret::new("other"), 2, || NOW_MS.get())), None);
        let names: Vec<_> = folder.path().read_dir().unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert!(names.iter().all(|name| !name.to_str().unwrap().contains("hunter2")), "{names:?}");
    }

    #[test]
    fn a_clock_set_back_or_a_broken_file_waits_a_minute_at_most() {
        let folder = tempfile::tempdir().unwrap();
        let bucket = bucket(folder.path(), 1);
        assert_eq!(wait_ms(&bucket), None);
        pass(-86_400_000);
        assert_eq!(wait_ms(&bucket), Some(61_000));
        pass(60_999);
        assert_eq!(wait_ms(&bucket), Some(1));
        pass(1);
        assert_eq!(wait_ms(&bucket), None);
        std::fs::write(&bucket.path, "[17000").unwrap();
        assert_eq!(wait_ms(&bucket), Some(61_000));
        pass(61_000);
        assert_eq!(wait_ms(&bucket), None);
    }

    #[test]
    fn without_a_limit_nothing_is_counted() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(wait_ms(&bucket(folder.path(), 0)), None);
        assert_eq!(folder.path().read_dir().unwrap().count(), 0);
    }
}
