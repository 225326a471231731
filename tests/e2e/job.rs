//! Jobs from entry to result. The tests check the wire format field by field.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use oculus_job::hash::sha256_hex;
use oculus_tests::redis_server::progress_channel;
use oculus_tests::results::outside_run;
use oculus_tests::{Redis, Worker, build, command, jobs, wording};
use serde_json::{Value, json};

/// The example job after a run through Redis, with everything that its backend receives.
struct Example {
    result: Value,
    events: Vec<Value>,
    last_event: String,
    /// Seconds until the last event expires.
    event_ttl_s: u64,
    elapsed: Duration,
}

/// Returns the example job, which runs once and is shared by all tests.
fn example() -> &'static Example {
    static EXAMPLE: OnceLock<Example> = OnceLock::new();
    EXAMPLE.get_or_init(|| {
        let redis = Redis::start();
        let _worker = Worker::start(&redis, &[]);
        let mut events = Vec::new();
        let started = Instant::now();
        let mut elapsed = Duration::ZERO;
        let result = redis.follow(&jobs::example("build:example"), |event| {
            elapsed = started.elapsed();
            events.push(event.clone());
        });
        let channel = progress_channel("build:example");
        let last_event = redis.query(&["GET", &channel]);
        let event_ttl_s = redis.query(&["TTL", &channel]);
        Example { result, events, last_event, event_ttl_s, elapsed }
    })
}

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is not a number"))
}

fn text(value: &Value) -> &str {
    value.as_str().filter(|text| !text.is_empty()).unwrap_or_else(|| panic!("{value} is not a non-empty text"))
}

fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap_or_else(|| panic!("{value} is not a list"))
}

/// Asserts that a value is null or within the range.
fn assert_within(value: &Value, low: f64, high: f64) {
    assert!(value.is_null() || (low..=high).contains(&number(value)), "{value} is not from {low} to {high}");
}

fn assert_sha256(value: &Value) {
    assert!(text(value).len() == 64 && text(value).chars().all(|char| char.is_ascii_hexdigit()), "{value}");
}

/// Asserts that an object with a null field also states the reason, either for that field or for
/// the whole object.
fn assert_nulls_have_reasons(value: &Value, path: &str) {
    let Value::Object(fields) = value else {
        return enumerate_list(value).for_each(|(idx, item)| assert_nulls_have_reasons(item, &format!("{path}/{idx}")));
    };
    for (name, field) in fields {
        let has_null = field.is_null() || field.as_array().is_some_and(|items| items.iter().any(Value::is_null));
        let reason = value["reasons"][name].as_str().or(value["reason"].as_str());
        assert!(!has_null || reason.is_some_and(|reason| !reason.is_empty()), "{path}/{name} is null without a reason");
        assert_nulls_have_reasons(field, &format!("{path}/{name}"));
    }
}

fn enumerate_list(value: &Value) -> impl Iterator<Item = (usize, &Value)> {
    value.as_array().into_iter().flatten().enumerate()
}

#[test]
fn the_result_has_the_fields_of_the_contract_and_every_null_has_a_reason() {
    let result = &example().result;
    let blocks = "backtest_results build_id canaries config_search design_config extracted_rules model_metrics models \
                  phase provenance run status strategy_optimization submissions verdict warnings";
    assert_eq!(keys(result), blocks.split_whitespace().collect::<Vec<_>>());
    assert_eq!(result["build_id"], "build:example");
    assert_eq!((&result["status"], &result["phase"]), (&json!("success"), &json!("complete")));
    assert_eq!(result["backtest_results"]["status"], "pending");
    let note = result["backtest_results"]["note"].as_str().unwrap();
    assert!(note.contains("strategy_optimization.test"), "the note names where the backtest is: {note}");
    assert_nulls_have_reasons(result, "");
}

#[test]
fn the_result_echoes_the_configuration_that_was_used() {
    let used = &example().result["design_config"];
    let design = &jobs::example("")["design"];
    for field in ["forward_returns_days_options", "profit_threshold_options", "priority_features", "exit_rules"] {
        assert_eq!(used[field].to_string(), design[field].to_string(), "{field}");
    }
    for field in ["config_search_model", "cv_folds", "train_neural_networks", "train_lstm"] {
        assert_eq!(used[field], design["ml_training_config"][field], "{field}");
    }
    assert_eq!((&used["n_iter_search"], &used["seed"]), (&json!(30), &json!(42)));
}

