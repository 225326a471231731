//! Builds plugins and publishes them into `<folder>/<id>/`, which a running worker may be watching.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use oculus_system::files::{Access, write_durably};

use crate::cargo;
use crate::shell::root;

/// Returns the plugins of this project: the folders of `plugins/` that are crates.
fn plugin_names() -> Result<Vec<String>> {
    let folder = root().join("plugins");
    let mut names = Vec::new();
    for entry in fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let path = entry?.path();
        // A folder without a manifest contains a published library. A crate without `cdylib` is
        // code that plugins share.
        if fs::read_to_string(path.join("Cargo.toml")).is_ok_and(|manifest| manifest.contains("cdylib")) {
            names.extend(path.file_name().map(|name| name.to_string_lossy().into_owned()));
        }
    }
    names.sort();
    Ok(names)
}

/// Builds the named plugins, or all of them, and publishes them next to their sources.
pub(crate) fn publish(names: &[String]) -> Result<()> {
    publish_into(&root().join("plugins"), names)
}

/// Builds the named plugins, or all of them, and publishes them into `folder`.
pub(crate) fn publish_into(folder: &Path, names: &[String]) -> Result<()> {
    let known = plugin_names()?;
    if let Some(unknown) = names.iter().find(|name| !known.contains(name)) {
        bail!("unknown plugin `{unknown}`; this project has: {}", known.join(", "));
    }
    cargo::build()?;
    let build_dir = cargo::build_dir()?;
    for name in if names.is_empty() { &known } else { names } {
        let file = format!("{}oculus_plugin_{name}{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
        publish_file(&build_dir.join(&file), &folder.join(name).join(&file))?;
    }
    Ok(())
}

/// Publishes one library, unless the published file has the same bytes.
fn publish_file(from: &Path, to: &Path) -> Result<()> {
    let bytes = fs::read(from).with_context(|| format!("cannot read {}", from.display()))?;
    // A worker reads and hashes a replaced file again, so an unchanged library is not written.
    if fs::read(to).is_ok_and(|old| old == bytes) {
        eprintln!("plugins: {} is up to date", to.display());
        return Ok(());
    }
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    }
    // A worker that watches the folder must never open a partial library.
    write_durably(to, &bytes, Access::Umask).with_context(|| format!("cannot publish {}", to.display()))?;
    eprintln!("plugins: published {}", to.display());
    Ok(())
}
