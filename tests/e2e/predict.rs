//! A job's artifacts, and the command `predict`, which reproduces the job's test predictions and
//! makes new ones.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use oculus_job::hash::sha256_hex;
use oculus_market_data::synth::Kind;
use oculus_tests::command::{self, CommandOutput};
use oculus_tests::log::LogEvent;
use oculus_tests::predictions::{ScoredRow, assert_all_close, auc, number};
use oculus_tests::results::warning;
use oculus_tests::{Redis, Worker, build, jobs, market};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Number of bars of each symbol in `examples/bars`.
const N_BARS: usize = 1512;
/// The bars on which the job trains; older and newer bars exist.
const TRAINED_ON: Range<usize> = 400..1452;

/// A trained job, with the folder of its artifacts.
struct Trained {
    folder: TempDir,
    result: Value,
}

/// Returns the trained job, which is trained once and shared by all tests.
fn trained() -> &'static Trained {
    static TRAINED: OnceLock<Trained> = OnceLock::new();
    TRAINED.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        write_bars(&folder.path().join("bars"), TRAINED_ON);
        let result = train("../build:kept/1", folder.path());
        Trained { folder, result }
    })
}

fn train(id: &str, folder: &Path) -> Value {
    let bars = format!("dir:{}", folder.join("bars").display());
    let artifacts = folder.join("artifacts");
    command::train(&jobs::job(id), &[("BARS_SOURCE", &bars), ("ARTIFACTS_DIR", artifacts.to_str().unwrap())])
}

/// Writes a part of `examples/bars` into a folder: the bars whose row numbers are in `bars`.
fn write_bars(folder: &Path, bars: Range<usize>) {
    fs::create_dir_all(folder).unwrap();
    for symbol in ["AAPL", "MSFT"] {
        let file = format!("{symbol}.csv");
        let text = fs::read_to_string(jobs::bars().join(&file)).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        let part = [&lines[..1], &lines[1 + bars.start..1 + bars.end]].concat();
        fs::write(folder.join(file), part.join("\n") + "\n").unwrap();
    }
}

impl Trained {
    fn artifact(&self) -> PathBuf {
        PathBuf::from(self.result["run"]["artifacts"].as_str().unwrap())
    }

    fn description(&self) -> Value {
        serde_json::from_slice(&fs::read(self.artifact().join("artifact.json")).unwrap()).unwrap()
    }

    /// Returns the lines of `predictions.csv`.
    fn scored_rows(&self) -> Vec<ScoredRow> {
        ScoredRow::read(&self.artifact().join("predictions.csv"))
    }

    /// Returns the job's own test predictions: `symbol,date` → `score,probability,signal,rank_score`, as text.
    fn test_predictions(&self) -> BTreeMap<String, String> {
        let rows = self.scored_rows().into_iter().filter(|row| row.set == "test");
        rows.map(|row| (row.bar, format!("{},{},{},{}", row.score, row.probability, row.signal, row.rank_score)))
            .collect()
    }

    /// Asserts that the validation figures of every family follow from `predictions.csv`.
    fn assert_validation_is_reproduced(&self) {
        let mut rows = self.scored_rows();
        rows.retain(|row| row.set == "validation");
        let of_family = |family: &str| rows.iter().filter(|row| row.family == family).cloned().collect::<Vec<_>>();
        let models = self.result["models"].as_array().unwrap().iter().filter(|model| model["status"] == "ok");
        let models: Vec<(&Value, Vec<ScoredRow>)> =
            models.map(|model| (model, of_family(model["plugin"].as_str().unwrap()))).collect();
        // The pooled figures are computed on the rows that every family has scored.
        let is_common =
            |row: &&ScoredRow| models.iter().all(|(_, scored)| scored.iter().any(|other| other.bar == row.bar));
        for (model, scored) in &models {
            let validation = &model["validation"];
            let folds: BTreeSet<&str> = scored.iter().map(|row| row.fold.as_str()).collect();
            let fold_auc = |fold: &&str| {
                let rows = scored.iter().filter(|row| row.fold == *fold);
                auc(rows.map(|row| (number(&row.score), row.is_hit())))
            };
            let fold_aucs = folds.iter().map(fold_auc);
            let expected = validation["fold_aucs"].as_array().unwrap().iter().map(|auc| auc.as_f64().unwrap());
            assert_all_close(&fold_aucs.collect::<Vec<_>>(), &expected.collect::<Vec<_>>());
            let common: Vec<&ScoredRow> = scored.iter().filter(is_common).collect();
            assert_eq!(validation["n_rows"], common.len(), "{model}");
            let pooled = auc(common.iter().map(|row| (number(&row.standard_score), row.is_hit())));
            assert_all_close(&[pooled], &[validation["auc"].as_f64().unwrap()]);
        }
    }