#[test]
fn the_metrics_of_the_model_are_consistent_shares() {
    let metrics = &example().result["model_metrics"];
    assert_eq!(metrics["model_name"], "LightGBM");
    let shares = "f1 precision recall auc pr_auc base_rate flagged_share threshold auc_volatility_baseline";
    for share in shares.split_whitespace() {
        assert!(metrics.get(share).is_some(), "no {share}");
        assert_within(&metrics[share], 0.0, 1.0);
    }
    for figure in ["auc", "auc_minus_baseline"] {
        let interval = &metrics[format!("{figure}_ci95")];
        assert!(number(&interval[0]) <= number(&metrics[figure]), "{metrics}");
        assert!(number(&interval[1]) >= number(&metrics[figure]), "{metrics}");
    }
    let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-9, "{a} and {b} in {metrics}");
    let baseline = number(&metrics["auc_volatility_baseline"]).max(0.5);
    close(number(&metrics["auc_minus_baseline"]), number(&metrics["auc"]) - baseline);
    let precision = number(&metrics["precision"]);
    let recall = number(&metrics["recall"]);
    close(number(&metrics["f1"]), 2.0 * precision * recall / (precision + recall));
    let n_test = number(&metrics["n_test"]);
    close(number(&metrics["base_rate"]), number(&metrics["n_test_positive"]) / n_test);
    close(precision * number(&metrics["flagged_share"]) * n_test, recall * number(&metrics["n_test_positive"]));
    let symbols = list(&metrics["per_symbol"]);
    assert_eq!(symbols.iter().map(|row| text(&row["symbol"])).collect::<Vec<_>>(), ["AAPL", "MSFT"]);
    close(symbols.iter().map(|row| number(&row["n_test"])).sum(), n_test);
    assert!(metrics["n_train"].as_u64().unwrap() > metrics["n_test"].as_u64().unwrap());
    assert!(text(&metrics["test_from"]) < text(&metrics["test_to"]));
}

#[test]
fn the_rules_of_the_job_are_returned_as_written_with_their_figures() {
    let rules = &example().result["extracted_rules"];
    assert_eq!(keys(rules), ["entry_rules", "exit_rules", "lists", "rule_sets", "suggested_rules", "top_features"]);
    let design = &jobs::example("")["design"];
    for side in ["entry_rules", "exit_rules"] {
        assert_eq!(list(&rules["suggested_rules"][side]).len(), list(&design[side]).len());
        for rule in list(&rules[side]).iter().filter(|rule| rule["source"] == "job") {
            let same = |own: &&Value| own["description"] == rule["description"];
            let own = list(&design[side]).iter().find(same).unwrap();
            assert_eq!((&rule["feature"], &rule["operator"]), (&own["feature"], &own["operator"]));
            assert_eq!(number(&rule["threshold"]), number(&own["threshold"]));
            assert!(rule["support"].as_u64().unwrap() > 0);
            assert_within(&rule["precision"], 0.0, 1.0);
            assert_within(&rule["lift"], 0.0, f64::MAX);
        }
    }
    let shares: Vec<f64> = list(&rules["top_features"]).iter().map(|row| number(&row["importance"])).collect();
    assert!((1..=20).contains(&shares.len()) && shares.is_sorted_by(|a, b| a >= b), "{shares:?}");
    assert!(shares.iter().all(|share| *share > 0.0) && shares.iter().sum::<f64>() <= 1.0 + 1e-9, "{shares:?}");
}

