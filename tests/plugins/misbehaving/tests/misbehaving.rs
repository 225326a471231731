//! Tests that each act ends its process as the name of the act states, and that the family is
//! correct without an act.

use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Output};

use oculus_plugin_api::Task;
use oculus_plugin_api::testing::{Frame, Harness, Listener};
use oculus_test_misbehaving::Misbehaving;

oculus_plugin_api::conformance!(Misbehaving);

const ACT: &str = "MISBEHAVING_ACT";

#[test]
fn a_fit_scores_the_base_rate_and_the_feature() {
    let act = std::env::var(ACT).unwrap_or_else(|_| "none".to_owned());
    let frame = Frame::new(1, 4).column("RSI_14", vec![0.0, 0.25, 0.5, 1.0]);
    let label = [0.0, 1.0, 0.0, 1.0];
    let task = Task { label: &label, train_rows: &[0, 1], tune_rows: &[], seed: 1, threads: 1, device: "auto" };
    let harness = Harness::family::<Misbehaving>();
    let params = format!(r#"{{"act": "{act}"}}"#);
    let model = harness.prepare(&frame, &[0, 1]).unwrap().fit(&task, &params, &Listener::default()).unwrap();
    let loaded = harness.load(&model.save().unwrap()).unwrap();
    assert_eq!(loaded.predict(&frame, &[2, 3]).unwrap(), [1.0, 1.5]);
}

/// Runs the test above with an act in a separate process.
#[allow(clippy::unwrap_used, reason = "a helper of tests, which fail by panicking")]
fn child(act: &str) -> Output {
    let test = ["--exact", "a_fit_scores_the_base_rate_and_the_feature", "--nocapture"];
    let this = std::env::current_exe().expect("the path of the test binary");
    Command::new(this).args(test).env(ACT, act).output().expect("the test binary starts")
}

#[test]
fn acts_terminate_a_process_as_named() {
    assert_eq!(child("segfault").status.signal(), Some(11));
    assert_eq!(child("abort").status.signal(), Some(6));
    assert_eq!(child("exit").status.code(), Some(0));
    assert!(String::from_utf8_lossy(&child("panic").stderr).contains("misbehaving: panic"));
    let printing = child("stdout");
    assert!(printing.status.success());
    assert!(String::from_utf8_lossy(&printing.stdout).contains("misbehaving: no newline"));
}
