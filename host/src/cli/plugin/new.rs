//! `oculus-host plugin new`: writes the crate of a new model family, which builds without a checkout of this project.
//!
//! In: a name. Out: a folder with the example family under that name, and with the source of the plugin API.
//! Invariant: the folder is complete or absent, and nothing that existed before is changed.

use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{fs, io};

use anyhow::{Context, bail};
use oculus_system::files::create_folder_durably;

use crate::cli::stdout::print_answer;

/// The files of a new family: their paths, and their texts with the names of the example.
const TEMPLATE: [(&str, &str); 5] = [
    ("Cargo.toml", include_str!("../../../../examples/logistic/Cargo.toml")),
    ("src/lib.rs", include_str!("../../../../examples/logistic/src/lib.rs")),
    ("tests/family.rs", include_str!("../../../../examples/logistic/tests/logistic.rs")),
    ("README.md", include_str!("new/README.md")),
    (".gitignore", "/target\n"),
];

/// The source of the plugin API.
const API: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/plugin_api.rs"));

/// The licences of the plugin API.
const LICENCES: [(&str, &str); 2] = [
    ("LICENSE-APACHE", include_str!("../../../../LICENSE-APACHE")),
    ("LICENSE-MIT", include_str!("../../../../LICENSE-MIT")),
];

/// The folder of the API's source, in the folder of the crate.
const API_FOLDER: &str = "oculus-plugin-api";

/// Write the crate of a new model family, ready to be built, checked and published
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = "Example:\n  oculus-host plugin new my-model")]
pub(crate) struct PluginNewArgs {
    /// Its id: lower-case letters, digits and `-`, such as `my-model`
    #[arg(value_name = "NAME", value_parser = name)]
    pub name: Name,
    /// The folder in which its folder is created; by default the current one
    #[arg(long = "in", value_name = "DIR", default_value = ".", hide_default_value = true)]
    pub folder: PathBuf,
}

/// A name that a plugin, a crate and a Rust type can have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Name(String);

/// Parses a name.
///
/// # Errors
/// The rule of names, as a text for the command line.
fn name(text: &str) -> Result<Name, String> {
    let is_allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let is_odd = text.ends_with('-') || text.contains("--") || text.len() > LONGEST_NAME;
    if is_odd || !text.starts_with(|c: char| c.is_ascii_lowercase()) || !text.chars().all(is_allowed) {
        return Err(format!(
            "needed a letter and then lower-case letters, digits and single `-`, at most {LONGEST_NAME}: such as my-model"
        ));
    }
    if text == "api" {
        return Err("this is the name of the plugin API's own crate; choose another, such as my-api".to_owned());
    }
    Ok(Name(text.to_owned()))
}

const LONGEST_NAME: usize = 64;

impl Name {
    /// Returns the crate's name, in the pattern of this project's own plugins.
    fn package(&self) -> String {
        format!("oculus-plugin-{}", self.0)
    }

    /// Returns the prefix of its parameters in a job.
    fn prefix(&self) -> String {
        format!("{}_", self.0.replace('-', "_"))
    }

    /// Returns the name of the family's type, which differs from every word of the example.
    fn family(&self) -> String {
        let parts = self.0.split('-').map(|part| part[..1].to_uppercase() + &part[1..]);
        let mut family: String = parts.collect();
        let words = || TEMPLATE.iter().flat_map(|(_, text)| text.split(|c: char| !c.is_alphanumeric() && c != '_'));
        while words().any(|word| word == family) {
            family += "Family";
        }
        family
    }

    /// Returns the name of the library that cargo builds.
    fn library(&self) -> String {
        format!("{DLL_PREFIX}{}{DLL_SUFFIX}", self.package().replace('-', "_"))
    }

    /// Returns the example's text with this name. The name of its method stays.
    fn put_into(&self, text: &str) -> String {
        let renamed = [
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
        let rename = |text: &str| renamed.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to));
        text.split(METHOD).map(rename).collect::<Vec<_>>().join(METHOD)
    }
}