#[test]
fn a_mined_rule_is_scored_on_rows_that_it_was_not_mined_from() {
    let rules = &example().result["extracted_rules"];
    let mined = |part: &str| list(&rules[part]).iter().filter(|rule| rule["source"] == "mined").collect::<Vec<_>>();
    let all = ["entry_rules", "exit_rules", "rule_sets"].map(mined).concat();
    assert!(all.len() >= 5, "{rules}");
    for rule in all {
        assert!(!list(&rule["lists"]).is_empty() && !text(&rule["description"]).is_empty(), "{rule}");
        let figures = |block: &Value| [block["support"].clone(), block["lift"].clone()];
        let lists = ["entry", "exit"].map(|side| &rules["lists"][side]);
        let lists =
            lists.iter().flat_map(|lists| [&lists["stable"]["walk_forward"], &lists["high_lift"]["walk_forward"]]);
        let head = figures(rule);
        assert!(lists.map(figures).any(|list| list == head), "the head figures are those of a list: {rule}");
        assert!(
            rule.get("selected").is_some()
                && rule["in_sample"]["support"].as_u64().unwrap() > 0
                && rule["test"].is_object(),
            "{rule}"
        );
    }
    for side in ["entry", "exit"] {
        for kind in ["stable", "high_lift"] {
            let figures = &rules["lists"][side][kind];
            assert!(["walk_forward", "in_sample", "test"].iter().all(|part| figures.get(part).is_some()), "{figures}");
        }
    }
}

#[test]
fn the_strategy_has_parameters_performance_and_significance() {
    let result = &example().result;
    let strategy = &result["strategy_optimization"];
    assert_eq!(strategy["n_candidates"], 128);
    assert_eq!(list(&strategy["candidates"]).len(), 128);
    let parameters = &strategy["parameters"];
    assert!(parameters["holding_bars"].as_u64().unwrap() > 0, "{parameters}");
    for side in ["entry_rules", "exit_rules"] {
        let source = text(&parameters[side]["source"]);
        assert!(["none", "job", "stable", "high_lift"].contains(&source));
        assert_eq!(source == "none", list(&parameters[side]["rules"]).is_empty(), "{parameters}");
    }
    for part in ["development", "test"] {
        let figures = &strategy[part]["performance"];
        assert_within(&figures["exposure"], 0.0, 1.0);
        assert_within(&figures["hit_rate"], 0.0, 1.0);
        assert_within(&figures["max_drawdown_pct"], 0.0, 100.0);
        assert!(strategy[part]["buy_and_hold"].is_object() && strategy[part]["always_in"].is_object());
    }
    let splits = &result["provenance"]["splits"];
    assert!(text(&strategy["test"]["from"]) >= text(&splits["test"][0]), "{splits}");
    assert!(text(&strategy["development"]["to"]) < text(&splits["test"][0]), "{splits}");
    assert_within(&strategy["development"]["significance"]["pbo"], 0.0, 1.0);
    assert_within(&strategy["test"]["significance"]["probabilistic_sharpe"], 0.0, 1.0);
    assert!(["edge", "inconclusive", "no_edge"].contains(&text(&result["verdict"]["verdict"])));
    let surrogates = &result["canaries"]["surrogate_markets"];
    assert_eq!(surrogates["n_surrogates"], 19);
    assert!((1..=20).contains(&surrogates["rank"].as_u64().unwrap()), "{surrogates}");
}

#[test]
fn the_search_lists_every_label_and_trial_and_one_family_wins() {
    let result = &example().result;
    let search = &result["config_search"];
    let labels = list(&search["labels"]);
    assert_eq!(labels.len(), 9);
    let chosen: Vec<_> = labels.iter().filter(|label| label["status"] == "chosen").collect();
    assert_eq!(chosen.len(), 1);
    for field in ["horizon_days", "threshold_pct"] {
        assert_eq!(chosen[0][field], search["label"][field]);
        assert_eq!(chosen[0][field], result["model_metrics"]["label"][field]);
    }
    for label in labels {
        assert!(!text(&label["reason"]).is_empty());
        assert_within(&label["base_rate"], 0.0, 1.0);
    }
    let trials = list(&search["trials"]);
    assert_eq!(
        trials.iter().map(|trial| trial["number"].as_u64().unwrap()).collect::<Vec<_>>(),
        Vec::from_iter(1..=30)
    );
    assert_eq!(result["provenance"]["n_trials"], 30);
    for trial in trials {
        assert!(["label", "params"].contains(&text(&trial["stage"])) && trial["params"].is_object(), "{trial}");
        assert_within(&trial["auc"], 0.0, 1.0);
    }
    let model = &list(&result["models"])[0];
    assert_eq!((&model["name"], &model["plugin"]), (&json!("LightGBM"), &json!("lightgbm")));
    assert_eq!((&model["status"], &model["winner"], &model["device"]), (&json!("ok"), &json!(true), &json!("cpu")));
    assert_within(&model["validation"]["auc"], 0.0, 1.0);
}

