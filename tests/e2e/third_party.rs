//! A third party's steps: create a family outside any checkout, build it with another compiler, and
//! train with it.

use std::path::Path;

use oculus_job::hash::sha256_hex;
use oculus_tests::outside::{self, CHECKOUT, Compiler};
use oculus_tests::results::{model, outside_run};
use oculus_tests::{build, command, jobs};
use serde_json::json;

#[test]
fn a_new_family_outside_the_checkout_builds_and_passes_its_tests_and_trains_in_a_job() {
    let empty = tempfile::tempdir().unwrap();
    let output = command::run(&["plugin", "new", "my-model", "--in", empty.path().to_str().unwrap()], &[]);
    assert_eq!(output.code, 0, "{output:?}");
    let crate_folder = empty.path().join("my-model");
    outside::test(&crate_folder);
    let library = outside::library(&crate_folder, &Compiler::Workspace);
    let next = output.stdout.lines().last().unwrap();
    for part in [format!("cd {}", crate_folder.display()), library_name(&library), "plugin check".to_owned()] {
        assert!(next.contains(&part), "no {part} in {next}");
    }

    assert_passes_the_check(&library);

    let plugins = build::with_library("new", &library);
    let plugins = ("PLUGINS_DIR", plugins.to_str().unwrap());
    let mut job = jobs::job("requested");
    let config = &mut job["design"]["ml_training_config"];
    config["families"] = json!(["my-model"]);
    config["my_model_l2"] = json!(3.0);
    let result = command::train(&job, &[plugins]);
    assert_eq!(model(&result, "my-model")["status"], "ok", "{}", result["models"]);
    assert!(!result["warnings"].to_string().contains("my_model_l2"), "{}", result["warnings"]);

    let mut job = jobs::job("led");
    job["design"]["ml_training_config"]["config_search_model"] = json!("my-model");
    let led = command::train(&job, &[plugins]);
    assert_eq!(led["model_metrics"]["model_name"], "my-model", "{}", led["models"]);
}

#[test]
fn every_example_builds_and_passes_its_tests_and_the_check_on_real_bars() {
    for (example, report) in [("knn", "AUC"), ("extractor", "rules in")] {
        let empty = tempfile::tempdir().unwrap();
        let folder = empty.path().to_str().unwrap();
        let name = format!("my-{example}");
        let output = command::run(&["plugin", "new", &name, "--example", example, "--in", folder], &[]);
        assert_eq!(output.code, 0, "{output:?}");
        let crate_folder = empty.path().join(&name);
        outside::test(&crate_folder);
        let library = outside::library(&crate_folder, &Compiler::Workspace);
        let bars = jobs::bars();
        let arguments = ["plugin", "check", library.to_str().unwrap(), "--bars", bars.to_str().unwrap()];
        let output = command::run(&arguments, &[]);
        assert_eq!(output.code, 0, "{output:?}");
        let real: Vec<_> = output.stdout.lines().filter(|line| line.starts_with("  real")).collect();
        assert!(real[0].contains("2 symbols") && real.last().unwrap().contains(report), "{}", output.stdout);
    }
}

#[test]
fn the_name_of_a_new_family_is_checked() {
    let output = command::run(&["plugin", "new", "My_Model"], &[]);
    assert!(output.code == 2 && output.stderr.contains("My_Model"), "{output:?}");
    assert!(output.stderr.contains("my-model"), "a valid name is proposed: {output:?}");
}

/// Models of different compilers are equal, bit for bit: a fit computes in a fixed order, and the
/// system's library computes `exp`.
#[test]
fn another_compiler_does_not_change_the_result_of_the_example_family() {
    let example = outside::crate_folder("logistic");
    let mut files = outside::sources(&Path::new(CHECKOUT).join("examples/logistic"));
    for (_, text) in &mut files {
        *text = text.replace("../../plugin-api", &format!("{CHECKOUT}/plugin-api"));
    }
    outside::write_sources(&example, &files);
    let trained = |name: &str, compiler: &Compiler| {
        let library = outside::library(&example, compiler);
        assert_passes_the_check(&library);
        let plugins = build::with_library(name, &library);
        let mut job = jobs::job("compiled");
        job["design"]["ml_training_config"]["config_search_model"] = json!("logistic");
        let result = command::train(&job, &[("PLUGINS_DIR", plugins.to_str().unwrap())]);
        assert_eq!(result["model_metrics"]["model_name"], "logistic", "{}", result["models"]);
        (result, sha256_hex(&std::fs::read(library).unwrap()))
    };
    let (usual, usual_sum) = trained("usual-compiler", &Compiler::Workspace);
    let other = Compiler::other();
    let (others, others_sum) = trained("other-compiler", &other);
    assert_ne!(usual_sum, others_sum, "{other:?} made the same file");
    assert_eq!(usual["models"], others["models"], "{other:?}");
    let without_sum = |result, sum: &str| outside_run(result).replace(sum, "");
    assert!(without_sum(&usual, &usual_sum) == without_sum(&others, &others_sum), "{other:?} changes the result");
}

fn assert_passes_the_check(library: &Path) {
    let output = command::run(&["plugin", "check", library.to_str().unwrap()], &[]);
    assert_eq!(output.code, 0, "{output:?}");
}

fn library_name(library: &Path) -> String {
    library.file_name().unwrap().to_str().unwrap().to_owned()
}
