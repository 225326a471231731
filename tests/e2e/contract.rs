//! Results, progress events, registrations and heartbeats of real jobs match the schemas in
//! `docs/schema`, which allow no other keys. A backend with strict types can therefore read them.
//!
//! `bench/contract.py` does the same with more jobs and another validator.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::Path;
use std::time::Instant;

use oculus_job::request::Timeframe;
use oculus_market_data::synth::{Kind, Recipe, files, generate};
use oculus_tests::schema::Schema;
use oculus_tests::{Backend, Redis, SOON, Worker, build, jobs};
use serde_json::{Value, json};

/// The symbols of the jobs: name, kind, timeframe and number of bars.
const SYMBOLS: [(&str, &str, Timeframe, usize); 9] = [
    ("WALK", "walk", Timeframe::Day1, 1100),
    ("GARCH", "garch", Timeframe::Day1, 1100),
    ("REBOUND", "rebound", Timeframe::Day1, 1100),
    ("RULE", "rule", Timeframe::Day1, 1100),
    ("^INDEX", "garch", Timeframe::Day1, 1100),
    ("SHORT", "walk", Timeframe::Day1, 120),
    ("WEEK", "walk", Timeframe::Week1, 900),
    ("WEEK2", "rebound", Timeframe::Week1, 900),
    ("HOUR", "garch", Timeframe::Hour1, 3600),
];

/// Jobs that a user cancels.
const CANCELLED: [&str; 2] = ["cancelled-1", "cancelled-2"];

#[test]
fn everything_that_a_backend_receives_of_sixty_jobs_matches_the_schemas() {
    let folder = tempfile::tempdir().unwrap();
    write_bars(folder.path());
    let redis = Redis::start();
    let backend = Backend::start();
    let plugins = build::with_library("with-linear", &build::library("oculus_plugin_linear"));
    let bars = format!("dir:{}", folder.path().display());
    let settings = [("BARS_SOURCE", &*bars), ("BACKEND_URL", backend.url()), ("HEARTBEAT_SECONDS", "1")];
    let worker = Worker::start_with_plugins(&redis, &plugins, &settings);

    let jobs = sixty_jobs();
    let events = run(&redis, &jobs);
    let results: Vec<Value> = jobs.keys().map(|id| redis.json_at(&format!("result:{id}"))).collect();
    drop(worker);

    assert_eq!(results.len(), 60);
    assert_matches("result", &results);
    assert_matches("progress", &events);
    let received = backend.wait_until("heartbeats", |received| received.heartbeats.len() > 2);
    assert_matches("registration", &received.registrations);
    assert_matches("heartbeat", &received.heartbeats);

    let statuses = count(results.iter().map(|result| result["status"].as_str().unwrap()));
    assert_eq!(statuses["cancelled"], CANCELLED.len(), "{statuses:?}");
    assert!(statuses["success"] >= 44 && statuses["failed"] >= 8, "{statuses:?}: {:?}", errors(&results));
    for metrics in results.iter().filter(|result| result["status"] == "success").map(|result| &result["model_metrics"])
    {
        let is_undefined = metrics["auc_reliability"] == "undefined";
        assert_eq!(metrics["auc"].is_null(), is_undefined, "{metrics}");
    }
    for phase in ["queued", "data_fetch", "feature_engineering", "config_search", "training", "rule_extraction"] {
        assert!(events.iter().any(|event| event["phase"] == phase), "{phase}");
    }
}

#[test]
fn the_examples_of_the_pages_match_the_schemas() {
    for document in ["result", "progress", "registration", "heartbeat"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../docs/schema/examples/{document}.json"));
        let examples: Vec<Value> = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
        assert_matches(document, &examples);
    }
}