    fn predict(&self, bars: Range<usize>, arguments: &[&str]) -> CommandOutput {
        let folder = tempfile::tempdir().unwrap();
        write_bars(folder.path(), bars);
        let bars = folder.path().to_str().unwrap();
        let artifacts = self.folder.path().join("artifacts");
        let command = ["predict", "../build:kept/1", "--bars", bars];
        let settings = [("ARTIFACTS_DIR", artifacts.to_str().unwrap()), ("LOG_FORMAT", "json")];
        command::run(&[&command, arguments].concat(), &settings)
    }
}

/// Parses the output of `predict`: `symbol,date` → the columns after these two, as text.
fn columns(csv: &str) -> impl Iterator<Item = (String, Vec<&str>)> {
    let mut lines = csv.lines();
    assert_eq!(lines.next(), Some("symbol,date,set,score,probability,signal,rank_score"));
    lines.map(|line| {
        let fields: Vec<&str> = line.split(',').collect();
        (fields[..2].join(","), fields[2..].to_vec())
    })
}

/// Parses the output of `predict`: `symbol,date` → `score,probability,signal,rank_score`, as text.
fn predictions(csv: &str) -> BTreeMap<String, String> {
    columns(csv).map(|(bar, fields)| (bar, fields[1..].join(","))).collect()
}

/// Parses the output of `predict`: `symbol,date` → set.
fn sets(csv: &str) -> BTreeMap<String, String> {
    columns(csv).map(|(bar, fields)| (bar, fields[0].to_owned())).collect()
}

/// Returns the warnings except the one about training rows.
fn other_warnings(output: &CommandOutput) -> Vec<LogEvent> {
    output.warnings().into_iter().filter(|event| event.text("code") != Some("training_rows")).collect()
}

/// Asserts that every test prediction of the job is reproduced. Floats are printed exactly, so
/// equal text means equal bits.
fn assert_reproduces(output: &CommandOutput, expected: &BTreeMap<String, String>) {
    assert_eq!(output.code, 0, "{output:?}");
    let found = predictions(&output.stdout);
    assert!(expected.len() > 50);
    for (row, prediction) in expected {
        assert_eq!(found.get(row), Some(prediction), "{row}");
    }
}

#[test]
fn predict_reproduces_the_test_predictions_of_a_job_bit_by_bit_on_its_training_bars() {
    let job = trained();
    let expected = job.test_predictions();
    assert_eq!(expected.len() as u64, job.result["model_metrics"]["n_test"].as_u64().unwrap());
    let output = job.predict(TRAINED_ON, &[]);
    assert_reproduces(&output, &expected);
    assert_eq!(other_warnings(&output).len(), 0, "{}", output.stderr);
}

#[test]
fn every_row_is_marked_by_its_role_in_the_job_and_training_rows_cause_a_warning() {
    let job = trained();
    let output = job.predict(0..N_BARS, &[]);
    let sets = sets(&output.stdout);
    let of_set = |set: &str| sets.iter().filter(|(_, found)| *found == set).map(|(bar, _)| bar).collect::<Vec<_>>();
    let metrics = &job.result["model_metrics"];
    assert_eq!(of_set("train").len() as u64, metrics["n_train"].as_u64().unwrap());
    assert_eq!(of_set("test"), job.test_predictions().keys().collect::<Vec<_>>());
    // Each symbol has bars after those of the job. The last horizon of the job's bars is new too,
    // because its labels were not known.
    let horizon = metrics["label"]["horizon_days"].as_u64().unwrap() as usize;
    assert_eq!(of_set("new").len(), 2 * (N_BARS - TRAINED_ON.end + horizon));
    let date = |bar: &str| bar.split(',').nth(1).unwrap().to_owned();
    let test_from = of_set("test").iter().map(|bar| date(bar)).min().unwrap();
    // The labels of the last bars before the test period are known only in that period.
    let purged = of_set("validation").iter().filter(|bar| date(bar) > date(of_set("train").last().unwrap())).count();
    assert_eq!(purged, 2 * horizon, "{sets:?}");
    assert!(of_set("validation").iter().all(|bar| date(bar) < test_from));

    let warnings = output.warnings();
    let warning = warnings.iter().find(|event| event.text("code") == Some("training_rows")).unwrap();
    assert_eq!((output.code, warning.number("n_train")), (0, metrics["n_train"].as_u64()));
    let test_only = job.predict(0..N_BARS, &["--from", &test_from]);
    assert_eq!(test_only.warnings().len(), 0, "{}", test_only.stderr);
}

