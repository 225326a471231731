//! `oculus-host plugin new`: writes the crate of a new model family or rule extractor.
//!
//! In: a name, and an example ([`example`]). Out: a folder with a renamed copy of the example and with
//! the source of the plugin API. Thus the crate builds without a checkout of this project. Invariant: the folder is
//! complete or absent, and existing files are not changed.

use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{fs, io};

use anyhow::{Context, bail};
use oculus_system::files::create_folder_durably;

use self::example::{Example, ExampleName};
use crate::cli::stdout::print_output;

mod example;

/// Paths and contents of the plugin API's source files, which `build.rs` collects.
const API: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/plugin_api.rs"));

/// Licence files of the plugin API.
const LICENCES: [(&str, &str); 2] = [
    ("LICENSE-APACHE", include_str!("../../../../LICENSE-APACHE")),
    ("LICENSE-MIT", include_str!("../../../../LICENSE-MIT")),
];

/// Folder of the plugin API within the new crate.
const API_FOLDER: &str = "oculus-plugin-api";

/// Create a crate for a new model family or rule extractor
///
/// The crate contains a working example, tests, a README and the source of the plugin API. It can be
/// built, checked and published without further changes.
#[derive(clap::Args, Clone, Debug)]
#[command(
    after_help = "Examples:\n  oculus-host plugin new my-model\n  oculus-host plugin new my-rules --example extractor"
)]
pub(crate) struct PluginNewArgs {
    /// Id of the plugin: lower-case letters, digits and hyphens, such as my-model
    #[arg(value_name = "NAME", value_parser = family_name)]
    pub name: FamilyName,
    /// Example to start from
    #[arg(long, value_name = "EXAMPLE", value_enum, default_value_t = ExampleName::Logistic)]
    pub example: ExampleName,
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

    /// Returns the name of the plugin's Rust type.
    fn family(&self, example: &Example) -> String {
        let parts = self.0.split('-').map(|part| part[..1].to_uppercase() + &part[1..]);
        let mut family: String = parts.collect();
        let files = example.files();
        let words = || files.iter().flat_map(|(_, text)| text.split(|c: char| !c.is_alphanumeric() && c != '_'));
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

    /// Replaces the names of the example in a text by the names of this plugin.
    fn apply_to(&self, text: &str, example: &Example) -> String {
        let Example { id, type_name, method, description, selection, .. } = example;
        let replacements = [
            // The texts of the README come first, because they contain placeholders themselves.
            ("DESCRIPTION".to_owned(), (*description).to_owned()),
            ("SELECTION\n".to_owned(), (*selection).to_owned()),
            ("../../plugin-api".to_owned(), API_FOLDER.to_owned()),
            (format!("oculus-plugin-{id}"), self.package()),
            (format!("oculus_plugin_{id}"), self.package().replace('-', "_")),
            (format!("\"{id}\""), format!("{:?}", self.0)),
            (format!("\"{id}_"), format!("\"{}", self.prefix())),
            (format!("\"mine_{id}\""), format!("\"{}\"", self.mining_flag())),
            ((*type_name).to_owned(), self.family(example)),
            ("LIBRARY".to_owned(), self.library()),
            ("PREFIX".to_owned(), self.prefix()),
            ("FLAG".to_owned(), self.mining_flag()),
            ("NAME".to_owned(), self.0.clone()),
        ];
        let rename = |text: &str| replacements.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to));
        // The new crate still implements the example's method, so the name of the method is not
        // replaced.
        text.split(method).map(rename).collect::<Vec<_>>().join(method)
    }

    /// Returns the flag that selects the plugin if it is a rule extractor.
    fn mining_flag(&self) -> String {
        format!("mine_{}", self.0.replace('-', "_"))
    }
}

/// Writes the crate and prints the next step.
///
/// # Errors
/// Returns an error if a file or folder of that name exists or the crate cannot be written.
pub(super) fn run(args: &PluginNewArgs) -> anyhow::Result<ExitCode> {
    let PluginNewArgs { name, example, folder } = args;
    let example = example.example();
    let crate_folder = folder.join(&name.0);
    let path = crate_folder.strip_prefix(".").unwrap_or(&crate_folder).display();
    // Links are not followed, because a dangling link must not be replaced either.
    if crate_folder.symlink_metadata().is_ok() {
        bail!("{path} already exists; choose another name, or another folder with --in");
    }
    write(name, &example, &crate_folder).with_context(|| format!("cannot write {path}"))?;
    let library = name.library();
    print_output(&format!(
        "created {path}: a {} of {} lines, with tests, README and the source of the plugin API\n\
         next: cd {path} && cargo build --release && oculus-host plugin check target/release/{library}",
        example.kind,
        example.source.lines().count()
    ))?;
    Ok(ExitCode::SUCCESS)
}

/// Writes all files of the crate. If a file cannot be written, the folder is not created.
fn write(name: &FamilyName, example: &Example, crate_folder: &Path) -> io::Result<()> {
    create_folder_durably(crate_folder, |folder| {
        for (file, text) in example.files() {
            write_file(&folder.join(file), &name.apply_to(text, example))?;
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

    fn new_args(text: &str, example: ExampleName, folder: &Path) -> PluginNewArgs {
        PluginNewArgs { name: family_name(text).unwrap(), example, folder: folder.to_owned() }
    }

    fn new_crate(text: &str, example: ExampleName) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let args = new_args(text, example, folder.path());
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
        let logistic = ExampleName::Logistic.example();
        let family = |text: &str| family_name(text).unwrap().family(&logistic);
        assert_eq!([family("my-model"), family("knn"), family("x-2-y")], ["MyModel", "Knn", "X2Y"]);
        assert_eq!([family("model"), family("vec"), family("self")], ["ModelFamily", "VecFamily", "SelfFamily"]);
    }

    #[test]
    fn the_names_of_the_example_and_all_placeholders_are_replaced() {
        for name in [ExampleName::Logistic, ExampleName::Knn, ExampleName::Extractor] {
            let (_folder, crate_folder) = new_crate("my-model", name);
            let Example { id, type_name, method, .. } = name.example();
            for (file, _) in name.example().files() {
                let text = fs::read_to_string(crate_folder.join(file)).unwrap().replace(method, "");
                let names =
                    [format!("plugin-{id}"), format!("plugin_{id}"), format!("\"{id}"), format!("{type_name} ")];
                let found = names.iter().find(|name| text.contains(*name));
                assert_eq!(found, None, "{file}: {text}");
                let placeholders = ["NAME", "LIBRARY", "PREFIX", "FLAG", "DESCRIPTION", "SELECTION"];
                assert!(!placeholders.iter().any(|word| text.contains(word)), "{file}: {text}");
            }
        }
    }

    #[test]
    fn an_existing_folder_is_an_error_and_is_not_changed() {
        let (folder, crate_folder) = new_crate("my-model", ExampleName::Logistic);
        fs::write(crate_folder.join("src/lib.rs"), "mine").unwrap();
        let again = new_args("my-model", ExampleName::Knn, folder.path());
        let refusal = run(&again).unwrap_err().to_string();
        assert!(refusal.contains("my-model already exists; choose another name"), "{refusal}");
        assert_eq!(fs::read_to_string(crate_folder.join("src/lib.rs")).unwrap(), "mine");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary folder remains");
    }

    #[test]
    fn a_missing_parent_folder_is_an_error_with_its_path() {
        let args = new_args("my-model", ExampleName::Logistic, Path::new("/nowhere"));
        assert_eq!(run(&args).unwrap_err().to_string(), "cannot write /nowhere/my-model");
    }
}
