//! Lists the source files of the plugin API, which `oculus-host plugin new` writes into the crate of a new plugin.
//!
//! Out: `plugin_api.rs`, an expression of type `&[(&str, &str)]`: the path in the crate's folder, and the text.

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
    // A file that is added changes its folder.
    println!("cargo::rerun-if-changed={}", api.join("src").display());
    fs::write(Path::new(&env::var("OUT_DIR")?).join("plugin_api.rs"), list + "]\n")?;
    Ok(())
}

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