/// The method of the example.
const METHOD: &str = "Logistic regression";

/// Writes the crate and prints the next steps.
///
/// # Errors
/// A file or folder of that name exists, or the file system fails.
pub(super) fn run(args: &PluginNewArgs) -> anyhow::Result<ExitCode> {
    let PluginNewArgs { name, folder } = args;
    let crate_folder = folder.join(&name.0);
    let shown = crate_folder.strip_prefix(".").unwrap_or(&crate_folder).display();
    if crate_folder.symlink_metadata().is_ok() {
        bail!("{shown} is there already; choose another name, or another folder by --in");
    }
    write(name, &crate_folder).with_context(|| format!("{shown} cannot be written"))?;
    let library = name.library();
    print_answer(&format!(
        "{shown}: a model family of {} lines, with tests, README and the source of the plugin API\n\
         next: cd {shown} && cargo build --release && oculus-host plugin check target/release/{library}",
        TEMPLATE[1].1.lines().count()
    ))?;
    Ok(ExitCode::SUCCESS)
}

/// Writes all files of the crate; the folder is complete or absent.
fn write(name: &Name, crate_folder: &Path) -> io::Result<()> {
    create_folder_durably(crate_folder, |folder| {
        for (file, text) in TEMPLATE {
            write_file(&folder.join(file), &name.put_into(text))?;
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

    fn written(text: &str) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let args = PluginNewArgs { name: name(text).unwrap(), folder: folder.path().to_owned() };
        run(&args).unwrap();
        let crate_folder = folder.path().join(text);
        (folder, crate_folder)
    }

    #[test]
    fn only_names_that_plugin_crate_and_type_can_have_are_accepted() {
        for good in ["knn", "my-model", "x2", "gradient-boosting-3"] {
            assert_eq!(name(good), Ok(Name(good.to_owned())));
        }
        for bad in ["", "My-Model", "my_model", "-a", "a-", "a--b", "2x", "a/b", "..", "modèle", "api", &"a".repeat(65)]
        {
            assert!(name(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_family_is_called_by_its_name_and_shadows_nothing() {
        let family = |text: &str| name(text).unwrap().family();
        assert_eq!([family("my-model"), family("knn"), family("x-2-y")], ["MyModel", "Knn", "X2Y"]);
        assert_eq!([family("model"), family("vec"), family("self")], ["ModelFamily", "VecFamily", "SelfFamily"]);
    }

    #[test]
    fn nothing_of_the_examples_name_is_left() {
        let (_folder, crate_folder) = written("my-model");
        for (file, _) in TEMPLATE {
            let text = fs::read_to_string(crate_folder.join(file)).unwrap();
            assert!(!text.replace("ogistic regression", "").contains("ogistic"), "{file}: {text}");
            assert!(!["NAME", "LIBRARY", "PREFIX"].iter().any(|word| text.contains(word)), "{file}: {text}");
        }
    }

    #[test]
    fn an_existing_folder_is_not_changed() {
        let (folder, crate_folder) = written("my-model");
        fs::write(crate_folder.join("src/lib.rs"), "mine").unwrap();
        let again = PluginNewArgs { name: name("my-model").unwrap(), folder: folder.path().to_owned() };
        let refusal = run(&again).unwrap_err().to_string();
        assert!(refusal.contains("my-model is there already; choose another name"), "{refusal}");
        assert_eq!(fs::read_to_string(crate_folder.join("src/lib.rs")).unwrap(), "mine");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left aside");
    }

    #[test]
    fn a_missing_parent_folder_is_an_error_with_its_path() {
        let args = PluginNewArgs { name: name("my-model").unwrap(), folder: PathBuf::from("/nowhere") };
        assert_eq!(run(&args).unwrap_err().to_string(), "/nowhere/my-model cannot be written");
    }
}