#[test]
fn a_symbol_that_the_job_did_not_have_has_no_training_or_test_row() {
    let job = trained();
    let folder = tempfile::tempdir().unwrap();
    write_bars(folder.path(), 0..N_BARS);
    fs::rename(folder.path().join("MSFT.csv"), folder.path().join("OTHER.csv")).unwrap();
    let artifact = job.artifact();
    let command =
        ["predict", artifact.to_str().unwrap(), "--symbol", "OTHER", "--bars", folder.path().to_str().unwrap()];
    let output = command::run(&command, &[("LOG_FORMAT", "json")]);
    assert_eq!(output.code, 0, "{}", output.stderr);
    assert!(output.warnings().iter().all(|event| event.text("code") != Some("training_rows")), "{}", output.stderr);
    let test_from = job.result["model_metrics"]["test_from"].as_str().unwrap();
    for (bar, set) in sets(&output.stdout) {
        let is_earlier = bar.split(',').nth(1).unwrap() < test_from;
        assert_eq!(set, if is_earlier { "validation" } else { "new" }, "{bar}");
    }
}

#[test]
fn the_predictions_of_a_job_are_sufficient_to_recompute_its_validation_figures() {
    trained().assert_validation_is_reproduced();
}

#[test]
fn winning_networks_reproduce_their_test_predictions_bit_by_bit() {
    // With these parameters LightGBM learns almost nothing, so another family wins on bars with a
    // planted signal.
    let crippled = json!({ "lgbm_num_iterations": 1, "lgbm_num_leaves": 2, "lgbm_learning_rate": 0.0001,
                           "lgbm_min_data_in_leaf": 1_000_000 });
    let lstm = json!({ "train_lstm": true, "lstm_hidden_size": 24, "lstm_sequence_length": 30 });
    for (family, request) in [("MLP", json!({ "train_neural_networks": true })), ("LSTM", lstm)] {
        let folder = tempfile::tempdir().unwrap();
        let bars = folder.path().join("bars");
        let artifacts = folder.path().join("artifacts");
        fs::create_dir(&bars).unwrap();
        market::write(&bars, &["AAA", "BBB"], 1500, 1, Kind::Rebound { rsi_below: 38.0, drift: 0.02 });
        let mut job = jobs::job("won");
        job["symbols"] = json!(["AAA", "BBB"]);
        job["design"]["years"] = json!(4);
        let config = job["design"]["ml_training_config"].as_object_mut().unwrap();
        config.extend([&crippled, &request].into_iter().flat_map(|part| part.as_object().unwrap().clone()));
        let plugins = build::families();
        let settings = [
            ("BARS_SOURCE", &*format!("dir:{}", bars.display())),
            ("PLUGINS_DIR", plugins.to_str().unwrap()),
            ("ARTIFACTS_DIR", artifacts.to_str().unwrap()),
        ];
        let trained = Trained { result: command::train(&job, &settings), folder };
        assert_eq!(trained.result["model_metrics"]["model_name"], family, "{}", trained.result["models"]);
        trained.assert_validation_is_reproduced();
        let output = command::run(&["predict", "won", "--bars", bars.to_str().unwrap()], &settings);
        assert_reproduces(&output, &trained.test_predictions());
        let one = command::run(&["predict", "won", "--bars", bars.to_str().unwrap(), "--symbol", "BBB"], &settings);
        let mut expected = trained.test_predictions();
        expected.retain(|row, _| row.starts_with("BBB,"));
        assert_reproduces(&one, &expected);
    }
}