#[test]
fn the_example_job_matches_the_schema_of_a_job() {
    assert_matches(
        "job",
        &[jobs::example("example"), jobs::job("small"), json!({ "build_id": "b", "symbols": ["A"] })],
    );
    let schema = Schema::of("job");
    for invalid in
        [json!({ "symbols": ["A"] }), json!({ "build_id": "b" }), json!({ "build_id": null, "symbols": ["A"] })]
    {
        assert_ne!(schema.violations(&invalid), Vec::<String>::new(), "{invalid}");
    }
}

fn assert_matches(document: &str, values: &[Value]) {
    let schema = Schema::of(document);
    let violations: Vec<_> = values.iter().flat_map(|value| schema.violations(value)).collect();
    assert!(violations.is_empty(), "{} of {document}: {violations:#?}", violations.len());
}

/// Submits all jobs, cancels those of [`CANCELLED`] while they search, and returns all progress
/// events.
fn run(redis: &Redis, jobs: &BTreeMap<String, String>) -> Vec<Value> {
    let mut connection = redis.connection();
    let mut subscriber = connection.as_pubsub();
    subscriber.psubscribe("oculus:training:progress:*").unwrap();
    subscriber.set_read_timeout(Some(SOON * 6)).unwrap();
    for (id, payload) in jobs {
        redis.submit_payload(id, payload);
    }
    let started = Instant::now();
    let mut events = Vec::new();
    let mut n_running = jobs.len();
    let mut to_cancel = BTreeSet::from(CANCELLED);
    while n_running > 0 {
        let text: String = subscriber.get_message().unwrap().get_payload().unwrap();
        let event: Value = serde_json::from_str(&text).unwrap();
        let id = event["job_id"].as_str().unwrap();
        if event["phase"] == "config_search" && to_cancel.remove(id) {
            redis.cancel(id);
        }
        let is_final =
            event["phase"] == "complete" || ["failed", "cancelled"].iter().any(|last| event["status"] == *last);
        n_running -= usize::from(is_final);
        events.push(event);
    }
    eprintln!("{} jobs and {} events in {:.1?}", jobs.len(), events.len(), started.elapsed());
    events
}

/// Returns the payloads of the jobs by their ids.
fn sixty_jobs() -> BTreeMap<String, String> {
    let daily: [&[&str]; 6] = [
        &["WALK"],
        &["GARCH"],
        &["^INDEX"],
        &["REBOUND"],
        &["WALK", "RULE"],
        &["WALK", "GARCH", "REBOUND", "RULE", "^INDEX"],
    ];
    let labels = [(5, 2.0), (10, 0.5), (1, -1.0), (20, 6.0)];
    let mut all: Vec<Value> = Vec::new();
    for symbols in daily {
        all.extend(labels.map(|label| job(symbols, "1d", label)));
    }
    // Few dates: the smallest window that a job accepts.
    all.extend(labels.map(|label| with(job(&["WALK"], "1d", label), "years", json!(1.05))));
    for symbols in [&["WEEK"][..], &["WEEK", "WEEK2"]] {
        let weekly = labels[..3].iter().map(|label| with(job(symbols, "1w", *label), "years", json!(8)));
        all.extend(weekly);
    }
    all.extend(labels[..2].iter().map(|label| job(&["HOUR"], "1h", *label)));
    let two_families =
        labels.map(|label| training(job(&["GARCH", "RULE"], "1d", label), "families", json!(["LightGBM"])));
    all.extend(two_families);
    // A tree whose leaves need more rows than there are is a constant.
    let tree = |symbol: &str| training(job(&[symbol], "1d", (5, 2.0)), "config_search_model", json!("LightGBM"));
    all.extend(["WALK", "GARCH", "RULE"].map(|symbol| training(tree(symbol), "lgbm_min_data_in_leaf", json!(10_000))));
    all.extend(
        ["WALK", "RULE"].map(|symbol| training(job(&[symbol], "1d", (5, 2.0)), "rule_extractor", json!("missing"))),
    );
    let unresolved = with(job(&["GARCH"], "1d", (5, 2.0)), "priority_features", json!(["RSI_14", "NO_SUCH"]));
    all.push(unresolved);
    // Failures.
    let plain = || job(&["WALK"], "1d", (5, 2.0));
    all.push(job(&["MISSING"], "1d", (5, 2.0)));
    all.push(job(&["SHORT"], "1d", (5, 2.0)));
    all.push(job(&["WALK"], "1w", (5, 2.0)));
    all.push(job(&["BROKEN"], "1d", (5, 2.0)));
    all.push(job(&["WALK"], "1d", (5, 900.0)));
    all.push(with(plain(), "years", json!(0)));
    all.push(with(plain(), "years", json!(50)));
    all.push(training(plain(), "config_search_model", json!("NoSuchModel")));
    all.push(training(plain(), "cv_folds", json!("many")));
    all.push(training(plain(), "cv_folds", json!(-1)));
    all.push(training(tree("WALK"), "lgbm_num_leaves", json!(-1)));
    let mut payloads: BTreeMap<String, String> =
        (1..).zip(all).map(|(number, job)| named(&format!("job-{number:02}"), job)).collect();
    payloads.insert("not-json".to_owned(), "{\"symbols\": [NaN]".to_owned());
    for id in CANCELLED {
        let mut endless = jobs::endless_job(id);
        endless["symbols"] = json!(["RULE"]);
        payloads.insert(id.to_owned(), endless.to_string());
    }
    payloads
}

