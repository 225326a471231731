//! How a content is taken back, by jobs or by a person, and an earlier one serves again.
//!
//! Pure changes of the journal. Invariant: a content that was withdrawn from a file serves there again only after a person
//! has asked for it.

use std::path::Path;

use super::generations::Content;
use super::journal::{Journal, Verdict};
use crate::usage::Use;

/// What is there to go back to.
pub(super) struct Keep<'a> {
    /// The build of the host.
    pub(super) host: &'a str,
    /// Whether the private copy of a content is still there.
    pub(super) has_copy: &'a dyn Fn(&str) -> bool,
}

impl Journal {
    /// Whether a content may serve again from a file, as far as the host is concerned that has not failed it.
    fn may_serve(&self, path: &Path, sha256: &str, keep: &Keep<'_>) -> bool {
        let is_withdrawn = self.slots.get(path).is_some_and(|slot| slot.withdrawn.contains_key(sha256));
        let has_failed = matches!(self.verdict(sha256, keep.host), Some(Verdict::Failed { .. }));
        !is_withdrawn && !has_failed && (keep.has_copy)(sha256)
    }

    /// Counts a job for the content of one file, where that still serves.
    pub(super) fn judge(&mut self, path: &Path, one: &Use, now: &str, keep: &Keep<'_>) {
        let Use { sha256, died } = one;
        let Some(mut slot) = self.slots.get(path).cloned() else { return };
        if slot.generations.current().is_none_or(|current| current.sha256 != *sha256) {
            return;
        }
        if let Some(reverted) = slot.generations.judge(*died, now, |sha256| self.may_serve(path, sha256, keep)) {
            tracing::warn!(library = %path.display(), sha256, "{}", reverted.reason);
            slot.withdrawn.insert(reverted.sha256, reverted.reason);
        }
        self.slots.insert(path.to_owned(), slot);
    }

    /// The content of one file that a person asks for: the last other one that may serve, or the one whose hash begins so.
    ///
    /// # Errors
    /// In words, where there is none, or more than one.
    pub(super) fn earlier(&self, path: &Path, to: Option<&str>, keep: &Keep<'_>) -> Result<Content, String> {
        let generations = self.slots.get(path).map(|slot| slot.generations.clone()).unwrap_or_default();
        generations.earlier(to, |sha256| self.may_serve(path, sha256, keep))
    }

    /// Lets a content of one file serve, and withdraws the present one.
    pub(super) fn roll_back(&mut self, path: &Path, content: Content, now: &str) {
        let Some(slot) = self.slots.get_mut(path) else { return };
        if let Some(before) = slot.generations.current().map(|current| current.sha256.clone()) {
            let reason = format!("rolled back by hand at {now}; publish another build, or roll back to {before}");
            slot.withdrawn.insert(before, reason);
        }
        slot.withdrawn.remove(&content.sha256);
        slot.generations.roll_back(content, now);
    }
}
