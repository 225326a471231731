//! Embeds the source files of the plugin API. `oculus-host plugin new` writes these files into the
//! crate of a new plugin.
//!
//! In: the folder `plugin-api`. Out: the file `plugin_api.rs`, which contains one expression of
//! type `&[(&str, &str)]`. Each pair contains the path of a file, relative to `plugin-api`, and the
//! text of the file.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() -> Result<(), Box<dyn Error>> {
    let api = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("../plugin-api").canonicalize()?;
    let mut files = vec![api.join("Cargo.toml")];
    sources(&api.join("src"), &mut files)?;
    let mut list = String::from("&[\n");
    for file in &files {
        println!("cargo::rerun-if-changed={}", file.display());
        list += &format!("    ({:?}, include_str!({file:?})),\n", file.strip_prefix(&api)?);
    }
    // The lines above watch only files that exist now. A new file changes the modification time of
    // its folder, so this line watches the folder.
    println!("cargo::rerun-if-changed={}", api.join("src").display());
    fs::write(Path::new(&env::var("OUT_DIR")?).join("plugin_api.rs"), list + "]\n")?;
    Ok(())
}

/// Adds the files of a folder and its subfolders to `files`, in alphabetical order, so that the
/// output does not depend on the file system.
fn sources(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), Box<dyn Error>> {
    let mut entries =
        fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>, std::io::Error>>()?;
    entries.sort();
    for entry in entries {
        if entry.is_dir() {
            sources(&entry, files)?;
        } else {
            files.push(entry);
        }
    }
    Ok(())
}
