//! From the journal to a snapshot: what each file holds, what serves of it, and why its content does not.

use std::path::{Path, PathBuf};

use oculus_plugin_api::Manifest;

use super::Catalog;
use super::generations::Generation;
use super::journal::{Journal, Verdict};
use super::snapshot::{Entry, State};
use crate::InstalledPlugin;
use crate::config::Trust;
use crate::stamp::Stamp;

impl Catalog {
    /// A content that has served and may serve, also one that was published over since.
    pub fn kept(&self, sha256: &str) -> Option<InstalledPlugin> {
        let journal = self.journal.current();
        let manifest = journal.manifest(sha256, &self.host).filter(|_| self.allows(sha256))?;
        let (source, generation) = journal.slots.iter().find_map(|(path, slot)| {
            let mut all = slot.generations.all().iter().rev();
            Some((path, all.find(|generation| generation.sha256 == sha256)?))
        })?;
        let path = self.store.path(sha256, source);
        let mut plugin =
            path.is_file().then(|| installed(source, path, (generation, journal.copy(sha256)), manifest))?;
        plugin.library_dirs = self.trusted_dirs(&plugin.library_dirs);
        Some(plugin)
    }

    /// The folders that shared libraries may come from: where only listed libraries are opened, none of the plugins folder,
    /// whose other files nobody has listed.
    pub(super) fn trusted_dirs(&self, dirs: &[PathBuf]) -> Vec<PathBuf> {
        let Trust::Listed(_) = self.config.trust else { return dirs.to_vec() };
        let Ok(published) = self.config.dir.canonicalize() else { return Vec::new() };
        let outside = dirs.iter().filter_map(|dir| dir.canonicalize().ok()).filter(|dir| !dir.starts_with(&published));
        outside.collect()
    }

    pub(super) fn entry(&self, path: &Path, journal: &Journal) -> Entry {
        let slot = journal.slots.get(path).cloned().unwrap_or_default();
        let seen = slot.seen.filter(|seen| Stamp::of(path).is_ok_and(|stamp| stamp == seen.stamp));
        let plugin = slot.generations.current().and_then(|current| {
            let library = self.store.path(&current.sha256, path);
            let serves = self.allows(&current.sha256) && library.is_file();
            let manifest = journal.manifest(&current.sha256, &self.host).filter(|_| serves)?;
            let mut plugin = installed(path, library, (current, journal.copy(&current.sha256)), manifest);
            plugin.library_dirs = self.trusted_dirs(&plugin.library_dirs);
            Some(plugin)
        });
        let sha256 = seen.map(|seen| seen.sha256);
        let state = self.state(path, sha256.as_deref(), plugin.as_ref(), journal);
        Entry { path: path.to_owned(), sha256, plugin, state, generations: slot.generations }
    }

    fn state(&self, path: &Path, sha256: Option<&str>, plugin: Option<&InstalledPlugin>, journal: &Journal) -> State {
        if let Some(waiting) = self.waiting.state(path) {
            return waiting;
        }
        let Some(sha256) = sha256 else {
            let slot = journal.slots.get(path).zip(Stamp::of(path).ok());
            let postponed = slot.and_then(|(slot, stamp)| slot.postponed(stamp));
            return postponed.map_or(State::Pending, |reason| State::Refused { reason: reason.to_owned() });
        };
        if !self.allows(sha256) {
            let reason =
                format!("is not listed in PLUGINS_TRUSTED; to trust it, add the line\n{sha256}  {}", path.display());
            return State::Refused { reason };
        }
        if let Some(reason) = journal.slots.get(path).and_then(|slot| slot.withdrawn.get(sha256)) {
            return State::Quarantined { reason: reason.clone() };
        }
        match journal.verdict(sha256, &self.host) {
            Some(Verdict::Failed { reason, .. }) => State::Quarantined { reason: reason.clone() },
            Some(Verdict::Passed { .. }) if plugin.is_some_and(|plugin| plugin.sha256 == sha256) => State::Serves,
            Some(Verdict::Passed { .. }) | None => State::Pending,
        }
    }
}

/// * `served`: the generation, and the stamp of its copy.
fn installed(
    source: &Path,
    path: PathBuf,
    served: (&Generation, Option<Stamp>),
    manifest: &Manifest,
) -> InstalledPlugin {
    let (generation, stamp) = served;
    InstalledPlugin {
        source: source.to_owned(),
        path,
        sha256: generation.sha256.clone(),
        stamp,
        generation: generation.number,
        library_dirs: generation.library_dirs.clone(),
        manifest: manifest.clone(),
    }
}
