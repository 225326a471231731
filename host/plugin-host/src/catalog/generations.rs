//! The generations of one published file: the active content, the contents before it, and when one is withdrawn.
//!
//! Pure: no file, no clock. Invariants: numbers only rise; the last generation is the active one.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::roll_back_error::RollBackError;

/// Jobs for which a new generation is on probation.
pub const PROBATION_JOBS: u32 = 5;
/// Crashes among them after which it is withdrawn.
pub const PROBATION_DEATHS: u32 = 2;
/// Generations that are kept per file.
const MAX_GENERATIONS: usize = 20;

/// How a generation became active.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// Its file was published.
    Published,
    /// The generation after it crashed and was withdrawn.
    Reverted,
    /// A user rolled the plugin back to it.
    RolledBack,
}

/// A content that can become a generation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    /// SHA-256, as hex.
    pub sha256: String,
    /// Version in its manifest.
    pub version: String,
    /// Folders in which the published file searches for its own shared libraries.
    pub library_dirs: Vec<PathBuf>,
}

/// One content of a file, from when it became active.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Generation {
    /// From 1.
    pub number: u32,
    /// What is active.
    #[serde(flatten)]
    pub content: Content,
    /// How it became active.
    pub origin: Origin,
    /// When, in UTC.
    pub since: String,
    /// Jobs that used it, counted up to [`PROBATION_JOBS`].
    pub n_jobs: u32,
    /// Those among them in which a process of it died.
    pub n_deaths: u32,
}

/// All generations of one file, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Generations(Vec<Generation>);

impl Generations {
    /// Returns the active one.
    pub fn current(&self) -> Option<&Generation> {
        self.0.last()
    }

    /// Returns the SHA-256 of the active content.
    pub fn active_sha256(&self) -> Option<&str> {
        self.current().map(|current| current.content.sha256.as_str())
    }

    /// Returns all that are kept, oldest first.
    pub fn all(&self) -> &[Generation] {
        &self.0
    }

    /// Makes a content that passed its examination the active one, unless it is already. Returns whether it is new.
    pub fn publish(&mut self, content: Content, now: &str) -> bool {
        let is_new = self.active_sha256() != Some(&content.sha256);
        if is_new {
            self.push(content, Origin::Published, now);
        }
        is_new
    }

    /// Counts a job for the active generation. Withdraws and returns it if it crashed in too many of its first jobs and an
    /// earlier content may be active again.
    ///
    /// * `may_be_active`: whether a content is known and not quarantined.
    pub fn record_usage(&mut self, died: bool, now: &str, may_be_active: impl Fn(&str) -> bool) -> Option<Generation> {
        let current = self.0.last_mut().filter(|current| current.n_jobs < PROBATION_JOBS)?;
        current.n_jobs += 1;
        current.n_deaths += u32::from(died);
        if current.n_deaths < PROBATION_DEATHS || current.origin != Origin::Published {
            return None;
        }
        let withdrawn = current.clone();
        let earlier = self.last(|sha256| sha256 != withdrawn.content.sha256 && may_be_active(sha256))?;
        self.push(earlier, Origin::Reverted, now);
        Some(withdrawn)
    }

    /// Returns an earlier content: the last other one that may be active, or the one whose hash begins with `to`.
    ///
    /// # Errors
    /// Where there is none, or more than one.
    pub(super) fn earlier(
        &self,
        to: Option<&str>,
        may_be_active: impl Fn(&str) -> bool,
    ) -> Result<Content, RollBackError> {
        let active = self.active_sha256().unwrap_or_default();
        let hashes: BTreeSet<_> = self.0.iter().map(|generation| generation.content.sha256.as_str()).collect();
        let found = match to {
            None => self.last(|sha256| sha256 != active && may_be_active(sha256)),
            Some(start) => {
                let fitting: Vec<_> = hashes.iter().filter(|sha256| sha256.starts_with(start)).collect();
                match fitting.as_slice() {
                    [only] if **only == active => return Err(RollBackError::AlreadyActive(short(only))),
                    [_, _, ..] => return Err(RollBackError::Ambiguous(start.to_owned())),
                    _ => self.last(|sha256| sha256.starts_with(start)),
                }
            }
        };
        let others = || hashes.iter().filter(|sha256| **sha256 != active).map(|sha256| short(sha256)).collect();
        found.ok_or_else(|| RollBackError::NoContent(others()))
    }

    /// Makes an earlier content the active one, on behalf of a user.
    pub fn roll_back(&mut self, content: Content, now: &str) {
        self.push(content, Origin::RolledBack, now);
    }

    fn last(&self, is_wanted: impl Fn(&str) -> bool) -> Option<Content> {
        let found = self.0.iter().rev().find(|generation| is_wanted(&generation.content.sha256))?;
        Some(found.content.clone())
    }