#[test]
fn models_with_benchmark_features_reproduce_their_predictions_and_require_the_bars_of_the_benchmark() {
    let folder = tempfile::tempdir().unwrap();
    let bars = folder.path().join("bars");
    let artifacts = folder.path().join("artifacts");
    write_bars(&bars, TRAINED_ON);
    let benchmark = |bars: Range<usize>| {
        write_bars(&folder.path().join("other"), bars);
        fs::copy(folder.path().join("other/MSFT.csv"), folder.path().join("bars/SPY.csv")).unwrap();
    };
    benchmark(TRAINED_ON);
    let mut job = jobs::job("compared");
    job["symbols"] = json!(["AAPL"]);
    job["design"]["priority_features"] = json!(["BETA_SPY_30", "CORR_QQQ"]);
    let source = format!("dir:{}", bars.display());
    let artifacts = artifacts.to_str().unwrap();
    let settings = [("BARS_SOURCE", source.as_str()), ("ARTIFACTS_DIR", artifacts), ("LOG_FORMAT", "json")];
    let trained = Trained { result: command::train(&job, &settings), folder: tempfile::tempdir().unwrap() };
    let names: Vec<String> =
        trained.description()["features"].as_array().unwrap().iter().map(|it| it["name"].to_string()).collect();
    assert!(
        names.contains(&"\"BETA_SPY_30\"".to_owned()) && !names.iter().any(|name| name.contains("QQQ")),
        "{names:?}"
    );
    assert!(warning(&trained.result, "feature_left_out").contains("CORR_QQQ_60"), "{}", trained.result["warnings"]);
    assert_eq!(trained.result["provenance"]["bars"]["benchmarks"][0]["symbol"], "SPY");

    let predict = || command::run(&["predict", "compared"], &settings);
    let output = predict();
    assert_reproduces(&output, &trained.test_predictions());
    assert_eq!(other_warnings(&output).len(), 0, "{}", output.stderr);
    // Older and newer bars of the benchmark do not affect features of the job's own bars.
    benchmark(0..N_BARS);
    assert_reproduces(&predict(), &trained.test_predictions());
    fs::remove_file(bars.join("SPY.csv")).unwrap();
    let output = predict();
    assert_eq!(output.code, 1, "{output:?}");
    assert_eq!(output.warnings()[0].text("code"), Some("symbol_without_bars"), "{output:?}");
    // The error, which is not a log event, names a feature that needs the benchmark.
    let mut spy_features = names.iter().map(|name| name.trim_matches('"')).filter(|name| name.contains("SPY"));
    let error = output.events().into_iter().find(|event| event.level().is_empty() && event.mentions("SPY")).unwrap();
    assert!(spy_features.any(|name| error.mentions(name)), "{error:?}");
}

#[test]
fn older_bars_change_no_prediction_and_newer_bars_only_add_predictions() {
    let job = trained();
    let expected = job.test_predictions();
    let same = predictions(&job.predict(TRAINED_ON, &[]).stdout);
    let output = job.predict(0..TRAINED_ON.end, &[]);
    assert_reproduces(&output, &expected);
    assert_eq!(predictions(&output.stdout), same);
    let output = job.predict(0..N_BARS, &[]);
    assert_reproduces(&output, &expected);
    let with_newer = predictions(&output.stdout);
    assert_eq!(with_newer.len(), same.len() + 2 * (N_BARS - TRAINED_ON.end));
    assert!(same.iter().all(|(row, prediction)| with_newer.get(row) == Some(prediction)));
}

#[test]
fn a_symbol_alone_has_the_same_predictions_as_with_others_and_dates_filter_the_output() {
    let job = trained();
    let mut expected = job.test_predictions();
    expected.retain(|row, _| row.starts_with("MSFT,"));
    let output = job.predict(0..N_BARS, &["--symbol", "MSFT"]);
    assert_reproduces(&output, &expected);
    assert!(predictions(&output.stdout).keys().all(|row| row.starts_with("MSFT,")));

    let date = |row: &String| row.split(',').nth(1).unwrap().to_owned();
    let from = expected.keys().map(date).min().unwrap();
    let to = expected.keys().map(date).max().unwrap();
    let output = job.predict(0..N_BARS, &["--symbol", "MSFT", "--from", &from, "--to", &to]);
    assert_reproduces(&output, &expected);
    assert!(predictions(&output.stdout).keys().all(|row| (&from..=&to).contains(&&date(row))));
    let output = job.predict(0..N_BARS, &["--from", "2050-01-01"]);
    let last = predictions(&job.predict(0..N_BARS, &[]).stdout).keys().map(date).max().unwrap();
    assert!(output.code == 1 && output.stderr.contains(&last), "the last available date is named: {output:?}");
}

