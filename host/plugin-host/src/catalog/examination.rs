//! Finds out about published files: each copied, checked without being opened, and tried in a process of its own.
//!
//! In: a file's path. Out: in the journal, what it holds and what came of it; a content that passed is its next generation.
//! What is no verdict, since the file or the machine is at fault for now, goes to the waiting room.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use oculus_plugin_api::Manifest;

use super::generations::Content;
use super::journal::{Journal, Postponed, Seen, Verdict};
use super::snapshot::State;
use super::{Catalog, SETTLED_AFTER, lock, now};
use crate::probe::{Fault, Subject, Unfit, probe};
use crate::stamp::Stamp;
use crate::{InstalledPlugin, format};

impl Catalog {
    /// Asks what serves by the journal's word once more who it is: devices of this machine may have come or gone since.
    pub fn refresh(self: &Arc<Self>) {
        for entry in &self.current().entries {
            let read_of = entry.plugin.clone().filter(|plugin| !lock(&self.tried).contains(&plugin.sha256));
            let Some(plugin) = read_of else { continue };
            let catalog = Arc::clone(self);
            std::thread::spawn(move || {
                let _turn = catalog.turns.take();
                catalog.ask_again(&plugin);
            });
        }
    }

    fn ask_again(&self, plugin: &InstalledPlugin) {
        let asked = probe(&self.subject(&plugin.path, &plugin.sha256, &plugin.library_dirs));
        let verdict = match asked {
            Ok(manifest) if manifest == plugin.manifest => return,
            Ok(manifest) => Some(self.passed(manifest, plugin.stamp)),
            // A job would fall over this too.
            Err(unfit) if unfit.fault == Fault::Wants => {
                let stamp = Stamp::of(&plugin.source).ok();
                self.waiting.enter(&plugin.source, stamp, State::Refused { reason: unfit.reason });
                None
            }
            Err(unfit) => {
                let id = &plugin.manifest.id;
                tracing::warn!(
                    id,
                    "the plugin serves, though it fails an examination that it passed before: {}",
                    unfit.reason
                );
                return;
            }
        };
        let changed = self.journal.update(|journal| match verdict {
            Some(verdict) => journal.record(&plugin.sha256, verdict),
            None => journal.forget(&plugin.sha256, &self.host),
        });
        match changed {
            Ok(()) => self.publish(),
            Err(error) => tracing::warn!("the journal of plugins cannot be written: {error}"),
        }
    }

    /// Whether there is nothing to find out about a file.
    pub(super) fn is_known(&self, path: &Path, journal: &Journal) -> bool {
        let Ok(stamp) = Stamp::of(path) else { return true };
        let Some(slot) = journal.slots.get(path) else { return false };
        let Some(seen) = slot.seen.as_ref().filter(|seen| seen.stamp == stamp) else { return false };
        let has_copy = |sha256: &str| self.store.path(sha256, path).is_file();
        let current = slot.generations.current().map(|generation| generation.sha256.as_str());
        let is_settled = match journal.verdict(&seen.sha256, &self.host) {
            Some(Verdict::Passed { .. }) => has_copy(&seen.sha256) && current.is_some(),
            Some(Verdict::Failed { .. }) => true,
            None => false,
        };
        let is_settled = is_settled || slot.withdrawn.contains_key(&seen.sha256) || !self.allows(&seen.sha256);
        // An earlier content whose copy is gone can be tried no more.
        is_settled && current.is_none_or(|it| journal.verdict(it, &self.host).is_some() || !has_copy(it))
    }

    /// Finds out about a file on a thread of its own.
    pub(super) fn examine_aside(self: &Arc<Self>, path: PathBuf) -> Option<JoinHandle<()>> {
        let catalog = Arc::clone(self);
        let name = path.clone();
        let work = move || {
            let _turn = catalog.turns.take();
            // A file that changes meanwhile is looked at again at once.
            while catalog.settle(&path) {}
            lock(&catalog.at_work).remove(&path);
        };
        let spawned = std::thread::Builder::new().name("examination".to_owned()).spawn(work);
        let spawned = spawned.inspect_err(|error| tracing::warn!("no thread to examine `{}`: {error}", name.display()));
        spawned.inspect_err(|_| _ = lock(&self.at_work).remove(&name)).ok()
    }

