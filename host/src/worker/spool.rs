//! Endings that Redis cannot take yet, on disk until it can.
//!
//! Invariant: an ending leaves the folder only after Redis has accepted or fenced it.

use std::io;
use std::path::{Path, PathBuf};

use oculus_system::files::{Access, write_durably};
use serde::{Deserialize, Serialize};

use super::claim::ClaimId;
use super::claim_outcome::ClaimOutcome;
use oculus_job::hash::sha256_hex;

/// An ending with all that is needed to submit it, also by a later process.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SpooledResult {
    /// Hash of the address of the Redis that it is for.
    pub redis: String,
    /// The list that the entry came from.
    pub queue: String,
    /// The claim that the ending is of, with the boot id of the process that held it: a later process submits for it.
    #[serde(flatten)]
    pub claim: ClaimId,
    /// The job's id, where one could be read.
    pub id: Option<String>,
    /// The ending.
    pub ending: ClaimOutcome,
}

/// A folder of unsent endings.
#[derive(Clone, Debug)]
pub struct ResultSpool {
    folder: PathBuf,
    redis: String,
}

impl ResultSpool {
    /// The spool within the artifacts folder, for the Redis at that address; made when first needed.
    pub fn within(artifacts_dir: &Path, redis: &str) -> Self {
        Self { folder: artifacts_dir.join("spool"), redis: sha256_hex(redis.as_bytes())[..16].to_owned() }
    }

    /// An ending of the job `id` for this spool's Redis.
    pub fn ending(&self, queue: &str, claim: ClaimId, id: Option<String>, ending: ClaimOutcome) -> SpooledResult {
        SpooledResult { redis: self.redis.clone(), queue: queue.to_owned(), claim, id, ending }
    }

    /// Keeps an ending; complete under its name, which is answered, or not there at all.
    ///
    /// # Errors
    /// The file system's.
    pub fn keep(&self, spooled: &SpooledResult) -> io::Result<PathBuf> {
        std::fs::create_dir_all(&self.folder)?;
        let path = self.path(spooled);
        write_durably(&path, &serde_json::to_vec(spooled)?, Access::Owner)?;
        Ok(path)
    }

    /// Forgets an ending, also one that was never kept.
    pub fn forget(&self, spooled: &SpooledResult) {
        // A file that stays is submitted again and fenced: harmless.
        let _ = std::fs::remove_file(self.path(spooled));
    }

    /// All endings that are kept for this Redis; a file that cannot be read is logged and left.
    pub fn kept(&self) -> Vec<SpooledResult> {
        let files = std::fs::read_dir(&self.folder).into_iter().flatten().flatten().map(|file| file.path());
        files
            .filter(|path| path.extension().is_some_and(|kind| kind == "json"))
            .filter_map(|path| read(&path))
            .filter(|spooled| spooled.redis == self.redis)
            .collect()
    }

    fn path(&self, spooled: &SpooledResult) -> PathBuf {
        let SpooledResult { redis, claim, .. } = spooled;
        let queue = &sha256_hex(spooled.queue.as_bytes())[..16];
        // Two processes that share the folder may have held claims with one token.
        let holder = claim.boot.map_or_else(String::new, |boot| format!("-{boot}"));
        self.folder.join(format!("{redis}-{queue}-{}{holder}.json", claim.token))
    }
}

fn read(path: &Path) -> Option<SpooledResult> {
    let read = std::fs::read(path).and_then(|bytes| Ok(serde_json::from_slice(&bytes)?));
    read.inspect_err(|error| tracing::warn!("the unsent result {} cannot be read: {error}", path.display())).ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::worker::claim::BootId;

    fn claim() -> ClaimId {
        ClaimId { token: 7, boot: Some(BootId::random().unwrap()) }
    }

    #[test]
    fn what_is_kept_is_found_until_it_is_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let spool = ResultSpool::within(folder.path(), "redis://here");
        assert_eq!(spool.kept(), []);
        let ending = spool.ending("q/../x", claim(), Some("../j".into()), ClaimOutcome::Release);
        spool.keep(&ending).unwrap();
        assert_eq!(spool.kept(), std::slice::from_ref(&ending));
        let elsewhere = ResultSpool::within(folder.path(), "redis://there");
        assert_eq!(elsewhere.kept(), [], "another Redis would fence it");
        elsewhere.forget(&elsewhere.ending("q/../x", claim(), None, ClaimOutcome::Release));
        spool.forget(&ending);
        assert_eq!(spool.kept(), []);
    }

    #[test]
    fn results_of_two_processes_with_one_token_are_kept_side_by_side() {
        let folder = tempfile::tempdir().unwrap();
        let spool = ResultSpool::within(folder.path(), "redis://here");
        let [first, second] = [(); 2].map(|()| spool.ending("q", claim(), None, ClaimOutcome::Release));
        spool.keep(&first).unwrap();
        spool.keep(&second).unwrap();
        spool.forget(&first);
        assert_eq!(spool.kept(), [second]);
    }

    #[test]
    fn a_result_that_a_version_without_boot_ids_kept_is_read_and_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let spool = ResultSpool::within(folder.path(), "redis://here");
        let expected = spool.ending("q", ClaimId { token: 7, boot: None }, Some("j".into()), ClaimOutcome::Release);
        let json = serde_json::json!({
            "redis": expected.redis, "queue": "q", "token": 7, "id": "j", "ending": { "outcome": "release" },
        });
        let queue = &sha256_hex(b"q")[..16];
        std::fs::create_dir(folder.path().join("spool")).unwrap();
        let path = folder.path().join(format!("spool/{}-{queue}-7.json", expected.redis));
        std::fs::write(&path, json.to_string()).unwrap();
        assert_eq!(spool.kept(), std::slice::from_ref(&expected));
        spool.forget(&expected);
        assert!(!path.exists());
    }
}
