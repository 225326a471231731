//! Finds the plugins of a folder and asks each who it is, in a throw-away process.
//!
//! `DIR/<id>/lib*.so` and `DIR/lib*.so` (`.dylib` on macOS) are looked at; nothing is opened in this process. In a
//! build folder of cargo only the latter: its subfolders hold what older builds left.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use oculus_plugin_api::Manifest;
use serde::{Deserialize, Serialize};

use crate::hash::sha256_hex;
use crate::pipeline::fitter::side_by_side;
use crate::plugins::InstalledPlugin;
use crate::plugins::limits::Limits;
use crate::plugins::process::{Library, PluginProcess, Start};
use crate::plugins::protocol::{Reply, Request};
use crate::plugins::stamp::Stamp;

/// A plugin that does not say who it is within this time is refused.
const DESCRIBE_LIMIT: Duration = Duration::from_secs(10);

/// What a folder holds.
#[derive(Debug, Default)]
pub struct Found {
    /// Plugins that can be used, by id.
    pub plugins: Vec<InstalledPlugin>,
    /// Libraries that cannot, and why.
    pub refused: Vec<Refused>,
}

/// A library that is no usable plugin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// The file.
    pub path: PathBuf,
    /// What was found and needed.
    pub reason: String,
}

/// Looks at every library of the folder.
///
/// # Errors
/// When the folder cannot be read. A library that cannot be used is no error: it is listed with its reason.
pub fn discover(folder: &Path) -> Result<Found> {
    let is_build_folder = folder.join(".fingerprint").is_dir();
    let mut libraries = Vec::new();
    for path in entries(folder)? {
        if path.is_dir() && !is_build_folder {
            // A folder that cannot be read holds no plugin for us.
            libraries.extend(entries(&path).unwrap_or_default().into_iter().filter(|path| is_library(path)));
        } else if is_library(&path) {
            libraries.push(path);
        }
    }
    let mut found = Found::default();
    for (path, described) in side_by_side(PROBES_AT_ONCE, &libraries, |path| (path.clone(), describe(path))) {
        match described {
            Ok(plugin) => found.plugins.push(plugin),
            Err(error) => found.refused.push(Refused { path, reason: format!("{error:#}") }),
        }
    }
    found.plugins.sort_by(|a, b| (&a.manifest.id, &a.path).cmp(&(&b.manifest.id, &b.path)));
    Ok(found)
}

const PROBES_AT_ONCE: usize = 4;

/// Asks one library who it is.
///
/// # Errors
/// Why it is no usable plugin.
pub fn describe(path: &Path) -> Result<InstalledPlugin> {
    let stamp = Stamp::of(path).ok();
    let sha256 = sha256_of(path).with_context(|| format!("`{}` cannot be read", path.display()))?;
    let path = path.canonicalize().with_context(|| format!("`{}` cannot be found", path.display()))?;
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    let library = Library { name: &name, path: &path, sha256: &sha256, stamp, dirs: &[] };
    let limits = Limits { memory_bytes: Limits::usual_memory_bytes(), silence: DESCRIBE_LIMIT };
    let process = PluginProcess::start(Start { library, table: None, gpu: None, limits, listener: Arc::new(|_| {}) })?;
    let manifest = match process.call(Request::Describe) {
        Ok(Reply::Described(json)) => json,
        Ok(Reply::Refused { message, .. }) => bail!("it cannot say who it is: {message}"),
        Ok(other) => bail!("it answered {other:?} when asked who it is"),
        Err(death) => bail!("{}", death.cause),
    };
    Ok(InstalledPlugin {
        source: path.clone(),
        path,
        sha256,
        stamp,
        generation: 1,
        library_dirs: Vec::new(),
        manifest: read(&manifest)?,
    })
}

/// A manifest that the host can work with.
fn read(json: &str) -> Result<Manifest> {
    let manifest: Manifest = serde_json::from_str(json).context("its manifest cannot be read")?;
    match manifest.check() {
        Ok(()) => Ok(manifest),
        Err(problems) => bail!("its manifest makes no sense: {}", problems.join("; ")),
    }
}

/// SHA-256 of a file's bytes, as hex.
///
/// # Errors
/// The file system's own.
pub fn sha256_of(path: &Path) -> io::Result<String> {
    Ok(sha256_hex(&fs::read(path)?))
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let read = fs::read_dir(folder).and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect());
    let mut paths: Vec<PathBuf> = read.with_context(|| {
        format!(
            "plugins folder `{}` cannot be read; publish plugins there or name another by --plugins",
            folder.display()
        )
    })?;
    paths.sort();
    Ok(paths)
}

fn is_library(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with("lib") && name.ends_with(std::env::consts::DLL_SUFFIX) && path.is_file()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use oculus_plugin_api::Param;

    use super::*;

    #[test]
    fn a_manifest_that_makes_no_sense_is_refused_with_all_reasons() {
        let sound = Manifest::new("third-party", "1.0.0").param(Param::float("rate", 0.5).range(0, 1));
        assert_eq!(read(&serde_json::to_string(&sound).unwrap()).unwrap(), sound);
        let broken = sound.param(Param::choice("kind", "a", [])).rounds_param("rate");
        let refusal = read(&serde_json::to_string(&broken).unwrap()).unwrap_err().to_string();
        let reasons = "kind: no choices, needed at least one; rounds_param rate: needed a whole number";
        assert!(refusal.starts_with(&format!("its manifest makes no sense: {reasons}")), "{refusal}");
    }
}
