//! How a content is taken back, by jobs or by a person, and an earlier one serves again.
//!
//! Pure changes of the journal. Invariant: what was withdrawn serves only after it was asked for by hand and examined anew.

use std::path::Path;

use super::journal::{Journal, Verdict};

impl Journal {
    fn may_serve(&self, sha256: &str) -> bool {
        !matches!(self.verdicts.get(sha256), Some(Verdict::Failed { .. } | Verdict::Withdrawn { .. }))
    }

    /// Counts a job for the content of one file, where that still serves.
    pub(super) fn judge(&mut self, path: &Path, sha256: &str, died: bool, now: &str) {
        let Some(mut slot) = self.slots.get(path).cloned() else { return };
        if slot.generations.current().is_none_or(|current| current.sha256 != sha256) {
            return;
        }
        if let Some(reverted) = slot.generations.judge(died, now, |sha256| self.may_serve(sha256)) {
            tracing::warn!(library = %path.display(), sha256, "{}", reverted.reason);
            self.withdraw(&reverted.sha256, reverted.reason);
        }
        self.slots.insert(path.to_owned(), slot);
    }

    /// Lets an earlier content of one file serve, and withdraws the present one.
    pub(super) fn roll_back(&mut self, path: &Path, to: Option<&str>, now: &str) -> Result<(), String> {
        let mut slot = self.slots.get(path).cloned().unwrap_or_default();
        let before = slot.generations.current().map(|current| current.sha256.clone()).unwrap_or_default();
        slot.generations.roll_back(to, now, |sha256| self.may_serve(sha256))?;
        let after = slot.generations.current().map(|current| current.sha256.clone()).unwrap_or_default();
        self.withdraw(
            &before,
            format!("rolled back by hand at {now}; publish another build, or roll back to {before}"),
        );
        if let Some(Verdict::Withdrawn { manifest: Some(manifest), .. }) = self.verdicts.get(&after).cloned() {
            // Unknown to any host, so that it is examined anew before it serves.
            self.verdicts.insert(after, Verdict::Passed { host: String::new(), manifest, copy: None });
        }
        self.slots.insert(path.to_owned(), slot);
        Ok(())
    }

    fn withdraw(&mut self, sha256: &str, reason: String) {
        let manifest = match self.verdicts.remove(sha256) {
            Some(Verdict::Passed { manifest, .. }) => Some(manifest),
            Some(Verdict::Withdrawn { manifest, .. }) => manifest,
            Some(Verdict::Failed { .. }) | None => None,
        };
        self.verdicts.insert(sha256.to_owned(), Verdict::Withdrawn { reason, manifest });
    }
}
