//! The generations of one published file: the active build, the earlier builds, and the rule that
//! withdraws one.
//!
//! This module is pure: it reads no files and no clock. Invariants: numbers only increase. The last
//! generation is the active one.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::rollback_error::RollbackError;

/// The number of jobs for which a new generation is on probation.
pub const PROBATION_JOBS: u32 = 5;
/// A generation that crashes in this many jobs of its probation is withdrawn.
pub const PROBATION_DEATHS: u32 = 2;
/// The number of generations that are kept per file.
const MAX_GENERATIONS: usize = 20;

/// The way in which a generation became active.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// The file was published.
    Published,
    /// The host restored the generation after the next one crashed and was withdrawn.
    Reverted,
    /// A user rolled the plugin back to the generation.
    RolledBack,
}

/// A build of a library that can become a generation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LibraryBuild {
    /// SHA-256 of the library's bytes, as hex.
    pub sha256: String,
    /// Version that the manifest states.
    pub version: String,
    /// Folders in which the library searches for the shared libraries that it needs.
    pub library_dirs: Vec<PathBuf>,
}

/// One accepted build of a file, from the time it became active.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Generation {
    /// Number of the generation, from 1.
    pub number: u32,
    /// The build that was activated.
    #[serde(flatten)]
    pub build: LibraryBuild,
    /// The way in which the generation became active.
    pub origin: Origin,
    /// UTC time at which the generation became active.
    pub since: String,
    /// The number of jobs that used the generation, counted up to [`PROBATION_JOBS`].
    pub n_jobs: u32,
    /// The number of counted jobs in which a process of the generation died.
    pub n_deaths: u32,
}

/// All generations of one file, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Generations(Vec<Generation>);

impl Generations {
    /// Returns the active generation.
    pub fn current(&self) -> Option<&Generation> {
        self.0.last()
    }

    /// Returns the SHA-256 of the active build.
    pub fn active_sha256(&self) -> Option<&str> {
        self.current().map(|current| current.build.sha256.as_str())
    }

    /// Returns all kept generations, oldest first.
    pub fn all(&self) -> &[Generation] {
        &self.0
    }

    /// Activates a build that passed its examination, unless it is already active. Returns whether
    /// it was activated.
    pub fn publish(&mut self, build: LibraryBuild, now: &str) -> bool {
        let is_new = self.active_sha256() != Some(&build.sha256);
        if is_new {
            self.push(build, Origin::Published, now);
        }
        is_new
    }

    /// Counts one job for the active generation. Withdraws and returns the generation if it crashed
    /// in too many of its first jobs and an earlier build may be activated again.
    ///
    /// * `may_be_active`: whether the build with this SHA-256 is stored and not quarantined.
    pub fn record_usage(&mut self, died: bool, now: &str, may_be_active: impl Fn(&str) -> bool) -> Option<Generation> {
        let current = self.0.last_mut().filter(|current| current.n_jobs < PROBATION_JOBS)?;
        current.n_jobs += 1;
        current.n_deaths += u32::from(died);
        // Only a newly published build is withdrawn. A build that the host or a user restored was
        // active before, so this rule does not apply to it.
        if current.n_deaths < PROBATION_DEATHS || current.origin != Origin::Published {
            return None;
        }
        let withdrawn = current.clone();
        let earlier = self.last(|sha256| sha256 != withdrawn.build.sha256 && may_be_active(sha256))?;
        self.push(earlier, Origin::Reverted, now);
        Some(withdrawn)
    }

    /// Returns the build whose hash begins with `to`. If `to` is `None`, returns the most recent
    /// build that is not active but may become active.
    ///
    /// # Errors
    /// Returns [`RollbackError`] if no build or more than one build matches, or if the matching
    /// build is already active.
    pub(super) fn earlier(
        &self,
        to: Option<&str>,
        may_be_active: impl Fn(&str) -> bool,
    ) -> Result<LibraryBuild, RollbackError> {
        let active = self.active_sha256().unwrap_or_default();
        let hashes: BTreeSet<_> = self.0.iter().map(|generation| generation.build.sha256.as_str()).collect();
        let found = match to {
            None => self.last(|sha256| sha256 != active && may_be_active(sha256)),
            Some(start) => {
                // `may_be_active` does not apply to a build that the user names explicitly, so that
                // the user can restore a withdrawn build.
                let matching: Vec<_> = hashes.iter().filter(|sha256| sha256.starts_with(start)).collect();
                match matching.as_slice() {
                    [only] if **only == active => return Err(RollbackError::AlreadyActive(short(only))),
                    [_, _, ..] => return Err(RollbackError::Ambiguous(start.to_owned())),
                    _ => self.last(|sha256| sha256.starts_with(start)),
                }
            }
        };
        let others = || hashes.iter().filter(|sha256| **sha256 != active).map(|sha256| short(sha256)).collect();
        found.ok_or_else(|| RollbackError::NoMatch(others()))
    }

