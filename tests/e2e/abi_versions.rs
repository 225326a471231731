//! Compatibility of the plugin API: plugins and hosts of different API versions, in every
//! combination.
//!
//! API 1.0 is represented by the archived binary, and 1.1 by this host and the project's plugins.
//! `versions` derives 1.2 and 2.0 from the current source.

use std::path::Path;
use std::process::Command;

use oculus_tests::results::model;
use oculus_tests::{build, command, jobs, versions};
use serde_json::{Value, json};

/// Tests of the archived plugin of API 1.0. `cargo xtask archive` builds this plugin for a platform
/// that lacks it.
#[cfg(all(target_arch = "x86_64", target_os = "linux", target_env = "gnu"))]
mod archive {
    use std::path::PathBuf;

    use oculus_job::hash::sha256_hex;
    use oculus_plugin_api::testing::{Frame, Harness, Listener};
    use oculus_plugin_api::{PluginError, Setting, Task, code};
    use oculus_plugin_host::loader;
    use oculus_tests::outside::CHECKOUT;

    use super::*;

    /// The file of this platform in `tests/abi_frozen`.
    const ARCHIVED: &str = "x86_64-unknown-linux-gnu/liboculus_archive_1_0.so";

    fn archived() -> PathBuf {
        Path::new(CHECKOUT).join("tests/abi_frozen").join(ARCHIVED)
    }

    /// Opens a plugin in this process, with the loader of a plugin process.
    fn open(library: &Path) -> Harness {
        Harness::from_module(loader::load(library).unwrap_or_else(|error| panic!("{} {error}", library.display())))
    }

    /// Returns a table of two symbols and six days, whose first column is for rules only.
    fn frame() -> Frame {
        let rsi = vec![30.0, 70.0, 45.0, 55.0, 20.0, 80.0, 35.0, 65.0, 40.0, 60.0, 25.0, 75.0];
        Frame::new(2, 6).rule_column("close", vec![100.0; 12]).column("RSI_14", rsi)
    }

