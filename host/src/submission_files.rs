//! The ledger of submissions of `oculus-host train`, which has no Redis: one JSON file per user,
//! timeframe and source of bars, in the folder `submissions` of the artifacts folder.
//!
//! In: a job. Out: the earlier submissions, and a file with one more. Invariant: the ledger never
//! fails a job. A file has its complete new content or its complete previous content.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use oculus_job::hash::sha256_hex;
use oculus_job::request::Job;
use oculus_job::submission::{MAX_SUBMISSIONS, Submission, SubmissionHistory};
use oculus_market_data::SourceConfig;
use oculus_system::files::{Access, create_dir_all_durably, write_durably};

/// The ledger file of one user, timeframe and source of bars.
pub(crate) struct LedgerFile {
    folder: PathBuf,
    path: PathBuf,
}

impl LedgerFile {
    /// Returns the ledger file of a job. Reads and creates nothing.
    pub(crate) fn new(artifacts_dir: &Path, job: &Job, bars: &SourceConfig) -> Self {
        let folder = artifacts_dir.join("submissions");
        // Equal symbols in two folders are often different markets, such as synthetic bars. The
        // source is therefore part of the name, unlike in Redis, where workers on several machines
        // share a ledger but not their folders.
        let source = match bars {
            SourceConfig::Folder(folder) => {
                format!("dir:{}", fs::canonicalize(folder).as_ref().unwrap_or(folder).display())
            }
            SourceConfig::Polygon(_) => "polygon".to_owned(),
        };
        let name = sha256_hex(format!("{} {source}", job.ledger_sha256()).as_bytes());
        Self { path: folder.join(format!("{name}.json")), folder }
    }

    /// Reads all submissions.
    pub(crate) fn history(&self) -> SubmissionHistory {
        match self.read() {
            Ok(submissions) => SubmissionHistory::Known(submissions),
            Err(error) => {
                let path = self.path.display();
                SubmissionHistory::Unknown(format!("the ledger `{path}` cannot be read: {error}"))
            }
        }
    }

    /// Adds a submission, unless the file contains it. Logs a warning if the file cannot be read or
    /// written.
    pub(crate) fn record(&self, submission: Submission) {
        if let Err(error) = self.try_record(submission) {
            let path = self.path.display();
            tracing::warn!(
                "cannot add the job to the ledger of submissions `{path}`, so later jobs do not count it: {error}. \
                 Make the folder writable, or remove a file that is not a ledger"
            );
        }
    }

    fn try_record(&self, submission: Submission) -> io::Result<()> {
        create_dir_all_durably(&self.folder, Access::Owner)?;
        // Two commands may finish at the same time. The lock is released when the file is closed.
        let lock = File::options().create(true).truncate(false).write(true).open(self.folder.join("lock"))?;
        lock.lock()?;
        let mut submissions = self.read()?;
        if submissions.iter().any(|known| known.id() == submission.id()) {
            return Ok(());
        }
        submissions.push(submission);
        submissions.sort_by(|left, right| left.at.cmp(&right.at));
        let n_surplus = submissions.len().saturating_sub(MAX_SUBMISSIONS);
        write_durably(&self.path, &serde_json::to_vec_pretty(&submissions[n_surplus..])?, Access::Owner)
    }

    fn read(&self) -> io::Result<Vec<Submission>> {
        match fs::read(&self.path) {
            Ok(bytes) => Ok(serde_json::from_slice(&bytes)?),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn ledger(artifacts_dir: &Path, bars: &str) -> LedgerFile {
        let job = json!({ "build_id": "b", "symbols": ["A"], "timeframe": "1d" });
        LedgerFile::new(artifacts_dir, &Job::from_value(&job).unwrap(), &SourceConfig::Folder(bars.into()))
    }

    fn submission(design: &str, second: usize) -> Submission {
        Submission {
            design_sha256: design.to_owned(),
            symbols: vec!["a1".to_owned()],
            test_months: ["2024-01".to_owned(), "2024-06".to_owned()],
            at: format!("2026-01-01T00:{:02}:{:02}", second / 60, second % 60),
            auc: Some(0.5),
            auc_p: None,
            probabilistic_sharpe: None,
        }
    }

    fn known(ledger: &LedgerFile) -> Vec<Submission> {
        let SubmissionHistory::Known(submissions) = ledger.history() else { panic!("unknown") };
        submissions
    }

    #[test]
    fn a_design_is_recorded_once_with_its_first_time() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = ledger(folder.path(), "/bars");
        assert_eq!(known(&ledger), []);
        for (design, second) in [("a", 1), ("b", 2), ("a", 3)] {
            ledger.record(submission(design, second));
        }
        assert_eq!(known(&ledger), [submission("a", 1), submission("b", 2)]);
    }

    #[test]
    fn folders_of_bars_have_separate_ledgers() {
        let folder = tempfile::tempdir().unwrap();
        ledger(folder.path(), "/bars").record(submission("a", 1));
        assert_eq!(known(&ledger(folder.path(), "/other")), []);
        assert_eq!(known(&ledger(folder.path(), "/bars")).len(), 1);
    }

    #[test]
    fn a_full_ledger_loses_its_oldest_submission() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = ledger(folder.path(), "/bars");
        let full: Vec<Submission> = (0..MAX_SUBMISSIONS).map(|idx| submission(&format!("d{idx}"), idx)).collect();
        fs::create_dir(&ledger.folder).unwrap();
        fs::write(&ledger.path, serde_json::to_vec(&full).unwrap()).unwrap();
        ledger.record(submission("new", MAX_SUBMISSIONS));
        let kept = known(&ledger);
        assert_eq!(kept.len(), MAX_SUBMISSIONS);
        assert_eq!([&kept[0], kept.last().unwrap()], [&full[1], &submission("new", MAX_SUBMISSIONS)]);
    }

    #[test]
    fn a_file_that_is_not_a_ledger_is_reported_and_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = ledger(folder.path(), "/bars");
        fs::create_dir(&ledger.folder).unwrap();
        fs::write(&ledger.path, "{").unwrap();
        let SubmissionHistory::Unknown(reason) = ledger.history() else { panic!("known") };
        assert!(reason.contains("cannot be read") && reason.contains(ledger.path.to_str().unwrap()), "{reason}");
        ledger.record(submission("a", 1));
        assert_eq!(fs::read_to_string(&ledger.path).unwrap(), "{");
    }
}
