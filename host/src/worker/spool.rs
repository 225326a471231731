//! Results on disk that could not be submitted to Redis yet.
//!
//! In: outcomes of claims. Out: one JSON file per outcome in the folder `spool`.
//! Invariant: a file is removed only after Redis has accepted or fenced its result.

use std::io;
use std::path::{Path, PathBuf};

use oculus_job::hash::sha256_hex;
use oculus_system::files::{Access, create_dir_all_durably, write_durably};
use serde::{Deserialize, Serialize};

use super::claim::{ClaimId, ClaimRecord};
use super::claim_outcome::ClaimOutcome;

/// The outcome of a claim with everything that a later process needs to submit it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct SpooledResult {
    /// The hash of the address of the Redis server that the claim belongs to. The address itself is
    /// not stored, because it may contain a password.
    pub redis: String,
    /// The list from which the entry was claimed.
    pub queue: String,
    /// The claim, including the boot id of the process that held it. A later process submits the
    /// result under the same boot id, because Redis accepts no other for this claim.
    #[serde(flatten)]
    pub claim: ClaimId,
    /// The job id, if one could be read.
    pub id: Option<String>,
    /// The outcome.
    #[serde(rename = "ending")]
    pub outcome: ClaimOutcome,
    /// The parts of the claim that are needed to restore it if Redis loses it. Files from an older version lack it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<ClaimRecord>,
}

/// The folder of results that are not submitted yet.
#[derive(Clone, Debug)]
pub(super) struct ResultSpool {
    folder: PathBuf,
    redis: String,
}

impl ResultSpool {
    /// Returns the spool in the artifacts folder for the Redis server at the address `redis`. The
    /// folder is created by the first [`ResultSpool::store`].
    pub(super) fn within(artifacts_dir: &Path, redis: &str) -> Self {
        // Sixteen digits of the hash are enough to distinguish a few servers, and file names stay
        // short.
        Self { folder: artifacts_dir.join("spool"), redis: sha256_hex(redis.as_bytes())[..16].to_owned() }
    }

    /// Returns a result for this spool's Redis server.
    pub(super) fn result(
        &self,
        queue: &str,
        claim: ClaimId,
        id: Option<String>,
        outcome: ClaimOutcome,
        record: ClaimRecord,
    ) -> SpooledResult {
        let record = Some(record);
        SpooledResult { redis: self.redis.clone(), queue: queue.to_owned(), claim, id, outcome, record }
    }

    /// Stores a result durably and returns its path. A crash leaves either the complete file or
    /// none.
    ///
    /// # Errors
    /// Returns [`io::Error`] if the folder or the file cannot be written.
    pub(super) fn store(&self, spooled: &SpooledResult) -> io::Result<PathBuf> {
        create_dir_all_durably(&self.folder, Access::Umask)?;
        let path = self.path(spooled);
        write_durably(&path, &serde_json::to_vec(spooled)?, Access::Owner)?;
        Ok(path)
    }

    /// Returns whether a result is stored.
    pub(super) fn contains(&self, spooled: &SpooledResult) -> bool {
        self.path(spooled).exists()
    }

    /// Removes a result from the folder, if it was stored.
    pub(super) fn remove(&self, spooled: &SpooledResult) {
        // A file that cannot be removed is harmless: a later worker submits its result again, and
        // Redis fences the result.
        let _ = std::fs::remove_file(self.path(spooled));
    }

    /// Returns all results that are stored for this spool's Redis server. Logs a file that cannot
    /// be read and leaves it in the folder.
    pub(super) fn stored(&self) -> Vec<SpooledResult> {
        let files = std::fs::read_dir(&self.folder).into_iter().flatten().flatten().map(|file| file.path());
        files
            // The filter skips temporary files that remain if a crash interrupts a write.
            .filter(|path| path.extension().is_some_and(|kind| kind == "json"))
            .filter_map(|path| read(&path))
            // Results for another Redis server are skipped. This server never issued their claims,
            // so it would fence the results, and the files would be removed.
            .filter(|spooled| spooled.redis == self.redis)
            .collect()
    }

    fn path(&self, spooled: &SpooledResult) -> PathBuf {
        let SpooledResult { redis, claim, .. } = spooled;
        // The name of the queue is hashed, because it may contain characters that are not allowed
        // in a file name.
        let queue = &sha256_hex(spooled.queue.as_bytes())[..16];
        // The boot id is part of the name, because two processes that share the folder may have
        // held claims with the same token.
        let holder = claim.boot.map_or_else(String::new, |boot| format!("-{boot}"));
        self.folder.join(format!("{redis}-{queue}-{}{holder}.json", claim.token))
    }
}

fn read(path: &Path) -> Option<SpooledResult> {
    let read = std::fs::read(path).and_then(|bytes| Ok(serde_json::from_slice(&bytes)?));
    let log = |error: &io::Error| {
        let path = path.display();
        tracing::warn!("cannot read the spooled result {path}: {error}; it is not submitted and stays on disk");
    };
    read.inspect_err(log).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::worker::claim::BootId;

    fn record() -> ClaimRecord {
        ClaimRecord { entry: b"\xffj".to_vec(), id: Some("j".to_owned()), payload: None, start: None, server: None }
    }

    fn claim() -> ClaimId {
        ClaimId { token: 7, boot: Some(BootId::random().unwrap()) }
    }

    #[test]
    fn a_stored_result_is_found_until_it_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let spool = ResultSpool::within(folder.path(), "redis://here");
        assert_eq!(spool.stored(), []);
        let result = spool.result("q/../x", claim(), Some("../j".into()), ClaimOutcome::Release, record());
        spool.store(&result).unwrap();
        assert_eq!(spool.stored(), std::slice::from_ref(&result));
        let elsewhere = ResultSpool::within(folder.path(), "redis://there");
        assert_eq!(elsewhere.stored(), [], "another Redis server would fence the result");
        elsewhere.remove(&elsewhere.result("q/../x", claim(), None, ClaimOutcome::Release, record()));
        spool.remove(&result);
        assert_eq!(spool.stored(), []);
    }

    #[test]
    fn results_of_two_processes_with_the_same_token_do_not_replace_each_other() {
        let folder = tempfile::tempdir().unwrap();
        let spool = ResultSpool::within(folder.path(), "redis://here");
        let [first, second] = [(); 2].map(|()| spool.result("q", claim(), None, ClaimOutcome::Release, record()));
        spool.store(&first).unwrap();
        spool.store(&second).unwrap();
        spool.remove(&first);
        assert_eq!(spool.stored(), [second]);
    }

    #[test]
    fn a_result_of_a_version_without_boot_ids_can_be_read_and_removed() {
        let folder = tempfile::tempdir().unwrap();
        let spool = ResultSpool::within(folder.path(), "redis://here");
        let claim = ClaimId { token: 7, boot: None };
        let result = spool.result("q", claim, Some("j".into()), ClaimOutcome::Release, record());
        let expected = SpooledResult { record: None, ..result };
        let json = serde_json::json!({
            "redis": expected.redis, "queue": "q", "token": 7, "id": "j", "ending": { "outcome": "release" },
        });
        let queue = &sha256_hex(b"q")[..16];
        std::fs::create_dir(folder.path().join("spool")).unwrap();
        let path = folder.path().join(format!("spool/{}-{queue}-7.json", expected.redis));
        std::fs::write(&path, json.to_string()).unwrap();
        assert_eq!(spool.stored(), std::slice::from_ref(&expected));
        spool.remove(&expected);
        assert!(!path.exists());
    }
}
