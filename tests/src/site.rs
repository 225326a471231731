//! A plugins folder and its state folder for one test. Both folders are separate from the folders
//! of workers, so that several workers can use them.

use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;

use crate::command::{self, CommandOutput};
use crate::hostile::Library;
use crate::{Redis, Worker, build};

/// A plugins folder and a state folder; removed when dropped.
pub struct Site(TempDir);

/// A published file in the output of `plugin list --json`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Name of the file.
    pub file: String,
    /// SHA-256 of the bytes.
    pub sha256: Option<String>,
    /// `active`, `pending`, `quarantined` or `refused`.
    pub state: String,
    /// The reason why the build is not active; empty if it is active.
    pub reason: String,
    /// Id, generation and SHA-256 of the active build.
    pub active: Option<(String, u64, String)>,
    /// Generations of the file, oldest first.
    pub generations: Vec<ListedGeneration>,
}

/// A generation of a published file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedGeneration {
    /// `published`, `reverted` or `rolled_back`.
    pub origin: String,
    /// SHA-256 of the bytes.
    pub sha256: String,
    /// Number of jobs that used the generation on probation, and number of these jobs in which it
    /// crashed.
    pub probation: (u64, u64),
}

impl Site {
    /// Creates empty folders.
    pub fn new() -> Self {
        let site = Self(tempfile::tempdir().unwrap());
        std::fs::create_dir(site.plugins()).unwrap();
        site
    }

    /// Returns the plugins folder.
    pub fn plugins(&self) -> PathBuf {
        self.0.path().join("plugins")
    }

    /// Returns the folder of the private store and the journal.
    pub fn state(&self) -> PathBuf {
        self.0.path().join("state")
    }

    /// Returns a path next to both folders.
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Publishes a library under a name.
    pub fn publish(&self, name: &str, library: &Library) -> PathBuf {
        library.publish(&self.plugins(), name)
    }

    /// Publishes a built plugin of the project.
    pub fn publish_built(&self, library: &str) -> PathBuf {
        self.publish(library, &Library::from_file(&build::library(library)))
    }

    /// Starts a worker with these folders.
    pub fn worker(&self, redis: &Redis, settings: &[(&str, &str)]) -> Worker {
        let plugins = self.plugins();
        let state = self.state();
        let folders = [("PLUGINS_DIR", text(&plugins)), ("PLUGINS_STATE_DIR", text(&state))];
        Worker::start(redis, &[&folders, settings].concat())
    }

    /// Runs a command with these folders.
    pub fn run(&self, arguments: &[&str], settings: &[(&str, &str)]) -> CommandOutput {
        let plugins = self.plugins();
        let state = self.state();
        let folders = [("PLUGINS_DIR", text(&plugins)), ("PLUGINS_STATE_DIR", text(&state))];
        command::run(arguments, &[&folders, settings].concat())
    }

    /// Returns the entries of `plugin list`, one per file.
    ///
    /// # Panics
    /// Panics if the command fails.
    pub fn list(&self, settings: &[(&str, &str)]) -> Vec<Listed> {
        let output = self.run(&["plugin", "list", "--json"], settings);
        assert_eq!(output.code, 0, "{output:?}");
        output.json()["plugins"].as_array().unwrap().iter().map(Listed::read).collect()
    }

    /// Returns the entry of `plugin list` for one library.
    ///
    /// # Panics
    /// Panics if there is no such entry.
    pub fn listed(&self, name: &str) -> Listed {
        let file = build::library_file(name);
        let listed = self.list(&[]);
        let found = listed.iter().find(|listed| listed.file == file);
        found.unwrap_or_else(|| panic!("no {file} in {listed:?}")).clone()
    }
}

impl Default for Site {
    fn default() -> Self {
        Self::new()
    }
}

impl Listed {
    fn read(entry: &Value) -> Self {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let active = &entry["active"];
        let active = active.is_object().then(|| {
            let id = text(&active["id"]).unwrap();
            let generation = active["generation"].as_u64().unwrap();
            (id, generation, text(&active["sha256"]).unwrap())
        });
        let generations = entry["generations"].as_array().unwrap().iter().map(|generation| ListedGeneration {
            origin: text(&generation["origin"]).unwrap(),
            sha256: text(&generation["sha256"]).unwrap(),
            probation: (generation["n_jobs"].as_u64().unwrap(), generation["n_deaths"].as_u64().unwrap()),
        });
        Self {
            file: Path::new(&text(&entry["path"]).unwrap()).file_name().unwrap().to_str().unwrap().to_owned(),
            sha256: text(&entry["sha256"]),
            state: text(&entry["state"]).unwrap(),
            reason: text(&entry["reason"]).unwrap_or_default(),
            active,
            generations: generations.collect(),
        }
    }

    /// Returns the SHA-256 of the active build.
    pub fn active_sha256(&self) -> Option<&str> {
        self.active.as_ref().map(|(_, _, sha256)| sha256.as_str())
    }

    /// Returns the number of the active generation, or 0.
    pub fn generation(&self) -> u64 {
        self.active.as_ref().map_or(0, |(_, generation, _)| *generation)
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}