#[test]
fn the_result_states_its_provenance() {
    let result = &example().result;
    let provenance = &result["provenance"];
    let library = build::library("oculus_plugin_lightgbm");
    assert_eq!(provenance["plugins"][0]["sha256"], sha256_hex(&std::fs::read(library).unwrap()));
    assert_sha256(&provenance["model_sha256"]);
    assert_sha256(&provenance["bars"]["sha256"]);
    assert_eq!(provenance["seed"], 42);
    for symbol in list(&provenance["bars"]["symbols"]) {
        assert!(text(&symbol["from"]) < text(&symbol["to"]) && symbol["n_bars"].as_u64().unwrap() > 500, "{symbol}");
    }
    let splits = &provenance["splits"];
    let parts: Vec<&Value> = list(&splits["blocks"]).iter().chain([&splits["test"]]).collect();
    assert_eq!(parts.len(), 5);
    let dates: Vec<&str> = parts.iter().flat_map(|part| [text(&part[0]), text(&part[1])]).collect();
    assert!(dates.is_sorted_by(|a, b| a < b), "{dates:?}");
    assert!(text(&result["model_metrics"]["test_from"]) >= text(&splits["test"][0]));
    let run = &result["run"];
    assert_timestamp(&run["started_at"]);
    let phases = run["seconds_by_phase"].as_object().unwrap().values().map(number).sum::<f64>();
    assert!(phases > 0.0 && phases <= number(&run["seconds"]) + 0.01, "{run}");
}

/// Asserts the form `2024-01-15T10:30:00`.
fn assert_timestamp(value: &Value) {
    let shape: String = text(value).chars().map(|char| if char.is_ascii_digit() { '0' } else { char }).collect();
    assert_eq!(shape, "0000-00-00T00:00:00");
}

#[test]
fn progress_is_reported_in_order_and_never_decreases() {
    let events = &example().events;
    let phases = "queued data_fetch feature_engineering config_search training rule_extraction \
                  strategy_optimization complete";
    let mut reported: Vec<&str> = events.iter().map(|event| text(&event["phase"])).collect();
    reported.dedup();
    assert_eq!(reported, phases.split_whitespace().collect::<Vec<_>>());
    for event in events {
        assert_eq!(keys(event), ["details", "job_id", "phase", "status", "timestamp"]);
        assert_eq!(event["job_id"], "build:example");
        assert_timestamp(&event["timestamp"]);
        assert!(!text(&event["details"]["message"]).is_empty() && event["details"]["elapsed_s"].is_number(), "{event}");
    }
    assert!(events.iter().map(|event| text(&event["timestamp"])).is_sorted());
    let percents: Vec<f64> = events.iter().map(|event| number(&event["details"]["percent"])).collect();
    assert!(percents.is_sorted() && percents.iter().all(|it| (0.0..=100.0).contains(it)), "{percents:?}");
    assert_eq!(percents.last(), Some(&100.0));
    // The time may be unknown before the features are computed, and is known afterwards.
    let searched = events.iter().skip_while(|event| event["phase"] != "config_search");
    for event in searched.filter(|event| event["status"] == "in_progress") {
        assert!(event["details"]["eta_s"].as_f64().is_some_and(|eta_s| eta_s >= 0.0), "{event}");
    }
    for phase in reported.iter().skip(1).take(reported.len() - 2) {
        let phase_events: Vec<_> = events.iter().filter(|event| event["phase"] == *phase).collect();
        assert_eq!(phase_events.first().unwrap()["status"], "in_progress", "{phase}");
        assert_eq!(phase_events.last().unwrap()["status"], "completed", "{phase}");
    }
    assert_eq!(events.last().unwrap()["status"], "completed");
}

#[test]
fn a_phase_reports_at_most_five_events_per_second_between_its_first_and_last() {
    let Example { events, elapsed, .. } = example();
    let is_middle = |three: &&[Value]| three.iter().all(|event| event["phase"] == three[0]["phase"]);
    let n_middle = events.windows(3).filter(is_middle).count();
    // Events are at least 200 ms apart, so the job's duration limits the number of events on any
    // machine.
    assert!(n_middle as f64 <= elapsed.as_secs_f64() * 5.0, "{n_middle} in {elapsed:?}");
    let last_trial = events.iter().filter_map(|event| event["details"]["trial"].as_u64()).max();
    assert!(last_trial.is_none_or(|trial| trial > n_middle as u64), "most of the 30 trials have no event");
}

