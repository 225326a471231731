//! Builds plugins and publishes them into `<folder>/<id>/`, where a running worker may be reading.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::cargo;
use crate::shell::root;

/// The plugins of this project: folders of `plugins/` that are crates.
fn known() -> Result<Vec<String>> {
    let folder = root().join("plugins");
    let mut names = Vec::new();
    for entry in fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let path = entry?.path();
        if path.join("Cargo.toml").is_file() {
            names.extend(path.file_name().map(|name| name.to_string_lossy().into_owned()));
        }
    }
    names.sort();
    Ok(names)
}

/// Builds and publishes the named plugins, or all of them, beside their sources.
pub fn publish(names: &[String]) -> Result<()> {
    publish_into(&root().join("plugins"), names)
}

/// The same into another folder of plugins.
pub fn publish_into(folder: &Path, names: &[String]) -> Result<()> {
    let known = known()?;
    if let Some(unknown) = names.iter().find(|name| !known.contains(name)) {
        bail!("there is no plugin `{unknown}` in this project; there are: {}", known.join(", "));
    }
    cargo::build()?;
    let built = cargo::built()?;
    for name in if names.is_empty() { &known } else { names } {
        let file = format!("{}oculus_plugin_{name}{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
        publish_file(&built.join(&file), &folder.join(name).join(&file))?;
    }
    Ok(())
}

/// Writes beside and renames, so that nobody ever opens half a library; the same bytes are left alone.
fn publish_file(from: &Path, to: &Path) -> Result<()> {
    let bytes = fs::read(from).with_context(|| format!("cannot read {}", from.display()))?;
    if fs::read(to).is_ok_and(|old| old == bytes) {
        eprintln!("plugins: {} is up to date", to.display());
        return Ok(());
    }
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    let beside = to.with_extension("new");
    fs::write(&beside, &bytes).with_context(|| format!("cannot write {}", beside.display()))?;
    fs::rename(&beside, to).with_context(|| format!("cannot publish {}", to.display()))?;
    eprintln!("plugins: published {}", to.display());
    Ok(())
}