/// Returns a small job with one label: horizon in sessions, and threshold in percent.
fn job(symbols: &[&str], timeframe: &str, label: (u32, f64)) -> Value {
    let (horizon, threshold) = label;
    json!({
        "user_id": "user:tests", "symbols": symbols, "timeframe": timeframe,
        "design": {
            "years": 2, "strategy_trials": 4, "recommended_n_iter_search": 2,
            "forward_returns_days_options": [horizon], "profit_threshold_options": [threshold],
            "entry_rules": [
                { "feature": "RSI_14", "operator": "<=", "threshold": 35.0, "description": "Oversold" },
                { "feature": "RSI_14", "operator": "<", "threshold": -1.0 },
                { "feature": "NO_SUCH_FEATURE", "operator": ">", "threshold": 0 },
            ],
            "exit_rules": [{ "feature": "RSI_14", "operator": ">=", "threshold": 70.0 }],
            "ml_training_config": { "config_search_model": "Linear", "cv_folds": 2 },
        },
    })
}

fn with(mut job: Value, field: &str, value: Value) -> Value {
    job["design"][field] = value;
    job
}

fn training(mut job: Value, field: &str, value: Value) -> Value {
    job["design"]["ml_training_config"][field] = value;
    job
}

fn named(id: &str, mut job: Value) -> (String, String) {
    job["build_id"] = json!(id);
    (id.to_owned(), job.to_string())
}

/// Writes the bars of [`SYMBOLS`], and a file that cannot be read as bars.
fn write_bars(folder: &Path) {
    for (stream, (symbol, kind, timeframe, n_bars)) in (0..).zip(SYMBOLS) {
        let kind = Kind::from_name(kind).unwrap();
        let recipe = Recipe { kind, symbol: symbol.to_owned(), stream, seed: 7, timeframe, n_bars };
        let mut file = File::create(folder.join(format!("{symbol}.csv"))).unwrap();
        files::csv(&generate(&recipe).bars, timeframe, &mut file).unwrap();
    }
    fs::write(folder.join("BROKEN.csv"), "date,open,high,low,close,volume\n2024-01-02,1,0,1,1,1\n").unwrap();
}

fn count<'v>(values: impl Iterator<Item = &'v str>) -> BTreeMap<&'v str, usize> {
    values.fold(BTreeMap::new(), |mut counts, value| {
        *counts.entry(value).or_default() += 1;
        counts
    })
}

fn errors(results: &[Value]) -> Vec<String> {
    results.iter().filter_map(|result| result.get("error")).map(Value::to_string).collect()
}