#[test]
fn the_last_event_expires_after_an_hour() {
    let example = example();
    assert_eq!(serde_json::from_str::<Value>(&example.last_event).unwrap(), *example.events.last().unwrap());
    assert!((3500..=3600).contains(&example.event_ttl_s), "{} s", example.event_ttl_s);
}

#[test]
fn training_in_the_foreground_produces_the_same_bytes_as_training_through_the_queue() {
    let output = command::run_on(&jobs::example("build:example"), &["train", "--json"], &[]);
    assert_eq!(output.code, 0, "{}", output.stderr);
    assert_eq!(outside_run(&output.json()), outside_run(&example().result));
    assert!(output.stderr.contains("config_search"), "progress is on stderr: {}", output.stderr);
}

#[test]
fn designs_that_are_trained_in_the_foreground_are_counted_in_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let train = |id: &str, seed: u64| {
        let mut job = jobs::with_search_family("LightGBM", id);
        job["design"]["ml_training_config"]["seed"] = json!(seed);
        command::train(&job, &[("ARTIFACTS_DIR", folder.path().to_str().unwrap())])["submissions"].take()
    };
    let [first, second, again] = [("one", 1), ("two", 2), ("three", 1)].map(|(id, seed)| train(id, seed));
    assert_eq!([&first["n"], &second["n"], &again["n"]], [&json!(1), &json!(2), &json!(2)]);
    assert_eq!((&second["first"], &again["first"]), (&first["first"], &first["first"]));
    assert_eq!((number(&second["rank"]) - 1.5) * (number(&again["rank"]) - 1.5), -0.25, "the ranks are 1 and 2");
}

#[test]
fn a_job_is_read_by_its_id_or_key_or_from_the_entry_itself() {
    let redis = Redis::start();
    let _worker = Worker::start(&redis, &[]);
    let store = |key: &str, id: &str| {
        let () = redis.query(&["SET", key, &jobs::job(id).to_string()]);
    };
    redis.submit(&jobs::job("by-id"));
    redis.push(&jobs::job("in-the-entry").to_string());
    store("somewhere:else", "by-key");
    redis.push("somewhere:else");
    store("another:place", "by-pointer");
    redis.push(&json!({ "build_id": "by-pointer", "payload_key": "another:place" }).to_string());
    let results = ["by-id", "in-the-entry", "by-key", "by-pointer"].map(|id| {
        let mut result = redis.result_of(id);
        assert_eq!((&result["build_id"], &result["status"]), (&json!(id), &json!("success")), "{result}");
        result["build_id"] = Value::Null;
        outside_run(&result)
    });
    assert!(results.iter().all(|result| *result == results[0]), "the result does not depend on the form of the entry");
}

#[test]
fn a_job_with_only_years_and_strategy_type_runs() {
    let job = json!({ "build_id": "old", "symbols": ["AAPL", "MSFT"], "design": { "years": 2, "strategy_type": "momentum" } });
    let result = command::train(&job, &[]);
    let used = &result["design_config"];
    assert_eq!((&used["n_iter_search"], &used["config_search_model"]), (&json!(30), &json!("LightGBM")));
    assert_eq!((&used["timeframe"], &used["cv_folds"]), (&json!("1d"), &json!(3)));
    let entry = list(&result["extracted_rules"]["entry_rules"]);
    assert!(entry.iter().all(|rule| rule["source"] == "mined"), "the job does not contain rules: {entry:?}");
    assert_nulls_have_reasons(&result, "");
}

#[test]
fn unknown_feature_names_are_listed_with_the_nearest_known_name() {
    let mut job = jobs::job("misspelt");
    job["design"]["priority_features"] = json!(["RSI_14", "ROC_10", "VOLUMERATIO_20"]);
    let rule = json!({ "feature": "SENTIMENT_SCORE", "operator": ">", "threshold": 0.5, "description": "Good news" });
    job["design"]["entry_rules"] = json!([rule]);
    job["design"]["exit_rules"] = json!([]);
    let result = command::train(&job, &[]);
    assert_eq!(result["provenance"]["requested_features"], json!({ "ROC_10": "RET_10", "RSI_14": "RSI_14" }));
    assert!(text(&result["provenance"]["unresolved_features"]["VOLUMERATIO_20"]).contains("VOLUME_RATIO_20"));
    let rules = &result["extracted_rules"];
    let entry = list(&rules["entry_rules"]);
    assert!(
        entry.iter().all(|rule| rule["source"] == "mined"),
        "a rule on an unknown feature is not returned as an entry rule"
    );
    assert_eq!(rules["suggested_rules"]["unresolved"][0]["feature"], "SENTIMENT_SCORE");
    assert_nulls_have_reasons(&result, "");
}

