//! Tables too large for where they are put, and features and bars as files.

use std::fs;
use std::process::Command;

use oculus_tests::command::{Said, isolated, run, run_on};
use oculus_tests::results::failure;
use oculus_tests::{build, jobs};
use serde_json::Value;
use tempfile::TempDir;

/// The failure of a job whose table has no room in a folder, and the system's number for the reason.
fn assert_no_room(result: &Value, folder: &str, os_error: u32) {
    let message = failure(result, "no_room_for_table");
    assert!(message.contains(folder) && message.contains(&format!("os error {os_error}")), "{message}");
    assert!(result["error"]["hint"].as_str().unwrap().contains("TMPDIR"), "{result}");
}

const ENOENT: u32 = 2;
const EFBIG: u32 = 27;

#[test]
fn a_job_without_a_temporary_folder_says_so() {
    let said = run_on(&jobs::job("nowhere"), &["train", "--json"], &[("TMPDIR", "/no/such/folder")]);
    assert_eq!(said.code, 1, "{said:?}");
    assert_no_room(&said.json(), "/no/such/folder", ENOENT);
}

#[test]
fn a_table_larger_than_any_file_may_be_is_an_error_and_no_crash() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("job.json"), jobs::job("large").to_string()).unwrap();
    // The plugins are in their store already, where larger files are.
    let mut list = isolated(Command::new(build::host()), folder.path());
    assert!(list.args(["plugin", "list"]).output().unwrap().status.success());
    // Blocks of 512 bytes. Ignored signals stay ignored, and what remains of this one is the error.
    let script = "trap '' XFSZ; ulimit -f 64; exec \"$0\" train job.json --json";
    let mut limited = isolated(Command::new("sh"), folder.path());
    let output = limited.args(["-c", script]).arg(build::host()).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert_no_room(&serde_json::from_slice(&output.stdout).unwrap(), "/tmp", EFBIG);
}

fn bars_of(kind: &str, more: &[&str]) -> (TempDir, Said) {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().display().to_string();
    let said = run(&[&["bars", "synth", kind, "--out", &out], more].concat(), &[]);
    assert_eq!(said.code, 0, "{said:?}");
    (folder, said)
}

#[test]
fn made_up_bars_come_with_what_the_oracle_knows_of_them() {
    let (folder, said) = bars_of("walk", &["--symbols", "AAA,BBB", "--length", "400"]);
    assert!(said.stdout.contains("AAA") && said.stdout.contains("0.5000"), "{}", said.stdout);
    let text = fs::read_to_string(folder.path().join("BBB.csv")).unwrap();
    assert_eq!(text.lines().count(), 401);
    assert!(text.starts_with("date,open,high,low,close,volume\n2010-01-04,"), "{text}");
    let said = run(&["bars", "synth", "walk", "--out", "x", "--length", "3000000"], &[]);
    assert!(said.code == 1 && said.stderr.contains("3000000") && said.stderr.contains("2000000"), "{said:?}");
}

#[test]
fn computed_features_have_a_row_for_every_bar_and_nothing_before_their_first_value() {
    let (folder, _) = bars_of("rule", &["--symbols", "AAA,BBB", "--length", "300", "--timeframe", "1h"]);
    let bars = ("BARS_SOURCE", &*format!("dir:{}", folder.path().display()));
    let asked = ["features", "compute", "--timeframe", "1h", "--features", "rsi-14,SMA_2", "--symbol"];
    let one = run(&[&asked[..], &["AAA"]].concat(), &[bars]);
    let lines: Vec<&str> = one.stdout.lines().collect();
    assert_eq!((lines[0], lines.len()), ("timestamp,RSI_14,SMA_2", 301), "{one:?}");
    assert_eq!(lines[1], "2010-01-04T14:30:00Z,,");
    assert!(lines[14].contains(",,") && !lines[14].ends_with(','), "{}", lines[14]);
    assert!(lines[15].split(',').all(|field| !field.is_empty()), "{}", lines[15]);
    let two = run(&[&asked[..], &["AAA", "--symbol", "BBB"]].concat(), &[bars]);
    assert!(two.stdout.starts_with("timestamp,symbol,RSI_14,SMA_2\n2010-01-04T14:30:00Z,AAA,,\n"), "{two:?}");
    assert_eq!(two.stdout.lines().count(), 601);
}

#[test]
fn an_unknown_feature_is_refused_with_the_nearest_name() {
    let said = run(&["features", "compute", "--symbol", "AAPL", "--features", "RSI_14,MACD_HISX"], &[]);
    assert_eq!((said.code, said.stdout.as_str()), (2, ""), "{said:?}");
    assert!(said.stderr.contains("MACD_HISX") && said.stderr.contains("MACD_HIST"), "{said:?}");
}
