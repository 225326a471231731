//! Tables that do not fit into their folder, and the commands that write features and bars to
//! files.

use std::fs;
use std::process::Command;

use oculus_tests::command::{CommandOutput, isolated, run, run_on};
use oculus_tests::results::failure;
use oculus_tests::{build, jobs};
use serde_json::Value;
use tempfile::TempDir;

/// Asserts that a job failed because its table does not fit into a folder, with the system's error
/// number.
fn assert_no_room(result: &Value, folder: &str, os_error: u32) {
    let message = failure(result, "no_room_for_table");
    assert!(message.contains(folder) && message.contains(&format!("os error {os_error}")), "{message}");
    assert!(result["error"]["hint"].as_str().unwrap().contains("TMPDIR"), "{result}");
}

const ENOENT: u32 = 2;
const EFBIG: u32 = 27;

#[test]
fn a_job_without_a_temporary_folder_fails_with_a_code_and_a_remedy() {
    let output = run_on(&jobs::job("nowhere"), &["train", "--json"], &[("TMPDIR", "/no/such/folder")]);
    assert_eq!(output.code, 1, "{output:?}");
    assert_no_room(&output.json(), "/no/such/folder", ENOENT);
}

#[test]
fn a_table_larger_than_the_file_size_limit_is_an_error_and_not_a_crash() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("job.json"), jobs::job("large").to_string()).unwrap();
    // The store of plugins is filled first, because its files exceed the limit.
    let mut list = isolated(Command::new(build::host()), folder.path());
    assert!(list.args(["plugin", "list"]).output().unwrap().status.success());
    // `-f` counts blocks of 512 bytes. The child process also ignores SIGXFSZ, so a write beyond
    // the limit returns EFBIG.
    let script = "trap '' XFSZ; ulimit -f 64; exec \"$0\" train job.json --json";
    let mut limited = isolated(Command::new("sh"), folder.path());
    let output = limited.args(["-c", script]).arg(build::host()).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert_no_room(&serde_json::from_slice(&output.stdout).unwrap(), "/tmp", EFBIG);
}

fn synthesize_bars(kind: &str, more: &[&str]) -> (TempDir, CommandOutput) {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().display().to_string();
    let output = run(&[&["bars", "synth", kind, "--out", &out], more].concat(), &[]);
    assert_eq!(output.code, 0, "{output:?}");
    (folder, output)
}

#[test]
fn synthetic_bars_are_reported_with_the_score_of_an_oracle() {
    let (folder, output) = synthesize_bars("walk", &["--symbols", "AAA,BBB", "--length", "400"]);
    assert!(output.stdout.contains("AAA") && output.stdout.contains("0.5000"), "{}", output.stdout);
    let text = fs::read_to_string(folder.path().join("BBB.csv")).unwrap();
    assert_eq!(text.lines().count(), 401);
    assert!(text.starts_with("date,open,high,low,close,volume\n2010-01-04,"), "{text}");
    let output = run(&["bars", "synth", "walk", "--out", "x", "--length", "3000000"], &[]);
    assert!(output.code == 1 && output.stderr.contains("3000000") && output.stderr.contains("2000000"), "{output:?}");
}

#[test]
fn computed_features_have_a_row_per_bar_and_empty_fields_before_their_first_value() {
    let (folder, _) = synthesize_bars("rule", &["--symbols", "AAA,BBB", "--length", "300", "--timeframe", "1h"]);
    let bars = ("BARS_SOURCE", &*format!("dir:{}", folder.path().display()));
    let compute = ["features", "compute", "--timeframe", "1h", "--features", "rsi-14,SMA_2", "--symbol"];
    let one = run(&[&compute[..], &["AAA"]].concat(), &[bars]);
    let lines: Vec<&str> = one.stdout.lines().collect();
    assert_eq!((lines[0], lines.len()), ("timestamp,rsi-14,SMA_2", 301), "{one:?}");
    assert_eq!(lines[1], "2010-01-04T14:30:00Z,,");
    assert!(lines[14].contains(",,") && !lines[14].ends_with(','), "{}", lines[14]);
    assert!(lines[15].split(',').all(|field| !field.is_empty()), "{}", lines[15]);
    let two = run(&[&compute[..], &["AAA", "--symbol", "BBB"]].concat(), &[bars]);
    assert!(two.stdout.starts_with("timestamp,symbol,rsi-14,SMA_2\n2010-01-04T14:30:00Z,AAA,,\n"), "{two:?}");
    assert_eq!(two.stdout.lines().count(), 601);
}

#[test]
fn columns_of_features_have_the_requested_names() {
    let (folder, _) = synthesize_bars("walk", &["--symbols", "AAA", "--length", "60"]);
    let bars = ("BARS_SOURCE", &*format!("dir:{}", folder.path().display()));
    let names = "ROC_10,RET_10,STOCHk_14_5_3,STOCH_K_14_3_5,ROC_10";
    let output = run(&["features", "compute", "--symbol", "AAA", "--features", names], &[bars]);
    let lines: Vec<&str> = output.stdout.lines().collect();
    assert_eq!(lines[0], "date,ROC_10,RET_10,STOCHk_14_5_3,STOCH_K_14_3_5", "{output:?}");
    let last: Vec<&str> = lines[60].split(',').collect();
    assert!(last[1] == last[2] && last[3] == last[4] && !last[1].is_empty() && !last[3].is_empty(), "{last:?}");
    assert!(output.stderr.contains("ROC_10"), "the second ROC_10 is reported: {output:?}");
}

#[test]
fn sessions_of_a_foreign_exchange_are_not_cut_at_the_midnight_of_new_york() {
    let folder = tempfile::tempdir().unwrap();
    // 2024-01-01 is a Monday. A session in Tokyo begins at 0:00 UTC, which is 19:00 in New York.
    // It contains New York's midnight.
    let mut text = "timestamp,open,high,low,close,volume\n".to_owned();
    for day in (0..60).filter(|day| day % 7 < 5) {
        let midnight = 1_704_067_200 + day * 86_400;
        for hour in [0, 1, 2, 4, 5] {
            text += &format!("{},10,11,9,{},1000\n", midnight + hour * 3_600, 10 + hour % 2);
        }
    }
    fs::write(folder.path().join("7203.T.csv"), text).unwrap();
    let bars = ("BARS_SOURCE", &*format!("dir:{}", folder.path().display()));
    let compute = ["features", "compute", "--timeframe", "1h", "--features", "DAY_OF_WEEK", "--symbol", "7203.T"];
    let output = run(&compute, &[bars]);
    let days: Vec<&str> = output.stdout.lines().skip(1).map(|line| line.rsplit(',').next().unwrap()).collect();
    let expected: Vec<String> = (0..days.len()).map(|bar| (bar / 5 % 5).to_string()).collect();
    assert_eq!(days, expected, "{output:?}");
}

#[test]
fn an_unknown_feature_is_rejected_with_the_nearest_name() {
    let output = run(&["features", "compute", "--symbol", "AAPL", "--features", "RSI_14,MACD_HISX"], &[]);
    assert_eq!((output.code, output.stdout.as_str()), (2, ""), "{output:?}");
    assert!(output.stderr.contains("MACD_HISX") && output.stderr.contains("MACD_HIST"), "{output:?}");
}