#[test]
fn a_family_that_is_not_installed_is_skipped_with_the_reason() {
    let mut job = jobs::job("with-lstm");
    job["design"]["ml_training_config"]["train_lstm"] = json!(true);
    job["design"]["ml_training_config"]["lstm_epochs"] = json!(250);
    let result = command::train(&job, &[]);
    let models = list(&result["models"]);
    assert_eq!(models.iter().map(|row| text(&row["status"])).collect::<Vec<_>>(), ["ok", "skipped"]);
    assert!(text(&models[1]["reason"]).contains("train_lstm") && text(&models[1]["reason"]).contains("LightGBM"));
    assert_eq!(result["design_config"]["train_lstm"], true);
    assert_nulls_have_reasons(&result, "");
}

#[test]
fn refused_jobs_report_the_found_value_and_the_worker_takes_the_next() {
    let redis = Redis::start();
    let worker = Worker::start(&redis, &[]);
    let submit = |id: &str, at: &str, value: Value| {
        let mut job = jobs::job(id);
        *job.pointer_mut(at).unwrap() = value;
        redis.submit(&job);
    };
    submit("too-few-bars", "/design/years", json!(0.5));
    submit("unknown-model", "/design/ml_training_config/config_search_model", json!("LightGMB"));
    submit("wrong-types", "/design/ml_training_config/cv_folds", json!("many"));
    submit("timeframe", "/timeframe", json!("9q"));
    submit("path", "/symbols", json!(["../../etc/passwd"]));
    submit("no-bars", "/symbols", json!(["NOSUCH"]));
    let expected = [
        ("too-few-bars", "too_few_bars", "250"),
        ("unknown-model", "unknown_model", "\"LightGMB\""),
        ("wrong-types", "invalid_job", &wording::found("design.ml_training_config.cv_folds", "\"many\"")),
        ("timeframe", "invalid_job", &wording::found("timeframe", "\"9q\"")),
        ("path", "invalid_job", "symbols"),
        ("no-bars", "no_bars", "NOSUCH"),
    ];
    for (id, code, found) in expected {
        let result = redis.result_of(id);
        let error = &result["error"];
        assert_eq!((&result["build_id"], &result["status"]), (&json!(id), &json!("failed")), "{result}");
        assert_eq!((&error["code"], &error["kind"]), (&json!(code), &json!("refused")), "{result}");
        assert!(text(&error["message"]).contains(found) && !text(&error["hint"]).is_empty(), "{result}");
        let event = redis.json_at(&progress_channel(id));
        assert_eq!((&event["status"], &event["phase"]), (&json!("failed"), &result["phase"]), "{event}");
    }
    redis.submit(&jobs::job("good"));
    assert_eq!(redis.result_of("good")["status"], "success");
    assert!(worker.is_running());
}

#[test]
fn entries_that_cannot_be_read_are_dead_letters_with_a_hint_and_the_next_job_runs() {
    let redis = Redis::start();
    let worker = Worker::start(&redis, &[("WORKER_CONCURRENCY", "1")]);
    let large = format!(r#"{{"symbols": ["{}"]}}"#, "x".repeat(10 << 20));
    for entry in ["this is not a job", large.as_str()] {
        redis.push(entry);
    }
    redis.submit(&jobs::job("next"));
    assert_eq!(redis.result_of("next")["status"], "success");
    let letters = redis.dead_letters();
    let mut reasons: Vec<&str> = letters.iter().map(|letter| text(&letter["reason"])).collect();
    reasons.sort_unstable();
    assert_eq!(reasons, ["entry_too_large", "entry_without_id"]);
    for letter in &letters {
        assert!(letter["id"].is_null() && !text(&letter["message"]).is_empty() && !text(&letter["hint"]).is_empty());
    }
    assert!(worker.is_running());
}
