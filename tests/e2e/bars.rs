//! `bars check` and `bars show` with the real binary.

use std::path::Path;

use oculus_tests::command::{self, CommandOutput};
use oculus_tests::jobs;
use serde_json::json;

/// Runs a `bars` command on a folder.
fn bars(folder: &Path, arguments: &[&str]) -> CommandOutput {
    let source = format!("dir:{}", folder.display());
    command::run(&[&["bars"], arguments].concat(), &[("BARS_SOURCE", &source)])
}

/// Copies the example folder and adds a file.
fn with_file(name: &str, text: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for symbol in ["AAPL", "MSFT"] {
        let file = format!("{symbol}.csv");
        std::fs::copy(jobs::bars().join(&file), folder.path().join(&file)).unwrap();
    }
    std::fs::write(folder.path().join(name), text).unwrap();
    folder
}

#[test]
fn valid_bars_pass_the_check_and_invalid_bars_are_refused_with_every_finding() {
    let output = bars(&jobs::bars(), &["check"]);
    assert!(output.code == 0 && output.stdout.contains("AAPL"), "{output:?}");
    let output = bars(&jobs::bars(), &["check", "--json"]);
    assert_eq!(output.code, 0, "{output:?}");
    let checked = output.json()["symbols"].as_array().unwrap().clone();
    assert_eq!(checked.iter().map(|checked| &checked["symbol"]).collect::<Vec<_>>(), ["AAPL", "MSFT"]);
    assert!(checked.iter().all(|it| it["refused"] == false && it["findings"] == json!([])), "{checked:?}");
    let invalid =
        "date,open,high,low,close,volume\n2012-01-03,10,11,9,10,5\n2012-01-03,10,11,9,10,6\n2012-01-04,0,11,9,10,0\n";
    let folder = with_file("BAD.csv", invalid);
    let output = bars(folder.path(), &["check", "--json"]);
    assert_eq!(output.code, 3, "{output:?}");
    let symbols = &output.json()["symbols"];
    let bad = symbols.as_array().unwrap().iter().find(|checked| checked["symbol"] == "BAD").unwrap();
    assert_eq!(bad["refused"], json!(true));
    let codes: Vec<&str> =
        bad["findings"].as_array().unwrap().iter().map(|line| line["code"].as_str().unwrap()).collect();
    assert_eq!(codes, ["conflicting_rows", "price_out_of_range"]);
    assert_eq!(bad["findings"][1]["places"][0]["row"], json!(4));
    let output = bars(folder.path(), &["check", "--symbol", "AAPL"]);
    assert_eq!(output.code, 0, "only AAPL is checked: {output:?}");
    let output = bars(folder.path(), &["check", "--symbol", "NONE"]);
    assert!(output.code == 3 && output.stdout.contains("no_bars"), "{output:?}");
}

#[test]
fn a_file_that_is_not_a_table_is_refused_and_the_others_are_still_checked() {
    let folder = with_file("BAD.parquet", "PAR1 no such thing PAR1");
    let output = bars(folder.path(), &["check"]);
    assert_eq!(output.code, 3, "{output:?}");
    assert!(output.stdout.contains("MSFT") && output.stdout.contains("BAD"), "{}", output.stdout);
    assert!(!output.stderr.contains("panicked"), "{}", output.stderr);
}

#[test]
fn files_of_the_operating_system_are_ignored() {
    let folder = with_file("._AAPL.csv", "no table");
    std::fs::write(folder.path().join("BRK B.csv"), "no table").unwrap();
    let output = bars(folder.path(), &["check", "--json"]);
    assert_eq!((output.code, output.json()["symbols"].as_array().unwrap().len()), (0, 2), "{output:?}");
    assert!(output.stderr.contains("BRK B.csv") && !output.stderr.contains("._AAPL"), "{}", output.stderr);
}

#[test]
fn a_file_whose_rows_are_all_invalid_is_reported_with_their_number_and_reason() {
    let rows: String = (1..=9).map(|day| format!("2024-01-0{day},1.1,1.2,1.0,1.1,-1\n")).collect();
    let folder = with_file("EURUSD.csv", &format!("date,open,high,low,close,volume\n{rows}"));
    let check = |arguments: &[&str]| bars(folder.path(), &[&["check", "--symbol", "EURUSD"], arguments].concat());
    let table = check(&[]);
    assert!(table.code == 3 && table.stdout.contains("0 of 9 rows"), "{table:?}");
    let checked = check(&["--json"]).json()["symbols"][0].clone();
    assert_eq!((&checked["rows"], &checked["bars"]), (&json!(9), &json!(0)));
    let findings = checked["findings"].as_array().unwrap();
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert_eq!((&findings[0]["code"], &findings[0]["count"]), (&json!("volume_out_of_range"), &json!(9)));
    assert!(findings[0]["message"].as_str().unwrap().contains("volume is -1, expected 0"), "{findings:?}");
}

#[test]
fn gaps_are_dates_on_which_other_symbols_traded() {
    let text = std::fs::read_to_string(jobs::bars().join("AAPL.csv")).unwrap();
    let fewer: Vec<&str> = text.lines().filter(|line| !line.starts_with("2012-02-1")).collect();
    let folder = with_file("FEWER.csv", &fewer.join("\n"));
    let output = bars(folder.path(), &["check", "--json"]);
    let symbols = output.json()["symbols"].clone();
    let findings = |symbol: &str| {
        let checked = symbols.as_array().unwrap().iter().find(|checked| checked["symbol"] == symbol).unwrap();
        checked["findings"].clone()
    };
    assert_eq!(findings("AAPL"), json!([]));
    let codes: Vec<(String, u64)> = findings("FEWER")
        .as_array()
        .unwrap()
        .iter()
        .map(|line| (line["code"].as_str().unwrap().to_owned(), line["count"].as_u64().unwrap()))
        .collect();
    assert_eq!(codes, [("long_gaps".to_owned(), 1), ("gaps".to_owned(), 6)]);
}

#[test]
fn bars_are_listed_drawn_in_the_terminal_and_drawn_as_svg() {
    let output = bars(&jobs::bars(), &["show"]);
    assert!(output.code == 0 && output.stdout.contains("MSFT") && output.stdout.contains("2013-03-01"), "{output:?}");
    let folder = tempfile::tempdir().unwrap();
    let picture = folder.path().join("aapl.svg");
    let span = ["show", "AAPL", "--from", "2012-01-01", "--to", "2012-06-30", "--last", "3"];
    let output = bars(&jobs::bars(), &[&span[..], &["--svg", picture.to_str().unwrap()]].concat());
    assert_eq!(output.code, 0, "{output:?}");
    assert!(output.stdout.contains("2012-06-29") && !output.stdout.contains("2012-07"), "{}", output.stdout);
    assert!(output.stdout.lines().all(|line| line.chars().count() <= 80), "{}", output.stdout);
    let svg = std::fs::read_to_string(picture).unwrap();
    assert!(svg.starts_with("<svg") && svg.contains("AAPL") && svg.trim_end().ends_with("</svg>"));
    let output = bars(&jobs::bars(), &["show", "AAPL", "--from", "2030-01-01"]);
    assert!(
        output.code == 1 && output.stderr.contains("2007-03-01") && output.stderr.contains("2013-03-01"),
        "{output:?}"
    );
}
