//! The generations of one published file: the active build, the earlier builds, and the rule that
//! withdraws one.
//!
//! This module is pure: it reads no files and no clock. Invariants: numbers only increase. The last
//! generation is the active one.

use std::collections::BTreeSet;
use std::fmt;
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

/// A build that a rollback does not select.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SkippedBuild {
    /// Number of its last generation.
    pub number: u32,
    /// SHA-256 of the library, as hex.
    pub sha256: String,
    /// The reason why it is skipped, as a sentence about the build.
    pub reason: String,
}

impl fmt::Display for SkippedBuild {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "generation {} ({}): {}", self.number, short(&self.sha256), self.reason)
    }
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
        let is_usable = |sha256: &str| sha256 != withdrawn.build.sha256 && may_be_active(sha256);
        // A build that crashed earlier is better than one that has just crashed twice, but a build
        // that never crashed is preferred.
        let clean = self.last(|sha256| is_usable(sha256) && self.crashes(sha256).is_none());
        let earlier = clean.or_else(|| self.last(is_usable))?;
        self.push(earlier, Origin::Reverted, now);
        Some(withdrawn)
    }

    /// Returns the only build whose hash begins with `start`. The user can thus restore any build,
    /// even a withdrawn one.
    ///
    /// # Errors
    /// Returns [`RollbackError`] if no build or more than one build matches, or if the matching
    /// build is already active.
    pub(super) fn named(&self, start: &str) -> Result<LibraryBuild, RollbackError> {
        let active = self.active_sha256().unwrap_or_default();
        let matching: Vec<_> = self.hashes().into_iter().filter(|sha256| sha256.starts_with(start)).collect();
        match matching.as_slice() {
            [only] if *only == active => Err(RollbackError::AlreadyActive(short(only))),
            [_, _, ..] => Err(RollbackError::Ambiguous(start.to_owned())),
            _ => self.last(|sha256| sha256.starts_with(start)).ok_or_else(|| RollbackError::NoMatch(self.others())),
        }
    }

    /// Returns the most recent build that is not active, may become active and never crashed in a
    /// counted job, and the more recent builds that are skipped.
    ///
    /// * `obstacle`: the reason why the build with this SHA-256 must not become active.
    ///
    /// # Errors
    /// Returns [`RollbackError`] if there is no such build.
    pub(super) fn last_clean(
        &self,
        obstacle: impl Fn(&str) -> Option<String>,
    ) -> Result<(LibraryBuild, Vec<SkippedBuild>), RollbackError> {
        let active = self.active_sha256().unwrap_or_default();
        let mut skipped: Vec<SkippedBuild> = Vec::new();
        for Generation { number, build, .. } in self.0.iter().rev() {
            let sha256 = build.sha256.as_str();
            if sha256 == active || skipped.iter().any(|skipped| skipped.sha256 == sha256) {
                continue;
            }
            match obstacle(sha256).or_else(|| self.crashes(sha256)) {
                None => return Ok((build.clone(), skipped)),
                Some(reason) => skipped.push(SkippedBuild { number: *number, sha256: sha256.to_owned(), reason }),
            }
        }
        if skipped.is_empty() {
            Err(RollbackError::NoMatch(self.others()))
        } else {
            Err(RollbackError::NoClean(skipped))
        }
    }

    /// Describes the counted jobs in which a build crashed, or returns `None` if it never crashed.
    fn crashes(&self, sha256: &str) -> Option<String> {
        let of_build = || self.0.iter().filter(|generation| generation.build.sha256 == sha256);
        let n_deaths: u32 = of_build().map(|generation| generation.n_deaths).sum();
        let n_jobs: u32 = of_build().map(|generation| generation.n_jobs).sum();
        (n_deaths > 0).then(|| format!("it crashed in {n_deaths} of {n_jobs} counted jobs"))
    }

    fn hashes(&self) -> BTreeSet<&str> {
        self.0.iter().map(|generation| generation.build.sha256.as_str()).collect()
    }

    /// Returns the first digits of the hash of every build that is not active.
    fn others(&self) -> Vec<String> {
        let active = self.active_sha256().unwrap_or_default();
        self.hashes().into_iter().filter(|sha256| *sha256 != active).map(short).collect()
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

    fn named(generations: &Generations, to: &str) -> Result<String, RollbackError> {
        generations.named(to).map(|build| build.sha256)
    }

    /// Returns the build of a rollback without a hash, and the skipped builds.
    fn last_clean(generations: &Generations) -> Result<(String, Vec<String>), RollbackError> {
        let obstacle = |sha256: &str| (sha256 == "withdrawn").then(|| "it was withdrawn".to_owned());
        let (build, skipped) = generations.last_clean(obstacle)?;
        Ok((build.sha256, skipped.iter().map(ToString::to_string).collect()))
    }

    #[test]
    fn a_rollback_selects_the_last_other_build_with_a_clean_record_and_lists_those_it_skips() {
        let mut generations = published(&["clean", "crashed", "withdrawn", "active"]);
        generations.0[1].n_jobs = 3;
        generations.0[1].n_deaths = 1;
        let skipped =
            ["generation 3 (withdrawn): it was withdrawn", "generation 2 (crashed): it crashed in 1 of 3 counted jobs"];
        assert_eq!(last_clean(&generations), Ok(("clean".to_owned(), skipped.map(str::to_owned).to_vec())));
        // The record of a build covers all its generations.
        generations.roll_back(build("crashed"), "now");
        generations.roll_back(build("active"), "now");
        assert_eq!(last_clean(&generations).unwrap().0, "clean");
        let mut without_clean = published(&["crashed", "active"]);
        without_clean.0[0].n_jobs = 1;
        without_clean.0[0].n_deaths = 1;
        let Err(RollbackError::NoClean(skipped)) = last_clean(&without_clean) else { panic!("a build was selected") };
        assert_eq!(skipped.len(), 1);
    }

    #[test]
    fn an_automatic_return_prefers_a_build_that_never_crashed() {
        let mut generations = published(&["clean", "crashed", "bad"]);
        generations.0[1].n_jobs = 1;
        generations.0[1].n_deaths = 1;
        assert!(generations.record_usage(true, "now", |_| true).is_none());
        assert!(generations.record_usage(true, "now", |_| true).is_some());
        assert_eq!(current(&generations), (4, "clean"));
    }

    #[test]
    fn a_rollback_can_name_any_build() {
        let mut generations = published(&["aa1", "ab2", "withdrawn", "c3"]);
        assert_eq!(named(&generations, "with").unwrap(), "withdrawn");
        assert_eq!(named(&generations, "aa").unwrap(), "aa1");
        assert_eq!(named(&generations, "a"), Err(RollbackError::Ambiguous("a".to_owned())));
        assert_eq!(named(&generations, "c"), Err(RollbackError::AlreadyActive("c3".to_owned())));
        generations.roll_back(build("ab2"), "now");
        assert_eq!(current(&generations), (5, "ab2"));
        let others = ["aa1", "c3", "withdrawn"].map(str::to_owned).to_vec();
        assert_eq!(named(&generations, "f"), Err(RollbackError::NoMatch(others)), "the active build is not listed");
        let others = Vec::new();
        assert_eq!(last_clean(&published(&["only"])), Err(RollbackError::NoMatch(others)));
    }

    #[test]
    fn the_number_of_kept_generations_is_limited() {
        let hashes: Vec<_> = (0..200).map(|idx| format!("{idx}")).collect();
        let generations = published(&hashes.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(generations.all().len(), MAX_GENERATIONS);
        assert_eq!(current(&generations), (200, "199"));
    }
}
