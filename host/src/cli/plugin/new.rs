//! `oculus-host plugin new`: writes the crate of a new model family.
//!
//! In: a name. Out: a folder with a renamed copy of the example family and with the source of the
//! plugin API. Thus the crate builds without a checkout of this project. Invariant: the folder is
//! complete or absent, and existing files are not changed.

use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{fs, io};

use anyhow::{Context, bail};
use oculus_system::files::create_folder_durably;

use crate::cli::stdout::print_output;

/// Paths and contents of the template files. The contents use the names of the example family.
const TEMPLATE: [(&str, &str); 5] = [
    ("Cargo.toml", include_str!("../../../../examples/logistic/Cargo.toml")),
    ("src/lib.rs", include_str!("../../../../examples/logistic/src/lib.rs")),
    ("tests/family.rs", include_str!("../../../../examples/logistic/tests/logistic.rs")),
    ("README.md", include_str!("new/README.md")),
    (".gitignore", "/target\n"),
];

/// Paths and contents of the plugin API's source files, which `build.rs` collects.
const API: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/plugin_api.rs"));

/// Licence files of the plugin API.
const LICENCES: [(&str, &str); 2] = [
    ("LICENSE-APACHE", include_str!("../../../../LICENSE-APACHE")),
    ("LICENSE-MIT", include_str!("../../../../LICENSE-MIT")),
];

/// Folder of the plugin API within the new crate.
const API_FOLDER: &str = "oculus-plugin-api";

/// Create a crate for a new model family
///
/// The crate contains a working logistic regression, tests, a README and the source of the plugin
/// API. It can be built, checked and published without further changes.
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = "Example:\n  oculus-host plugin new my-model")]
pub(crate) struct PluginNewArgs {
    /// Id of the family: lower-case letters, digits and hyphens, such as my-model
    #[arg(value_name = "NAME", value_parser = family_name)]
    pub name: FamilyName,
    /// Folder to create the crate's folder in [default: the current folder]
    #[arg(long = "in", value_name = "DIR", default_value = ".", hide_default_value = true)]
    pub folder: PathBuf,
}

/// A name that is valid as a plugin id, a crate name and, in camel case, a Rust type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FamilyName(String);

/// Parses the name of a family.
///
/// # Errors
/// Returns a message that states the allowed names.
fn family_name(text: &str) -> Result<FamilyName, String> {
    let is_allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let is_malformed = text.ends_with('-') || text.contains("--") || text.len() > MAX_NAME_LENGTH;
    if is_malformed || !text.starts_with(|c: char| c.is_ascii_lowercase()) || !text.chars().all(is_allowed) {
        return Err(format!(
            "expected a letter and then lower-case letters, digits and single hyphens, at most {MAX_NAME_LENGTH} characters, such as my-model"
        ));
    }
    // The new crate would be called `oculus-plugin-api`, like the plugin API that it depends on.
    if text == "api" {
        return Err("this name is taken by the crate of the plugin API; choose another, such as my-api".to_owned());
    }
    Ok(FamilyName(text.to_owned()))
}

/// Maximum length of a name in characters.
const MAX_NAME_LENGTH: usize = 64;

impl FamilyName {
    /// Returns the name of the crate, in the same form as the names of this project's plugin
    /// crates.
    fn package(&self) -> String {
        format!("oculus-plugin-{}", self.0)
    }

    /// Returns the prefix of the family's parameters in a job.
    fn prefix(&self) -> String {
        format!("{}_", self.0.replace('-', "_"))
    }

    /// Returns the name of the family's Rust type.
    fn family(&self) -> String {
        let parts = self.0.split('-').map(|part| part[..1].to_uppercase() + &part[1..]);
        let mut family: String = parts.collect();
        let words = || TEMPLATE.iter().flat_map(|(_, text)| text.split(|c: char| !c.is_alphanumeric() && c != '_'));
        // A name such as `Vec` or `Model` would shadow a type that the example uses.
        while words().any(|word| word == family) {
            family += "Family";
        }
        family
    }

    /// Returns the file name of the library that cargo builds.
    fn library(&self) -> String {
        format!("{DLL_PREFIX}{}{DLL_SUFFIX}", self.package().replace('-', "_"))
    }

    /// Replaces the names of the example in a text by the names of this family.
    fn apply_to(&self, text: &str) -> String {
        let replacements = [
            ("../../plugin-api", API_FOLDER),
            ("oculus-plugin-logistic", &self.package()),
            ("oculus_plugin_logistic", &self.package().replace('-', "_")),
            ("\"logistic\"", &format!("{:?}", self.0)),
            ("\"logistic_", &format!("\"{}", self.prefix())),
            ("Logistic", &self.family()),
            ("LIBRARY", &self.library()),
            ("PREFIX", &self.prefix()),
            ("NAME", &self.0),
        ];
        let rename = |text: &str| replacements.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to));
        // The new crate still implements logistic regression, so the name of the method is not
        // replaced.
        text.split(METHOD).map(rename).collect::<Vec<_>>().join(METHOD)
    }
}

