//! Future versions of the plugin API: copies of the current source, changed by textual edits.
//!
//! In: a version. Out: plugins and a host of such a version, built outside the workspace. Each edit
//! inserts text after an anchor, a text that occurs once in the source. If the anchor has changed,
//! the panic message names the edit to repair.

use std::fs;
use std::path::{Path, PathBuf};

use crate::outside::{self, CHECKOUT, Compiler};

/// A change of one file of the API: `new` is inserted directly after `anchor`, which occurs exactly
/// once.
struct ApiEdit {
    file: &'static str,
    anchor: &'static str,
    new: &'static str,
}

/// The additions of a hypothetical API 1.2: a function of the module, a method of models, a service
/// of the host, and their counterparts in the SDK.
const EDITS_OF_1_2: [ApiEdit; 8] = [
    ApiEdit {
        file: "src/abi.rs",
        anchor: "    pub extension: extern \"C\" fn(RStr<'_>) -> RResult<*const (), PluginError>,\n",
        new: "    /// New in 1.2.\n    pub explain: extern \"C\" fn(RStr<'_>) -> RResult<RString, PluginError>,\n",
    },
    ApiEdit {
        file: "src/abi.rs",
        anchor: "        }\n        self.predict(table, rows, out)\n    }\n",
        new: "    /// New in 1.2.\n    fn explain(&self) -> RResult<RString, PluginError> {\n        \
              RResult::RErr(PluginError::unsupported(\"older than API 1.2\"))\n    }\n",
    },
    ApiEdit {
        file: "src/abi.rs",
        anchor: "    fn cancelled(&self) -> bool;\n",
        new: "    /// New in 1.2.\n    fn seconds_left(&self) -> f64 {\n        f64::INFINITY\n    }\n",
    },
    ApiEdit {
        file: "src/module.rs",
        anchor: "        extension: extension_of_family::<F>,\n",
        new: "        explain,\n",
    },
    ApiEdit {
        file: "src/module.rs",
        anchor: "        extension: extension_of_extractor::<E>,\n",
        new: "        explain,\n",
    },
    ApiEdit {
        file: "src/module.rs",
        anchor: "impl<M: Model> abi::Model for Guarded<M> {\n",
        new: "    fn explain(&self) -> RResult<RString, PluginError> {\n        \
              RResult::ROk(\"a model of 1.2\".into())\n    }\n\n",
    },
    ApiEdit {
        file: "src/module.rs",
        anchor: "    RResult::RErr(PluginError::unsupported(\"a rule extractor does not load models\"))\n}\n",
        new: "\nextern \"C\" fn explain(what: RStr<'_>) -> RResult<RString, PluginError> {\n    \
              guarded(|| Ok(format!(\"{what} of 1.2\").into()))\n}\n",
    },
    ApiEdit {
        file: "src/context.rs",
        anchor: "impl<'c, 'a> Ctx<'c, 'a> {\n",
        new: "    /// New in 1.2.\n    pub fn seconds_left(&self) -> f64 {\n        self.0.seconds_left()\n    }\n\n",
    },
];

/// Builds a plugin of API 1.2, which calls the new service of its host.
///
/// # Panics
/// Panics if it cannot be built.
pub fn plugin_1_2() -> PathBuf {
    let plugin = with_api_1_2().join("plugin");
    outside::write_sources(&plugin, &outside::sources(&checkout("tests/abi_compat/plugin")));
    outside::library(&plugin, &Compiler::Workspace)
}

/// Builds this host's loader for API 1.2 into a program that reports the functions of a library.
///
/// # Panics
/// Panics if it cannot be built.
pub fn host_1_2() -> PathBuf {
    let host = with_api_1_2().join("host");
    let mut files = outside::sources(&checkout("tests/abi_compat/host"));
    files.push(("src/loader.rs".into(), fs::read_to_string(checkout("host/plugin-host/src/loader.rs")).unwrap()));
    outside::write_sources(&host, &files);
    outside::program(&host)
}

/// Builds a plugin of API 2.0, which differs from the current one only in its version number.
///
/// # Panics
/// Panics if it cannot be built.
pub fn plugin_2_0() -> PathBuf {
    let folder = outside::crate_folder("api-2.0");
    outside::write_sources(&folder.join("api"), &api("2.0.0"));
    let mut files = outside::sources(&checkout("tests/abi_frozen/base-rate"));
    for (_, text) in &mut files {
        *text = text.replace("../../../plugin-api", "../api").replace("oculus-archive-base-rate", "oculus-test-api-2");
    }
    outside::write_sources(&folder.join("plugin"), &files);
    outside::library(&folder.join("plugin"), &Compiler::Workspace)
}

fn checkout(path: &str) -> PathBuf {
    Path::new(CHECKOUT).join(path)
}

/// Returns a folder that contains the API of 1.2, for crates next to it.
fn with_api_1_2() -> PathBuf {
    let folder = outside::crate_folder("api-1.2");
    let mut files = api("1.2.0");
    for (file, text) in &mut files {
        let edits = EDITS_OF_1_2.iter().filter(|edit| Path::new(edit.file) == *file);
        *text = edits.fold(text.clone(), |text, edit| edited(&text, edit));
    }
    outside::write_sources(&folder.join("api"), &files);
    folder
}

fn edited(text: &str, ApiEdit { file, anchor, new }: &ApiEdit) -> String {
    let n_found = text.matches(anchor).count();
    let remedy = "if the API has new functions, change the anchor in tests/src/versions.rs to the last of them";
    assert_eq!(n_found, 1, "found the anchor {n_found} times in plugin-api/{file}, expected once; {remedy}:\n{anchor}");
    text.replace(anchor, &format!("{anchor}{new}"))
}

/// Returns the files of the API with another version number.
fn api(version: &str) -> Vec<(PathBuf, String)> {
    let mut files = outside::sources(&checkout("plugin-api"));
    let (_, manifest) = files.iter_mut().find(|(file, _)| file == Path::new("Cargo.toml")).unwrap();
    let ours = manifest.lines().find(|line| line.starts_with("version = ")).unwrap();
    *manifest = manifest.replacen(ours, &format!("version = \"{version}\""), 1);
    files
}
