//! The generations of one published file: which content serves, which served before, and when one is taken back.
//!
//! Pure: no file, no clock of its own. Invariant: numbers only rise, and the last generation is the one that serves.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// A new generation is on probation for so many jobs.
pub const PROBATION_JOBS: u32 = 5;
/// In so many of them it may crash before it is taken back.
pub const PROBATION_DEATHS: u32 = 2;
/// Generations that are remembered of one file.
const KEPT: usize = 20;

/// How a generation came to serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// Its file was published.
    Published,
    /// The one after it was taken back, since it crashed.
    Reverted,
    /// Somebody asked for it.
    RolledBack,
}

/// One content of a file, from when it began to serve.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Generation {
    /// From 1.
    pub number: u32,
    /// SHA-256 of the content, as hex.
    pub sha256: String,
    /// Version that its manifest said.
    pub version: String,
    /// How it came to serve.
    pub origin: Origin,
    /// When, in UTC.
    pub since: String,
    /// Where the published file said that its own shared libraries are.
    pub library_dirs: Vec<PathBuf>,
    /// Jobs that used it, counted up to [`PROBATION_JOBS`].
    pub n_jobs: u32,
    /// Those among them in which a process of it died.
    pub n_deaths: u32,
}

/// All generations of one file, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Generations(Vec<Generation>);

/// What is known of a content when it begins to serve.
#[derive(Clone, Debug)]
pub struct Content {
    /// SHA-256, as hex.
    pub sha256: String,
    /// Version that its manifest says.
    pub version: String,
    /// Where its own shared libraries are.
    pub library_dirs: Vec<PathBuf>,
}

/// What a generation was taken back for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reverted {
    /// SHA-256 of the content that no longer serves.
    pub sha256: String,
    /// Why, for people.
    pub reason: String,
}

impl Generations {
    /// The one that serves.
    pub fn current(&self) -> Option<&Generation> {
        self.0.last()
    }

    /// All that are remembered, oldest first.
    pub fn all(&self) -> &[Generation] {
        &self.0
    }

    /// A content that passed its examination serves from now on, unless it does already. Whether it is new.
    pub fn publish(&mut self, content: Content, now: &str) -> bool {
        let is_new = self.current().is_none_or(|current| current.sha256 != content.sha256);
        if is_new {
            self.push(content, Origin::Published, now);
        }
        is_new
    }

    /// Counts a job on the serving generation; takes it back where it crashed in too many of its first jobs and an
    /// earlier content may serve again.
    ///
    /// * `may_serve`: whether a content is no worse: known, and not quarantined.
    pub fn judge(&mut self, died: bool, now: &str, may_serve: impl Fn(&str) -> bool) -> Option<Reverted> {
        let current = self.0.last_mut()?;
        if current.n_jobs >= PROBATION_JOBS {
            return None;
        }
        current.n_jobs += 1;
        current.n_deaths += u32::from(died);
        if current.n_deaths < PROBATION_DEATHS || current.origin != Origin::Published {
            return None;
        }
        let (sha256, n_jobs, n_deaths) = (current.sha256.clone(), current.n_jobs, current.n_deaths);
        let earlier = self.last(|generation| generation.sha256 != sha256 && may_serve(&generation.sha256))?;
        self.push(earlier, Origin::Reverted, now);
        let reason = format!("taken back: it crashed in {n_deaths} of its first {n_jobs} jobs; publish a mended build");
        Some(Reverted { sha256, reason })
    }

    /// An earlier content: the last other one that may serve, or the one whose hash begins like this.
    ///
    /// # Errors
    /// In words, where there is none, or more than one.
    pub fn earlier(&self, to: Option<&str>, may_serve: impl Fn(&str) -> bool) -> Result<Content, String> {
        let current = self.current().map(|current| current.sha256.as_str()).unwrap_or_default();
        let found = match to {
            None => self.last(|generation| generation.sha256 != current && may_serve(&generation.sha256)),
            Some(start) => {
                match self.hashes().filter(|sha256| sha256.starts_with(start)).collect::<Vec<_>>().as_slice() {
                    [only] if *only == current => return Err(format!("the content {} serves already", short(only))),
                    [_, _, ..] => {
                        return Err(format!("more than one content begins with {start}: give more of the hash"));
                    }
                    _ => self.last(|generation| generation.sha256.starts_with(start)),
                }
            }
        };
        found.ok_or_else(|| {
            let known: Vec<_> = self.hashes().filter(|sha256| *sha256 != current).map(short).collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            format!("there is no such earlier content; `--to` takes one of these, also one that was withdrawn: {known}")
        })
    }

    /// A content serves again, by hand.
    pub fn roll_back(&mut self, content: Content, now: &str) {
        self.push(content, Origin::RolledBack, now);
    }

