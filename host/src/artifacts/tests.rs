//! Tests of artifact folders. The end-to-end tests of `predict` cover the contents of these
//! folders.

use std::fs;
use std::io::Cursor;
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path};

use oculus_job::request::Timeframe;
use oculus_pipeline::bars::{Bars, LabelledSpan, Market};
use oculus_pipeline::strategy::backtest::{ExitReason, RoundTrip};
use oculus_pipeline::strategy::{EquityCurve, EquityPoint, Trade};
use polars::prelude::{DataFrame, ParquetReader, SerReader};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::equity_files::EquityFiles;
use super::error::ArtifactError;
use super::folder_name::folder_name;
use super::*;

proptest! {
    #[test]
    fn every_job_id_has_a_distinct_name_of_one_path_component(id in "\\PC{0,200}", other in "\\PC{0,200}") {
        let name = folder_name(&id);
        let components: Vec<_> = Path::new(&name).components().collect();
        prop_assert!(matches!(components.as_slice(), [Component::Normal(_)]), "{name}");
        prop_assert!(name.len() <= 160 && !name.starts_with('.'));
        prop_assert_eq!(id == other, name == folder_name(&other));
    }
}

#[test]
fn plain_ids_stay_readable_and_unsafe_ids_are_escaped() {
    let names = ["build:example", "job-1_a.b", "..", "a/b", "spool", "%2F"].map(folder_name);
    assert_eq!(names, ["build:example", "job-1_a.b", "%2E.", "a%2Fb", "%73%70%6F%6F%6C", "%252F"]);
    assert_ne!(folder_name("submissions"), "submissions", "the folder belongs to no job");
}

fn location(dir: &Path) -> ArtifactsLocation {
    ArtifactsLocation { dir: dir.join("made/when/needed"), token: "7".to_owned() }
}

#[test]
fn a_repeated_token_gets_a_new_folder_that_only_the_owner_can_read() {
    let dir = tempfile::tempdir().unwrap();
    let folders = [0, 1, 2].map(|_| AttemptFolder::create(&location(dir.path()), "job").unwrap().folder().to_owned());
    assert_eq!(folders.each_ref().map(|folder| folder.file_name().unwrap()), ["7", "7-2", "7-3"]);
    assert_eq!(fs::metadata(&folders[0]).unwrap().permissions().mode() & 0o777, 0o700);
}

/// Writes an artifact in the format of this version.
fn write_description(folder: &Path, job_id: &str, written_at: &str) {
    fs::create_dir_all(folder.join("models")).unwrap();
    fs::write(folder.join("models/m.bin"), "model").unwrap();
    let attempt = folder.file_name().unwrap().to_str().unwrap();
    let model = json!({
        "plugin": "m", "title": "Trees", "version": "1.0.0", "library_sha256": "", "file": "models/m.bin",
        "sha256": oculus_job::hash::sha256_hex(b"model"), "params": {}, "threshold": f64::from(0.3_f32),
    });
    let description = json!({
        "format_version": 1, "job_id": job_id, "attempt": attempt, "written_at": written_at, "host_version": "0.1.0",
        "winner": "m", "label": {"horizon_days": 5, "horizon_bars": 5, "threshold_pct": 2.0}, "timeframe": "1d",
        "seed": u64::MAX, "features": [{"name": "RSI_14", "role": "model"}], "scaler": "", "models": [model],
        "bars": {"sha256": "", "symbols": []}, "provenance": {"unknown": true},
    });
    fs::write(folder.join("artifact.json"), description.to_string()).unwrap();
}

#[test]
fn the_newest_complete_attempt_is_found_by_default_and_others_by_name_or_folder() {
    let dir = tempfile::tempdir().unwrap();
    let job_folder = dir.path().join("job");
    write_description(&job_folder.join("10"), "job", "2026-01-02T00:00:00.000Z");
    write_description(&job_folder.join("9"), "job", "2026-01-03T00:00:00.000Z");
    fs::create_dir(job_folder.join("99")).unwrap();
    let find = |job: &str, attempt| SavedArtifact::find(dir.path(), job, attempt).map(|saved| saved.artifact.attempt);
    assert_eq!(find("job", None).unwrap(), "9");
    assert_eq!(find("job", Some("10")).unwrap(), "10");
    assert_eq!(find(job_folder.join("10").to_str().unwrap(), None).unwrap(), "10");
    let message = find("job", Some("99")).unwrap_err().to_string();
    assert!(message.contains("no complete attempt `99`") && message.contains("found 10, 9, 99"), "{message}");
    assert!(find("job", Some("../job/9")).is_err());
    let message = find("unknown", None).unwrap_err().to_string();
    assert!(message.contains("there is no folder") && message.contains("ARTIFACTS_DIR"), "{message}");
}

