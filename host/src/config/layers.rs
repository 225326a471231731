//! Reads the sources of settings in their order of precedence: flags, environment, `--config FILE`,
//! `./.env`.

use std::collections::HashMap;
use std::path::Path;

use super::flags::ConfigFlags;
use super::{files, variables};

/// An unparsed value and its source.
#[derive(Clone, Debug)]
pub(super) struct RawValue {
    /// The text of the value, without surrounding spaces.
    pub text: String,
    /// The source of the value, such as `environment` or `file /etc/oculus.env`.
    pub origin: String,
}

/// The value of each variable that is set, from the source with the highest precedence.
#[derive(Debug, Default)]
pub(super) struct Layers {
    values: HashMap<&'static str, RawValue>,
}

/// The result of reading all sources.
pub(super) struct GatheredSettings {
    /// The values.
    pub layers: Layers,
    /// One sentence per source that cannot be read.
    pub problems: Vec<String>,
    /// One sentence per name that is probably misspelt.
    pub warnings: Vec<String>,
}

impl Layers {
    /// Reads all sources.
    pub(super) fn gather(
        flags: &ConfigFlags,
        environment: &HashMap<String, String>,
        folder: &Path,
    ) -> GatheredSettings {
        let mut layers = Self::default();
        let mut problems = Vec::new();
        let mut warnings = Vec::new();
        layers.add_flags(flags);
        for (name, value) in environment {
            layers.add(name, value, "environment");
        }
        let named = flags.config.as_ref().map(|path| folder.join(path));
        // A file that the user names must exist; `.env` is optional.
        let implied = Some(folder.join(".env")).filter(|path| path.is_file() && named.as_ref() != Some(path));
        for path in named.into_iter().chain(implied) {
            match files::read(&path) {
                Ok(pairs) => layers.add_file(&path, pairs, &mut warnings),
                Err(problem) => problems.push(problem),
            }
        }
        GatheredSettings { layers, problems, warnings }
    }

    /// Returns the value of a variable. An empty value is treated as unset.
    pub(super) fn get(&self, name: &str) -> Option<&RawValue> {
        self.values.get(name)
    }

    /// Adds the flags that are set.
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

    /// Adds the variables of a file, and a warning for each name that is probably misspelt. The
    /// environment is not checked for misspelt names, because most of its variables belong to other
    /// programs.
    fn add_file(&mut self, path: &Path, pairs: Vec<(String, String)>, warnings: &mut Vec<String>) {
        let origin = format!("file {}", path.display());
        // `add` keeps the first value of a variable, so an earlier source takes precedence. Within
        // a file, the last line must take precedence, as in a shell, so the lines are added in
        // reverse.
        for (name, value) in pairs.iter().rev() {
            self.add(name, value, &origin);
            if let Some(near) = misspelt(name) {
                warnings.push(format!("{origin}: unknown variable {name} is ignored; did you mean {near}?"));
            }
        }
    }

    /// Adds the value of a known variable, unless it is empty or the variable already has a value.
    fn add(&mut self, name: &str, value: &str, origin: &str) {
        let value = value.trim();
        if let Some(variable) = variables::find(name).filter(|_| !value.is_empty()) {
            let raw = || RawValue { text: value.to_owned(), origin: origin.to_owned() };
            self.values.entry(variable.name).or_insert_with(raw);
        }
    }
}

/// Returns the variable that an unknown name probably stands for.
fn misspelt(name: &str) -> Option<&'static str> {
    if variables::find(name).is_some() {
        return None;
    }
    // A name with an omitted, doubled or swapped letter is at most two edits away from the right
    // one.
    let distance = |known: &str| strsim::damerau_levenshtein(&name.to_uppercase(), known);
    variables::VARIABLES
        .iter()
        .map(|variable| variable.name)
        .filter(|known| distance(known) <= 2)
        .min_by_key(|known| distance(known))
}