    /// Finds out about one file; whether it has changed since.
    fn settle(&self, path: &Path) -> bool {
        let stamp = Stamp::of(path).ok();
        match self.examine(path).and_then(|()| self.try_current(path)) {
            Ok(()) => self.waiting.leave(path),
            Err(state) => {
                self.postpone(path, stamp, &state);
                self.waiting.enter(path, stamp, state);
            }
        }
        self.publish_soon();
        // One that is being written is looked at again at the next look, not at once and without end.
        let is_pending = self.waiting.state(path) == Some(State::Pending);
        !is_pending && stamp.is_some() && Stamp::of(path).is_ok_and(|now| Some(now) != stamp)
    }

    /// Copies, checks and tries one file, and writes down what came of it.
    ///
    /// # Errors
    /// What it is in for now, where that is no verdict.
    fn examine(&self, path: &Path) -> Result<(), State> {
        let copy = self.store.copy(path).map_err(|error| match error.kind() {
            io::ErrorKind::ResourceBusy | io::ErrorKind::NotFound => State::Pending,
            _ => State::Refused { reason: format!("cannot be read or copied: {error}") },
        })?;
        let (stamp, sha256) = (copy.stamp, copy.sha256.clone());
        let mut seen = Seen { stamp, sha256: sha256.clone(), library_dirs: Vec::new() };
        let journal = self.journal.current();
        let known = journal.verdict(&sha256, &self.host).cloned();
        let is_withdrawn = journal.slots.get(path).is_some_and(|slot| slot.withdrawn.contains_key(&sha256));
        if !self.allows(&sha256) || is_withdrawn || matches!(known, Some(Verdict::Failed { .. })) {
            return self.note(path, seen, None);
        }
        let unreadable = |error: io::Error| State::Refused { reason: format!("cannot be copied: {error}") };
        let checked = format::check(&copy.bytes().map_err(unreadable)?, path);
        seen.library_dirs = match checked {
            Ok(folders) => folders,
            Err(error) if error.may_be_on_its_way() && stamp.is_younger_than(SETTLED_AFTER) => {
                return Err(State::Pending);
            }
            Err(error) => return self.note(path, seen, Some(self.failed(&Unfit::of_library(&error.to_string())))),
        };
        let placed = self.store.place(copy, path).map_err(unreadable)?;
        let verdict = match known {
            Some(Verdict::Passed { manifest, .. }) => self.passed(*manifest, Stamp::of(&placed).ok()),
            _ => self.try_out(&placed, &seen)?,
        };
        self.note(path, seen, Some(verdict))
    }

    /// Tries what serves of a file where another build of the host has examined it.
    fn try_current(&self, path: &Path) -> Result<(), State> {
        let journal = self.journal.current();
        let Some(slot) = journal.slots.get(path) else { return Ok(()) };
        let (Some(current), Some(seen)) = (slot.generations.current(), slot.seen.clone()) else { return Ok(()) };
        let copy = self.store.path(&current.sha256, path);
        let is_known = journal.verdict(&current.sha256, &self.host).is_some();
        if is_known || !self.allows(&current.sha256) || !copy.is_file() {
            return Ok(());
        }
        let serving =
            Seen { sha256: current.sha256.clone(), library_dirs: current.library_dirs.clone(), ..seen.clone() };
        let verdict = self.try_out(&copy, &serving)?;
        let written = self.journal.update(|journal| journal.record(&serving.sha256, verdict));
        written.map_err(|error| unwritten(&error))
    }