    const ROWS: [u32; 12] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11];

    /// Labels: among the six rows with an RSI below 55, one is positive. Among the other six rows,
    /// four are positive.
    const LABEL: [f32; 12] = [0.0, 1.0, 1.0, 1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0];

    /// Scores of the archived plugin for [`LABEL`] with two bins: (1 + 1)/(6 + 2) and (4 + 1)/(6 +
    /// 2). Each bin counts one extra row of each class.
    const SCORES: [f32; 12] = [0.25, 0.625, 0.25, 0.625, 0.25, 0.625, 0.25, 0.625, 0.25, 0.625, 0.25, 0.625];

    const PARAMS: &str = r#"{"n_bins": 2, "shrink": 2.0, "center": "half"}"#;

    fn task(label: &[f32]) -> Task<'_> {
        Task { label, train_rows: &ROWS, tune_rows: &[], seed: 1, threads: 1, device: "auto" }
    }

    /// Returns the saved model as API 1.0 wrote it: the column, the number of columns, the number
    /// of bins, the start of the second bin, and the rates.
    fn saved() -> Vec<u8> {
        [1.0, 2.0, 2.0, 55.0, 0.25, 0.625].iter().flat_map(|number: &f32| number.to_le_bytes()).collect()
    }

    fn error_code<T>(result: Result<T, PluginError>) -> u32 {
        result.err().unwrap().code
    }

    #[test]
    fn the_archived_binary_has_the_hash_on_its_page() {
        let sum = sha256_hex(&std::fs::read(archived()).unwrap());
        let page = include_str!("../abi_frozen/README.md");
        assert!(page.contains(&sum), "{ARCHIVED} has changed to {sum}: restore the original; it is never rebuilt");
    }

    #[test]
    fn the_archived_plugin_returns_its_original_numbers() {
        let harness = open(&archived());
        let manifest = harness.manifest().unwrap();
        assert_eq!((manifest.id.as_str(), manifest.api.as_str(), manifest.params.len()), ("base-rate", "1.0.0", 3));
        let frame = frame();
        let listener = Listener::default();
        let prepared = harness.prepare_with(&frame, &ROWS, &Setting::default(), &listener).unwrap();
        let model = prepared.fit(&task(&LABEL), PARAMS, &listener).unwrap();
        let expected =
            ["progress 0.5 bins", "metric rate 1 0.25", "progress 1 bins", "metric rate 2 0.625", "log 3 2 bins"];
        assert_eq!(listener.reports(), expected);
        assert_eq!(model.predict(&frame, &ROWS).unwrap(), SCORES);
        assert_eq!(model.importance().unwrap(), [0.0, 1.0]);
        assert_eq!(model.summary().unwrap().rounds, Some(2));
        assert_eq!(model.save().unwrap(), saved());
        assert_eq!(harness.load(&saved()).unwrap().predict(&frame, &ROWS).unwrap(), SCORES);
        let answer = harness.extension("archive.answer/1").unwrap().unwrap().cast::<u32>();
        // SAFETY: the extension of this name is a static `u32` of the library, which is never
        // closed.
        assert_eq!(unsafe { answer.read() }, 42);
    }

    #[test]
    fn the_archived_plugin_rejects_invalid_calls_with_its_original_codes() {
        let harness = open(&archived());
        let frame = frame();
        let listener = Listener::default();
        let prepared = harness.prepare(&frame, &ROWS).unwrap();
        assert_eq!(error_code(prepared.fit(&task(&LABEL), r#"{"n_bins": 17}"#, &listener)), code::PARAMS);
        assert_eq!(error_code(prepared.fit(&task(&[0.0; 12]), "{}", &listener)), code::DATA);
        assert_eq!(error_code(prepared.fit(&task(&LABEL), "{}", &Listener::cancelling_at(1))), code::CANCELLED);
        assert_eq!(error_code(harness.load(b"something else")), code::MODEL);
        assert_eq!(error_code(harness.extract(&frame, &task(&LABEL), &SCORES, &listener)), code::UNSUPPORTED);
        let on_gpu = Setting { device: "cuda".to_owned(), ..Setting::default() };
        assert_eq!(error_code(harness.load_with(&saved(), &on_gpu)), code::DEVICE);
        assert_eq!(harness.extension("archive.answer/2").unwrap(), None);
    }

    #[test]
    fn the_functions_of_1_1_have_defaults_for_the_archived_plugin() {
        let harness = open(&archived());
        let frame = frame();
        let listener = Listener::default();
        let prepared = harness.prepare(&frame, &ROWS).unwrap();
        let model = prepared.fit(&task(&LABEL), PARAMS, &listener).unwrap();
        assert!(!harness.manifest().unwrap().base_score);
        assert_eq!(model.predict_with(&frame, &ROWS, &[], &listener).unwrap(), SCORES);
        assert_eq!(error_code(model.predict_with(&frame, &ROWS, &SCORES, &listener)), code::UNSUPPORTED);
        assert_eq!(error_code(prepared.fit_from(&task(&LABEL), &SCORES, PARAMS, &listener)), code::UNSUPPORTED);
    }

    #[test]
    fn a_job_trains_with_the_archived_plugin() {
        assert_eq!(listed_api("archived", &archived(), "base-rate"), "1.0.0");
        let (result, _) = trained("archived", &archived(), "base-rate");
        let row = model(&result, "BaseRate");
        assert!(row["status"] == "ok" && row["validation"]["auc"].is_f64(), "{row}");
    }

    #[test]
    fn a_later_host_runs_the_archived_plugin_with_defaults_for_missing_functions() {
        // There are four bins. Each bin's rate is shrunk towards the base rate of one half, with
        // the weight of two rows.
        let scores = "[0.25, 0.25, 0.75, 0.33333334, 0.75, 0.6666667]";
        let expected = format!(
            "base-rate of API 1.0.0\n\
             function of the module: None\n\
             log of the plugin: 4 bins\n\
             method of the model: Err(\"older than API 1.2\")\n\
             scores: {scores}\n\
             scores of the saved model: {scores}\n"
        );
        assert_eq!(report_of_later_host(&archived()), expected);
    }
}

#[test]
fn a_job_trains_with_a_plugin_of_a_later_api() {
    let library = versions::plugin_1_2();
    assert_eq!(listed_api("later", &library, "grown"), "1.2.0");
    let (result, log) = trained("later", &library, "grown");
    let row = model(&result, "grown");
    assert!(row["status"] == "ok" && row["validation"]["auc"].is_f64(), "{row}");
    assert!(log.contains("seconds_left=inf"), "a service that this host lacks runs its default: {log}");
}

#[test]
fn a_later_host_calls_every_new_function_of_a_plugin_of_its_version() {
    let scores = "[0.5, 0.25, 0.75, 0.125, 0.875, 0.625]";
    let expected = format!(
        "grown of API 1.2.0\n\
         function of the module: Some(Ok(\"a module of 1.2\"))\n\
         log of the plugin: seconds_left=7\n\
         method of the model: Ok(\"a model of 1.2\")\n\
         scores: {scores}\n\
         scores of the saved model: {scores}\n"
    );
    assert_eq!(report_of_later_host(&versions::plugin_1_2()), expected);
}

#[test]
fn a_plugin_of_the_next_major_version_is_rejected_with_both_versions() {
    let folder = build::with_library("next-major", &versions::plugin_2_0());
    let listed = listed_in(&folder);
    let rejection = listed.iter().find(|entry| entry["reason"].as_str().is_some_and(|reason| reason.contains("2.0.0")));
    let rejection = rejection.unwrap_or_else(|| panic!("no rejection of API 2.0.0 in {listed:?}"));
    assert_eq!((&rejection["state"], &rejection["active"]), (&json!("quarantined"), &Value::Null), "{rejection}");
    assert!(rejection["reason"].as_str().unwrap().contains("1.1.0"), "this host's version: {rejection}");
}

/// Runs a host of API 1.2 on a library and returns its report.
fn report_of_later_host(library: &Path) -> String {
    let output = Command::new(versions::host_1_2()).arg(library).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Returns the entry of `plugin list` for each file of a folder.
fn listed_in(folder: &Path) -> Vec<Value> {
    let listed = command::run(&["plugin", "list", "--json"], &[("PLUGINS_DIR", folder.to_str().unwrap())]);
    assert_eq!(listed.code, 0, "{listed:?}");
    listed.json()["plugins"].as_array().unwrap().clone()
}

/// Returns the API version that `plugin list` shows for a plugin.
fn listed_api(folder: &str, library: &Path, id: &str) -> String {
    let listed = listed_in(&build::with_library(folder, library));
    let entry = listed.iter().find(|entry| entry["active"]["id"] == id);
    let entry = entry.unwrap_or_else(|| panic!("no {id} in {listed:?}"));
    entry["active"]["api"].as_str().unwrap().to_owned()
}

/// Trains a job with LightGBM and the named family, and returns the result and the log of the job.
fn trained(folder: &str, library: &Path, family: &str) -> (Value, String) {
    let folder = build::with_library(folder, library);
    let mut job = jobs::job(family);
    job["design"]["ml_training_config"]["families"] = json!([family]);
    let output = command::run_on(&job, &["train", "--json"], &[("PLUGINS_DIR", folder.to_str().unwrap())]);
    assert_eq!(output.code, 0, "{output:?}");
    (output.json(), output.stderr)
}