/// Name of the method that the example implements.
const METHOD: &str = "Logistic regression";

/// Writes the crate and prints the next step.
///
/// # Errors
/// Returns an error if a file or folder of that name exists or the crate cannot be written.
pub(super) fn run(args: &PluginNewArgs) -> anyhow::Result<ExitCode> {
    let PluginNewArgs { name, folder } = args;
    let crate_folder = folder.join(&name.0);
    let path = crate_folder.strip_prefix(".").unwrap_or(&crate_folder).display();
    // Links are not followed, because a dangling link must not be replaced either.
    if crate_folder.symlink_metadata().is_ok() {
        bail!("{path} already exists; choose another name, or another folder with --in");
    }
    write(name, &crate_folder).with_context(|| format!("cannot write {path}"))?;
    let library = name.library();
    print_output(&format!(
        "created {path}: a model family of {} lines, with tests, README and the source of the plugin API\n\
         next: cd {path} && cargo build --release && oculus-host plugin check target/release/{library}",
        TEMPLATE[1].1.lines().count()
    ))?;
    Ok(ExitCode::SUCCESS)
}

/// Writes all files of the crate. If a file cannot be written, the folder is not created.
fn write(name: &FamilyName, crate_folder: &Path) -> io::Result<()> {
    create_folder_durably(crate_folder, |folder| {
        for (file, text) in TEMPLATE {
            write_file(&folder.join(file), &name.apply_to(text))?;
        }
        for (file, text) in API.iter().chain(&LICENCES) {
            write_file(&folder.join(API_FOLDER).join(file), text)?;
        }
        Ok(())
    })
}

fn write_file(path: &Path, text: &str) -> io::Result<()> {
    fs::create_dir_all(path.parent().unwrap_or(Path::new(".")))?;
    fs::write(path, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new_crate(text: &str) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let args = PluginNewArgs { name: family_name(text).unwrap(), folder: folder.path().to_owned() };
        run(&args).unwrap();
        let crate_folder = folder.path().join(text);
        (folder, crate_folder)
    }

    #[test]
    fn only_names_valid_for_plugin_crate_and_type_are_accepted() {
        for good in ["knn", "my-model", "x2", "gradient-boosting-3"] {
            assert_eq!(family_name(good), Ok(FamilyName(good.to_owned())));
        }
        for bad in ["", "My-Model", "my_model", "-a", "a-", "a--b", "2x", "a/b", "..", "modèle", "api", &"a".repeat(65)]
        {
            assert!(family_name(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_type_is_named_after_the_family_and_shadows_no_other_type() {
        let family = |text: &str| family_name(text).unwrap().family();
        assert_eq!([family("my-model"), family("knn"), family("x-2-y")], ["MyModel", "Knn", "X2Y"]);
        assert_eq!([family("model"), family("vec"), family("self")], ["ModelFamily", "VecFamily", "SelfFamily"]);
    }

    #[test]
    fn the_names_of_the_example_and_all_placeholders_are_replaced() {
        let (_folder, crate_folder) = new_crate("my-model");
        for (file, _) in TEMPLATE {
            let text = fs::read_to_string(crate_folder.join(file)).unwrap();
            assert!(!text.replace("ogistic regression", "").contains("ogistic"), "{file}: {text}");
            assert!(!["NAME", "LIBRARY", "PREFIX"].iter().any(|word| text.contains(word)), "{file}: {text}");
        }
    }

    #[test]
    fn an_existing_folder_is_an_error_and_is_not_changed() {
        let (folder, crate_folder) = new_crate("my-model");
        fs::write(crate_folder.join("src/lib.rs"), "mine").unwrap();
        let again = PluginNewArgs { name: family_name("my-model").unwrap(), folder: folder.path().to_owned() };
        let refusal = run(&again).unwrap_err().to_string();
        assert!(refusal.contains("my-model already exists; choose another name"), "{refusal}");
        assert_eq!(fs::read_to_string(crate_folder.join("src/lib.rs")).unwrap(), "mine");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary folder remains");
    }

    #[test]
    fn a_missing_parent_folder_is_an_error_with_its_path() {
        let args = PluginNewArgs { name: family_name("my-model").unwrap(), folder: PathBuf::from("/nowhere") };
        assert_eq!(run(&args).unwrap_err().to_string(), "cannot write /nowhere/my-model");
    }
}