    /// What is found of a content whose copy is kept, now or earlier.
    ///
    /// # Errors
    /// Why it may not serve, in words that fit after its name.
    pub(super) fn verdict_on(&self, path: &Path, content: &Content, journal: &Journal) -> Result<Verdict, String> {
        let copy = self.store.path(&content.sha256, path);
        if !self.allows(&content.sha256) {
            return Err("is not listed in PLUGINS_TRUSTED".to_owned());
        }
        if !copy.is_file() {
            return Err("is no longer in the store; publish it again".to_owned());
        }
        if let Some(verdict @ Verdict::Passed { .. }) = journal.verdict(&content.sha256, &self.host) {
            return Ok(verdict.clone());
        }
        let stamp = Stamp::of(&copy).ok();
        let tried = probe(&self.subject(&copy, &content.sha256, &content.library_dirs));
        tried.map(|manifest| self.passed(manifest, stamp)).map_err(|unfit| unfit.reason)
    }

    fn try_out(&self, library: &Path, seen: &Seen) -> Result<Verdict, State> {
        // Before its process hashes it, so that a change in between shows.
        let copy = Stamp::of(library).ok();
        lock(&self.tried).insert(seen.sha256.clone());
        match probe(&self.subject(library, &seen.sha256, &seen.library_dirs)) {
            Ok(manifest) => Ok(self.passed(manifest, copy)),
            // Another process has found out about the same content meanwhile; its verdict is met at the next look.
            Err(_) if !library.is_file() => Err(State::Pending),
            Err(unfit) if unfit.fault != Fault::Library => Err(State::Refused { reason: unfit.reason }),
            Err(unfit) => {
                // Another build of the host may serve it.
                if !self.journal.current().refers_to(&seen.sha256) {
                    self.store.remove(&seen.sha256);
                }
                Ok(self.failed(&unfit))
            }
        }
    }

    fn passed(&self, manifest: Manifest, copy: Option<Stamp>) -> Verdict {
        Verdict::Passed { host: self.host.clone(), manifest: Box::new(manifest), copy }
    }

    fn failed(&self, unfit: &Unfit) -> Verdict {
        Verdict::Failed { host: self.host.clone(), reason: unfit.reason.clone() }
    }

    fn subject(&self, library: &Path, sha256: &str, library_dirs: &[PathBuf]) -> Subject {
        let name = library.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let (library, sha256, library_dirs) = (library.to_owned(), sha256.to_owned(), self.trusted_dirs(library_dirs));
        Subject { name, library, sha256, library_dirs, limits: self.config.limits }
    }

    /// Writes down that a file could not be examined, so that a restart does not wait for it.
    fn postpone(&self, path: &Path, stamp: Option<Stamp>, state: &State) {
        let (Some(stamp), Some(reason)) = (stamp, state.reason()) else { return };
        let postponed = Some(Postponed { stamp, reason: reason.to_owned() });
        let written =
            self.journal.update(|journal| journal.slots.entry(path.to_owned()).or_default().postponed = postponed);
        if let Err(error) = written {
            tracing::warn!("the journal of plugins cannot be written: {error}");
        }
    }

    /// Writes down what a file holds and what came of it; a content that passed is its next generation.
    fn note(&self, path: &Path, seen: Seen, verdict: Option<Verdict>) -> Result<(), State> {
        let written = self.journal.update(|journal| {
            let content = match &verdict {
                Some(Verdict::Passed { manifest, .. }) => {
                    let (sha256, library_dirs) = (seen.sha256.clone(), seen.library_dirs.clone());
                    Some(Content { sha256, version: manifest.version.clone(), library_dirs })
                }
                _ => None,
            };
            if let Some(verdict) = verdict {
                journal.record(&seen.sha256, verdict);
            }
            let slot = journal.slots.entry(path.to_owned()).or_default();
            slot.seen = Some(seen);
            slot.postponed = None;
            if let Some(content) = content {
                slot.generations.publish(content, &now());
            }
        });
        written.map_err(|error| unwritten(&error))
    }
}

fn unwritten(error: &io::Error) -> State {
    State::Refused { reason: format!("what came of its examination cannot be kept: {error}") }
}