    fn push(&mut self, content: Content, origin: Origin, now: &str) {
        let number = self.0.last().map_or(1, |last| last.number + 1);
        self.0.push(Generation { number, content, origin, since: now.to_owned(), n_jobs: 0, n_deaths: 0 });
        let n_excess = self.0.len().saturating_sub(MAX_GENERATIONS);
        self.0.drain(..n_excess);
    }
}

/// Returns as much of a hash as distinguishes contents.
fn short(sha256: &str) -> String {
    sha256.chars().take(12).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(sha256: &str) -> Content {
        Content { sha256: sha256.to_owned(), version: "1.0.0".to_owned(), library_dirs: Vec::new() }
    }

    fn published(hashes: &[&str]) -> Generations {
        let mut generations = Generations::default();
        for sha256 in hashes {
            assert!(generations.publish(content(sha256), "now"));
        }
        generations
    }

    fn current(generations: &Generations) -> (u32, &str) {
        let current = generations.current().unwrap();
        (current.number, &current.content.sha256)
    }

    #[test]
    fn the_same_content_is_no_new_generation() {
        let mut generations = published(&["a", "b"]);
        assert!(!generations.publish(content("b"), "now"));
        assert_eq!(current(&generations), (2, "b"));
        assert!(generations.publish(content("a"), "now"));
        assert_eq!(current(&generations), (3, "a"), "back to an old content is a new generation");
    }

    #[test]
    fn the_second_death_within_the_first_five_jobs_withdraws_a_generation() {
        for pattern in [&[true, true][..], &[false, true, false, false, true]] {
            let mut generations = published(&["good", "bad"]);
            let withdrawn: Vec<_> =
                pattern.iter().filter_map(|died| generations.record_usage(*died, "now", |_| true)).collect();
            let [Generation { content, n_jobs, n_deaths, .. }] = &withdrawn[..] else { panic!("{withdrawn:?}") };
            assert_eq!((content.sha256.as_str(), *n_jobs as usize, *n_deaths), ("bad", pattern.len(), 2));
            assert_eq!(current(&generations), (3, "good"));
        }
    }

    #[test]
    fn a_generation_that_has_proven_itself_stays() {
        let mut generations = published(&["good", "other"]);
        for died in [false, true, false, false, false, true, true, true] {
            assert_eq!(generations.record_usage(died, "now", |_| true), None);
        }
        assert_eq!(current(&generations), (2, "other"));
    }

    #[test]
    fn without_an_earlier_content_that_may_be_active_nothing_is_withdrawn() {
        let mut first = published(&["only"]);
        assert!((0..5).all(|_| first.record_usage(true, "now", |_| true).is_none()));
        let mut second = published(&["quarantined", "bad"]);
        assert!((0..5).all(|_| second.record_usage(true, "now", |sha256| sha256 != "quarantined").is_none()));
    }

    #[test]
    fn a_generation_that_replaced_a_withdrawn_one_is_not_withdrawn() {
        let mut generations = published(&["old", "good", "bad"]);
        assert!(generations.record_usage(true, "now", |_| true).is_none());
        assert!(generations.record_usage(true, "now", |_| true).is_some());
        assert!((0..5).all(|_| generations.record_usage(true, "now", |_| true).is_none()));
        assert_eq!(current(&generations), (4, "good"));
    }

    fn earlier(generations: &Generations, to: Option<&str>) -> Result<String, RollBackError> {
        generations.earlier(to, |sha256| sha256 != "withdrawn").map(|content| content.sha256)
    }

    #[test]
    fn a_roll_back_selects_the_last_other_content_that_may_be_active_or_any_that_is_named() {
        let mut generations = published(&["aa1", "ab2", "withdrawn", "c3"]);
        assert_eq!(earlier(&generations, None).unwrap(), "ab2");
        assert_eq!(earlier(&generations, Some("with")).unwrap(), "withdrawn");
        assert_eq!(earlier(&generations, Some("aa")).unwrap(), "aa1");
        assert_eq!(earlier(&generations, Some("a")), Err(RollBackError::Ambiguous("a".to_owned())));
        assert_eq!(earlier(&generations, Some("c")), Err(RollBackError::AlreadyActive("c3".to_owned())));
        generations.roll_back(content("ab2"), "now");
        assert_eq!(current(&generations), (5, "ab2"));
        let others = ["aa1", "c3", "withdrawn"].map(str::to_owned).to_vec();
        assert_eq!(earlier(&generations, Some("f")), Err(RollBackError::NoContent(others)), "without the active one");
        let others = Vec::new();
        assert_eq!(earlier(&published(&["only"]), None), Err(RollBackError::NoContent(others)));
    }

    #[test]
    fn no_number_of_swaps_makes_the_journal_grow_forever() {
        let hashes: Vec<_> = (0..200).map(|idx| format!("{idx}")).collect();
        let generations = published(&hashes.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(generations.all().len(), MAX_GENERATIONS);
        assert_eq!(current(&generations), (200, "199"));
    }
}
