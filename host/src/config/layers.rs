//! Who says what: flag above environment above `--config FILE` above `./.env`.

use std::collections::HashMap;
use std::path::Path;

use super::{ConfigFlags, files, variables};

/// A value and who gave it.
#[derive(Clone, Debug)]
pub(super) struct Said {
    /// As it was written.
    pub text: String,
    /// Such as `environment` or `file /etc/oculus.env`.
    pub origin: String,
}

/// For each variable, what the highest source says.
#[derive(Debug, Default)]
pub(super) struct Layers {
    said: HashMap<&'static str, Said>,
}

impl Layers {
    /// Gathers all sources. Out: the values, what could not be read, what looks like a slip of the pen.
    pub(super) fn gather(
        flags: &ConfigFlags,
        environment: &HashMap<String, String>,
        folder: &Path,
    ) -> (Self, Vec<String>, Vec<String>) {
        let mut layers = Self::default();
        let (mut problems, mut warnings) = (Vec::new(), Vec::new());
        layers.add_flags(flags);
        for (name, value) in environment {
            layers.add(name, value, "environment");
        }
        let named = flags.config.as_ref().map(|path| folder.join(path));
        let implied = Some(folder.join(".env")).filter(|path| path.is_file() && named.as_ref() != Some(path));
        for path in named.into_iter().chain(implied) {
            match files::read(&path) {
                Ok(pairs) => layers.add_file(&path, pairs, &mut warnings),
                Err(problem) => problems.push(problem),
            }
        }
        (layers, problems, warnings)
    }

    /// What is said of a variable; empty values count as unsaid.
    pub(super) fn get(&self, name: &str) -> Option<&Said> {
        self.said.get(name)
    }

    fn add_flags(&mut self, flags: &ConfigFlags) {
        if let Some(dir) = &flags.plugins {
            self.add("PLUGINS_DIR", &dir.to_string_lossy(), "flag --plugins");
        }
        if let Some(dir) = &flags.bars {
            self.add("BARS_SOURCE", &format!("dir:{}", dir.display()), "flag --bars");
        }
        if let Some(count) = &flags.concurrency {
            self.add("WORKER_CONCURRENCY", count, "flag --concurrency");
        }
    }

    fn add_file(&mut self, path: &Path, pairs: Vec<(String, String)>, warnings: &mut Vec<String>) {
        let origin = format!("file {}", path.display());
        // Within a file the last line wins, as in a shell; between sources the first added wins.
        for (name, value) in pairs.iter().rev() {
            self.add(name, value, &origin);
            if let Some(near) = misspelt(name) {
                warnings.push(format!("{origin}: unknown variable {name} is ignored; did you mean {near}?"));
            }
        }
    }

    fn add(&mut self, name: &str, value: &str, origin: &str) {
        let value = value.trim();
        if let Some(variable) = variables::find(name).filter(|_| !value.is_empty()) {
            let said = || Said { text: value.to_owned(), origin: origin.to_owned() };
            self.said.entry(variable.name).or_insert_with(said);
        }
    }
}

/// The variable that an unknown name is probably meant to be.
fn misspelt(name: &str) -> Option<&'static str> {
    if variables::find(name).is_some() {
        return None;
    }
    let distance = |known: &str| strsim::damerau_levenshtein(&name.to_uppercase(), known);
    variables::VARIABLES
        .iter()
        .map(|variable| variable.name)
        .filter(|known| distance(known) <= 2)
        .min_by_key(|known| distance(known))
}