#[test]
fn a_model_is_read_unchanged_and_a_changed_file_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("1");
    write_description(&folder, "job", "");
    let saved = SavedArtifact::open(&folder).unwrap();
    let model = saved.model(Some("TREES")).unwrap();
    assert_eq!(saved.model(None).unwrap(), model);
    assert_eq!((model.threshold.unwrap() as f32, saved.artifact.trained.seed), (0.3, u64::MAX));
    assert_eq!(saved.bytes(model).unwrap(), b"model");
    let missing = saved.model(Some("lstm")).unwrap_err();
    let ArtifactError::NoModel { requested, available, .. } = missing else { panic!("{missing}") };
    assert_eq!((requested.as_str(), available.as_str()), ("lstm", "m (Trees)"));

    fs::write(folder.join("models/m.bin"), "mode1").unwrap();
    assert!(matches!(saved.bytes(model), Err(ArtifactError::Changed { .. })));
    let outside = SavedModel { file: "../1/models/m.bin".to_owned(), ..model.clone() };
    assert!(matches!(saved.bytes(&outside), Err(ArtifactError::Store { verb: "read", .. })));
    fs::write(folder.join("artifact.json"), json!({"format_version": 2}).to_string()).unwrap();
    assert!(matches!(SavedArtifact::open(&folder), Err(ArtifactError::NewerFormat { found: 2, .. })));
    fs::write(folder.join("artifact.json"), "{").unwrap();
    assert!(matches!(SavedArtifact::open(&folder), Err(ArtifactError::Json { .. })));
}

#[test]
fn a_row_is_marked_by_its_symbol_and_time() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("1");
    write_description(&folder, "job", "");
    let mut description: Value = serde_json::from_slice(&fs::read(folder.join("artifact.json")).unwrap()).unwrap();
    let span = |from: i64, to: i64| json!({"n_rows": 1, "from": "", "to": "", "from_time": from, "to_time": to});
    description["rows"] = json!([
        {"symbol": "A", "train": span(100, 200), "test": span(300, 400)},
        {"symbol": "B", "train": span(150, 210), "test": null},
    ]);
    let marks = |description: &Value, symbol: &str| {
        fs::write(folder.join("artifact.json"), description.to_string()).unwrap();
        let trained = SavedArtifact::open(&folder).unwrap().artifact.trained;
        [99, 100, 200, 201, 299, 300, 400, 401].map(|time| trained.row_set(symbol, time).map(RowSet::name))
    };
    let expect = |sets: [&'static str; 8]| sets.map(Some);
    assert_eq!(
        marks(&description, "A"),
        expect(["validation", "train", "train", "validation", "validation", "test", "test", "new"])
    );
    assert_eq!(
        marks(&description, "B"),
        expect(["validation", "validation", "train", "train", "validation", "new", "new", "new"])
    );
    assert_eq!(marks(&description, "OTHER")[4..6], [Some("validation"), Some("new")]);
    description["rows"][0]["test"] = Value::Null;
    assert_eq!(marks(&description, "A")[3..5], [Some("validation"), Some("new")], "training ends at 210");
    description.as_object_mut().unwrap().remove("rows");
    assert_eq!(marks(&description, "A"), [None; 8], "an earlier version wrote the artifact");
}