#[test]
fn the_artifact_description_matches_the_result_and_the_files() {
    let job = trained();
    let folder = job.artifact();
    let description = job.description();
    assert!(folder.starts_with(job.folder.path().join("artifacts")), "{}", folder.display());
    assert_eq!(description["job_id"], "../build:kept/1");
    let model = &description["models"][0];
    let bytes = fs::read(folder.join(model["file"].as_str().unwrap())).unwrap();
    assert_eq!((&model["file"], &description["winner"]), (&"models/lightgbm.txt".into(), &"lightgbm".into()));
    assert_eq!(model["sha256"], sha256_hex(&bytes));
    assert_eq!(job.result["provenance"]["model_sha256"], sha256_hex(&bytes));
    assert_eq!(description["provenance"], job.result["provenance"]);
    let n_features = job.result["provenance"]["n_features"].as_u64().unwrap();
    assert_eq!(description["features"].as_array().unwrap().len() as u64, n_features);
    assert_eq!(model["threshold"], job.result["model_metrics"]["threshold"]);
    let report: Value = serde_json::from_slice(&fs::read(folder.join("report.json")).unwrap()).unwrap();
    assert_eq!(report, job.result);
}

#[test]
fn an_unusable_artifact_or_argument_is_reported_with_a_remedy() {
    let job = trained();
    let copy = job.folder.path().join("copy");
    let files = ["artifact.json", "models/lightgbm.txt"];
    fs::create_dir_all(copy.join("models")).unwrap();
    for file in files {
        fs::copy(job.artifact().join(file), copy.join(file)).unwrap();
    }
    let path = copy.to_str().unwrap();
    let predict = |settings: &[(&str, &str)]| command::run(&["predict", path], settings);
    assert_eq!(predict(&[]).code, 0);
    let empty = tempfile::tempdir().unwrap();
    let output = predict(&[("PLUGINS_DIR", empty.path().to_str().unwrap())]);
    assert!(output.code == 1 && output.stderr.contains("cargo xtask plugins lightgbm"), "{output:?}");
    let text = fs::read_to_string(copy.join(files[1])).unwrap();
    let changed = text.replacen("num_leaves=", "num_leaves= ", 1);
    fs::write(copy.join(files[1]), &changed).unwrap();
    let output = predict(&[]);
    assert_eq!(output.code, 1, "{output:?}");
    for sha256 in [&changed, &text].map(|text| sha256_hex(text.as_bytes())) {
        assert!(output.stderr.contains(&sha256), "the hashes found and expected; no {sha256} in {output:?}");
    }

    let artifact = job.artifact();
    let attempt = artifact.file_name().unwrap();
    for (arguments, code, part) in [
        (["--model", "lstm"], 1, "lightgbm (LightGBM)"),
        (["--attempt", "77"], 1, attempt.to_str().unwrap()),
        (["--symbol", "NOSUCH"], 1, "NOSUCH"),
        (["--symbol", "../AAPL"], 2, "letters, digits"),
        (["--out", "signals.xlsx"], 2, ".parquet"),
    ] {
        let output = job.predict(TRAINED_ON, &arguments);
        assert!(output.code == code && output.stderr.contains(part), "{output:?}");
    }
}