    /// Activates an earlier build, as requested by a user.
    pub fn roll_back(&mut self, build: LibraryBuild, now: &str) {
        self.push(build, Origin::RolledBack, now);
    }

    /// Returns the most recent build whose SHA-256 matches.
    fn last(&self, matches: impl Fn(&str) -> bool) -> Option<LibraryBuild> {
        let found = self.0.iter().rev().find(|generation| matches(&generation.build.sha256))?;
        Some(found.build.clone())
    }

    fn push(&mut self, build: LibraryBuild, origin: Origin, now: &str) {
        let number = self.0.last().map_or(1, |last| last.number + 1);
        self.0.push(Generation { number, build, origin, since: now.to_owned(), n_jobs: 0, n_deaths: 0 });
        let n_excess = self.0.len().saturating_sub(MAX_GENERATIONS);
        self.0.drain(..n_excess);
    }
}

/// Returns the first digits of a hash, enough to distinguish builds.
fn short(sha256: &str) -> String {
    sha256.chars().take(12).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn build(sha256: &str) -> LibraryBuild {
        LibraryBuild { sha256: sha256.to_owned(), version: "1.0.0".to_owned(), library_dirs: Vec::new() }
    }

    fn published(hashes: &[&str]) -> Generations {
        let mut generations = Generations::default();
        for sha256 in hashes {
            assert!(generations.publish(build(sha256), "now"));
        }
        generations
    }

    fn current(generations: &Generations) -> (u32, &str) {
        let current = generations.current().unwrap();
        (current.number, &current.build.sha256)
    }

    #[test]
    fn republishing_the_active_build_adds_no_generation() {
        let mut generations = published(&["a", "b"]);
        assert!(!generations.publish(build("b"), "now"));
        assert_eq!(current(&generations), (2, "b"));
        assert!(generations.publish(build("a"), "now"));
        assert_eq!(current(&generations), (3, "a"), "a return to an old build is a new generation");
    }

    #[test]
    fn the_second_death_within_the_first_five_jobs_withdraws_a_generation() {
        for pattern in [&[true, true][..], &[false, true, false, false, true]] {
            let mut generations = published(&["good", "bad"]);
            let withdrawn: Vec<_> =
                pattern.iter().filter_map(|died| generations.record_usage(*died, "now", |_| true)).collect();
            let [Generation { build, n_jobs, n_deaths, .. }] = &withdrawn[..] else { panic!("{withdrawn:?}") };
            assert_eq!((build.sha256.as_str(), *n_jobs as usize, *n_deaths), ("bad", pattern.len(), 2));
            assert_eq!(current(&generations), (3, "good"));
        }
    }

    #[test]
    fn crashes_after_the_probation_do_not_withdraw_a_generation() {
        let mut generations = published(&["good", "other"]);
        for died in [false, true, false, false, false, true, true, true] {
            assert_eq!(generations.record_usage(died, "now", |_| true), None);
        }
        assert_eq!(current(&generations), (2, "other"));
    }

    #[test]
    fn without_an_earlier_build_that_may_be_active_nothing_is_withdrawn() {
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

    fn earlier(generations: &Generations, to: Option<&str>) -> Result<String, RollbackError> {
        generations.earlier(to, |sha256| sha256 != "withdrawn").map(|build| build.sha256)
    }

    #[test]
    fn a_rollback_selects_the_last_other_usable_build_or_the_named_one() {
        let mut generations = published(&["aa1", "ab2", "withdrawn", "c3"]);
        assert_eq!(earlier(&generations, None).unwrap(), "ab2");
        assert_eq!(earlier(&generations, Some("with")).unwrap(), "withdrawn");
        assert_eq!(earlier(&generations, Some("aa")).unwrap(), "aa1");
        assert_eq!(earlier(&generations, Some("a")), Err(RollbackError::Ambiguous("a".to_owned())));
        assert_eq!(earlier(&generations, Some("c")), Err(RollbackError::AlreadyActive("c3".to_owned())));
        generations.roll_back(build("ab2"), "now");
        assert_eq!(current(&generations), (5, "ab2"));
        let others = ["aa1", "c3", "withdrawn"].map(str::to_owned).to_vec();
        assert_eq!(
            earlier(&generations, Some("f")),
            Err(RollbackError::NoMatch(others)),
            "the active build is not listed"
        );
        let others = Vec::new();
        assert_eq!(earlier(&published(&["only"]), None), Err(RollbackError::NoMatch(others)));
    }

    #[test]
    fn the_number_of_kept_generations_is_limited() {
        let hashes: Vec<_> = (0..200).map(|idx| format!("{idx}")).collect();
        let generations = published(&hashes.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(generations.all().len(), MAX_GENERATIONS);
        assert_eq!(current(&generations), (200, "199"));
    }
}