/// Returns the files for three bars from 2024-01-01 on, with one round trip per set. The two round
/// trips are of different symbols.
fn equity_files(timeframe: Timeframe) -> EquityFiles {
    let bars = |symbol: &str| Bars {
        symbol: symbol.to_owned(),
        time: (0..3).map(|bar| (19_723 + bar) * 86_400).collect(),
        ..Bars::default()
    };
    let market = Market {
        bars: vec![bars("AAA"), bars("BBB")],
        benchmarks: Vec::new(),
        timeframe,
        span: LabelledSpan::default(),
        warm_up_bars: 0,
        warnings: Vec::new(),
        sha256: String::new(),
    };
    let trade = |symbol_idx, entry_bar, reason| {
        let trip = RoundTrip {
            entry_bar,
            exit_bar: entry_bar + 1,
            entry_price: 100.0,
            exit_price: 110.0,
            reason,
            gain: 0.0989,
        };
        Trade { symbol_idx, trip }
    };
    let point =
        |day, is_test| EquityPoint { day, is_test, strategy: 1.1, buy_and_hold: 1.0, always_in: 0.9, exposure: 0.5 };
    let curve = EquityCurve {
        equity: vec![point(19_723, false), point(19_724, true), point(19_725, true)],
        development_trades: vec![trade(1, 0, ExitReason::Target)],
        test_trades: vec![trade(0, 1, ExitReason::End)],
    };
    EquityFiles::new(&curve, &market).unwrap()
}

fn read(bytes: Vec<u8>) -> DataFrame {
    ParquetReader::new(Cursor::new(bytes)).finish().unwrap()
}

fn texts(frame: &DataFrame, column: &str) -> Vec<String> {
    let column = frame.column(column).unwrap();
    (0..frame.height()).map(|row| column.get(row).unwrap().to_string().replace('"', "")).collect()
}

#[test]
fn equity_files_contain_symbols_and_dates() {
    let files = equity_files(Timeframe::Day1);
    let trades = read(files.trades().unwrap());
    for (column, expected) in [
        ("set", ["validation", "test"]),
        ("symbol", ["BBB", "AAA"]),
        ("entry_date", ["2024-01-01", "2024-01-02"]),
        ("exit_date", ["2024-01-02", "2024-01-03"]),
        ("reason", ["target", "end"]),
        ("exit_price", ["110.0", "110.0"]),
        ("gain_pct", ["9.89", "9.89"]),
    ] {
        assert_eq!(texts(&trades, column), expected, "{column}");
    }
    let equity = read(files.equity().unwrap());
    assert_eq!(texts(&equity, "date"), ["2024-01-01", "2024-01-02", "2024-01-03"]);
    assert_eq!(texts(&equity, "set"), ["validation", "test", "test"]);
    for (column, value) in [("strategy", "1.1"), ("buy_and_hold", "1.0"), ("always_in", "0.9"), ("exposure", "0.5")] {
        assert_eq!(texts(&equity, column), [value; 3]);
    }
    let intraday = read(equity_files(Timeframe::Hour1).trades().unwrap());
    assert_eq!(texts(&intraday, "entry_timestamp"), [19_723, 19_724].map(|day| (day * 86_400).to_string()));
}

#[test]
fn an_equity_chart_has_one_line_per_curve_and_set_every_date_and_the_start_of_the_test() {
    let svg = equity_files(Timeframe::Day1).equity_chart().unwrap();
    let chart = roxmltree::Document::parse(&svg).unwrap();
    for color in ["#1A8F6F", "#D08A2E", "#B3BAC5"] {
        let lines = chart.descendants().filter(|node| node.attribute("stroke") == Some(color));
        let n_points: Vec<usize> =
            lines.map(|line| line.attribute("points").unwrap_or_default().split_whitespace().count()).collect();
        assert_eq!(n_points, [2, 1, 2], "legend, development and test in {color}");
    }
    let labels = chart.descendants().filter(|node| node.has_tag_name("text"));
    let texts: Vec<&str> = labels.filter_map(|label| label.text().map(str::trim)).collect();
    let dates = ["2024-01-01", "2024-01-02", "2024-01-03"];
    for text in ["strategy", "market at equal exposure", "always in", "test"].into_iter().chain(dates) {
        assert_eq!(texts.iter().filter(|found| **found == text).count(), 1, "{text}");
    }
    assert!(!svg.contains("NaN") && !svg.contains("inf"));
}

#[test]
fn without_a_chosen_strategy_there_are_no_equity_files() {
    let market = Market {
        bars: Vec::new(),
        benchmarks: Vec::new(),
        timeframe: Timeframe::Day1,
        span: LabelledSpan::default(),
        warm_up_bars: 0,
        warnings: Vec::new(),
        sha256: String::new(),
    };
    assert!(EquityFiles::new(&EquityCurve::default(), &market).is_none());
}