#[test]
fn another_build_of_the_plugin_predicts_with_a_warning_and_changed_bars_are_reported() {
    let job = trained();
    let plugins = tempfile::tempdir().unwrap();
    let rebuilt = plugins.path().join(build::library_file("oculus_plugin_lightgbm"));
    // Bytes appended to a library change its hash and nothing else.
    fs::write(&rebuilt, [fs::read(build::library("oculus_plugin_lightgbm")).unwrap(), vec![0]].concat()).unwrap();
    let output = command::run(
        &["predict", job.artifact().to_str().unwrap(), "--bars", jobs::bars().to_str().unwrap()],
        &[("PLUGINS_DIR", plugins.path().to_str().unwrap()), ("LOG_FORMAT", "json")],
    );
    assert_reproduces(&output, &job.test_predictions());
    let sha256 = sha256_hex(&fs::read(&rebuilt).unwrap());
    assert!(output.warnings().iter().any(|event| event.mentions(&sha256)), "{}", output.stderr);

    let changed = tempfile::tempdir().unwrap();
    write_bars(changed.path(), TRAINED_ON);
    let text = fs::read_to_string(changed.path().join("AAPL.csv")).unwrap();
    let mut lines: Vec<&str> = text.lines().collect();
    lines.remove(300);
    fs::write(changed.path().join("AAPL.csv"), lines.join("\n")).unwrap();
    let bars = changed.path().to_str().unwrap();
    let artifact = job.artifact();
    let output = command::run(&["predict", artifact.to_str().unwrap(), "--bars", bars], &[("LOG_FORMAT", "json")]);
    let warnings = other_warnings(&output);
    let [warning] = &warnings[..] else { panic!("not one warning: {output:?}") };
    assert_eq!((output.code, warning.text("code")), (0, Some("bars_changed")), "{output:?}");
    assert!(warning.mentions("AAPL") && !warning.mentions("MSFT"), "{output:?}");
}

#[test]
fn predictions_are_written_as_csv_and_as_parquet() {
    let job = trained();
    let folder = tempfile::tempdir().unwrap();
    let out = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let output = job.predict(TRAINED_ON, &["--out", &out("signals.csv")]);
    assert_eq!((output.code, output.stdout.as_str()), (0, ""));
    assert_eq!(fs::read_to_string(out("signals.csv")).unwrap(), job.predict(TRAINED_ON, &[]).stdout);
    assert_eq!(job.predict(TRAINED_ON, &["--out", &out("signals.parquet")]).code, 0);
    assert!(fs::read(out("signals.parquet")).unwrap().starts_with(b"PAR1"));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    let output = job.predict(TRAINED_ON, &["--out", &out("no/such/folder.csv")]);
    assert!(output.code == 1 && output.stderr.contains("no/such/folder.csv"), "{output:?}");
}

#[test]
fn a_job_whose_artifacts_cannot_be_written_succeeds_and_reports_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("no-folder");
    fs::write(&file, "").unwrap();
    let result = command::train(&jobs::job("unkept"), &[("ARTIFACTS_DIR", file.to_str().unwrap())]);
    assert_eq!((&result["status"], &result["run"]["artifacts"]), (&"success".into(), &Value::Null));
    let reason = result["run"]["artifacts_reason"].as_str().unwrap();
    assert!(reason.contains("no-folder") && reason.contains("ARTIFACTS_DIR"), "{reason}");
}

#[test]
fn artifacts_of_a_job_are_stored_under_its_token_and_each_attempt_has_its_own_folder() {
    let artifacts = tempfile::tempdir().unwrap();
    let settings = [("ARTIFACTS_DIR", artifacts.path().to_str().unwrap())];
    let redis = Redis::start();
    let _worker = Worker::start(&redis, &settings);
    redis.submit(&jobs::job("build:twice"));
    let first = PathBuf::from(redis.result_of("build:twice")["run"]["artifacts"].as_str().unwrap());
    assert_eq!(first.parent().unwrap(), artifacts.path().join("build:twice"));
    let token: Result<u64, _> = first.file_name().unwrap().to_str().unwrap().parse();
    assert!(token.is_ok(), "{}", first.display());
    let before = fs::read(first.join("artifact.json")).unwrap();
    let again = command::train(&jobs::job("build:twice"), &settings);
    let second = PathBuf::from(again["run"]["artifacts"].as_str().unwrap());
    assert!(second != first && second.parent() == first.parent());
    assert_eq!(fs::read(first.join("artifact.json")).unwrap(), before);
    let output = command::run(&["predict", "build:twice"], &settings);
    assert!(output.stderr.contains(second.to_str().unwrap()), "{}", output.stderr);
}