    /// Every content, once.
    fn hashes(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|generation| generation.sha256.as_str()).collect::<BTreeSet<_>>().into_iter()
    }

    fn last(&self, is_wanted: impl Fn(&Generation) -> bool) -> Option<Content> {
        let found = self.0.iter().rev().find(|generation| is_wanted(generation))?;
        let Generation { sha256, version, library_dirs, .. } = found.clone();
        Some(Content { sha256, version, library_dirs })
    }

    fn push(&mut self, content: Content, origin: Origin, now: &str) {
        let number = self.0.last().map_or(1, |last| last.number + 1);
        let Content { sha256, version, library_dirs } = content;
        let since = now.to_owned();
        self.0.push(Generation { number, sha256, version, origin, since, library_dirs, n_jobs: 0, n_deaths: 0 });
        let n_too_many = self.0.len().saturating_sub(KEPT);
        self.0.drain(..n_too_many);
    }
}

/// As much of a hash as tells contents apart.
fn short(sha256: &str) -> &str {
    &sha256[..sha256.len().min(12)]
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn content(sha256: &str) -> Content {
        Content { sha256: sha256.to_owned(), version: "1.0.0".to_owned(), library_dirs: Vec::new() }
    }

    fn of(hashes: &[&str]) -> Generations {
        let mut generations = Generations::default();
        for sha256 in hashes {
            assert!(generations.publish(content(sha256), "now"));
        }
        generations
    }

    fn current(generations: &Generations) -> (u32, &str) {
        let current = generations.current().unwrap();
        (current.number, &current.sha256)
    }

    #[test]
    fn the_same_content_is_no_new_generation() {
        let mut generations = of(&["a", "b"]);
        assert!(!generations.publish(content("b"), "now"));
        assert_eq!(current(&generations), (2, "b"));
        assert!(generations.publish(content("a"), "now"));
        assert_eq!(current(&generations), (3, "a"), "back to an old content is a new generation");
    }

    #[test]
    fn the_second_death_within_the_first_five_jobs_takes_a_generation_back() {
        for pattern in [&[true, true][..], &[false, true, false, false, true]] {
            let mut generations = of(&["good", "bad"]);
            let reverts: Vec<_> = pattern.iter().filter_map(|died| generations.judge(*died, "now", |_| true)).collect();
            assert_eq!(reverts.len(), 1);
            assert_eq!(reverts[0].sha256, "bad");
            assert!(reverts[0].reason.contains(&format!("2 of its first {} jobs", pattern.len())));
            assert_eq!(current(&generations), (3, "good"));
        }
    }

    #[test]
    fn a_generation_that_has_proven_itself_stays() {
        let mut generations = of(&["good", "other"]);
        for died in [false, true, false, false, false, true, true, true] {
            assert_eq!(generations.judge(died, "now", |_| true), None);
        }
        assert_eq!(current(&generations), (2, "other"));
    }

    #[test]
    fn without_an_earlier_content_that_may_serve_there_is_nothing_to_go_back_to() {
        let mut first = of(&["only"]);
        assert!((0..5).all(|_| first.judge(true, "now", |_| true).is_none()));
        let mut second = of(&["quarantined", "bad"]);
        assert!((0..5).all(|_| second.judge(true, "now", |sha256| sha256 != "quarantined").is_none()));
    }

    #[test]
    fn what_was_gone_back_to_is_not_taken_back_again() {
        let mut generations = of(&["old", "good", "bad"]);
        assert!(generations.judge(true, "now", |_| true).is_none());
        assert!(generations.judge(true, "now", |_| true).is_some());
        assert!((0..5).all(|_| generations.judge(true, "now", |_| true).is_none()));
        assert_eq!(current(&generations), (4, "good"));
    }

    fn earlier(generations: &Generations, to: Option<&str>) -> Result<String, String> {
        generations.earlier(to, |sha256| sha256 != "withdrawn").map(|content| content.sha256)
    }

    #[test]
    fn the_way_back_is_the_last_other_content_that_may_serve_or_any_that_is_named() {
        let mut generations = of(&["aa1", "ab2", "withdrawn", "c3"]);
        assert_eq!(earlier(&generations, None).unwrap(), "ab2");
        assert_eq!(earlier(&generations, Some("with")).unwrap(), "withdrawn");
        assert_eq!(earlier(&generations, Some("aa")).unwrap(), "aa1");
        assert!(earlier(&generations, Some("a")).unwrap_err().contains("more than one content begins with a"));
        assert!(earlier(&generations, Some("c")).unwrap_err().contains("c3 serves already"));
        generations.roll_back(content("ab2"), "now");
        assert_eq!(current(&generations), (5, "ab2"));
        let missing = earlier(&generations, Some("f")).unwrap_err();
        assert!(missing.ends_with("aa1, c3, withdrawn"), "each once, without the one that serves: {missing}");
        assert!(earlier(&of(&["only"]), None).unwrap_err().ends_with("none"));
    }

    #[test]
    fn no_number_of_swaps_makes_the_journal_grow_for_ever() {
        let hashes: Vec<_> = (0..200).map(|idx| format!("{idx}")).collect();
        let generations = of(&hashes.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(generations.all().len(), KEPT);
        assert_eq!(current(&generations), (200, "199"));
    }
}
