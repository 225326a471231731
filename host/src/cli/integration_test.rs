//! `oculus-host integration-test`: sends a test job through Redis and checks the fields of its
//! result.
//!
//! The checks deliberately read the result by its JSON keys, like a backend in any language. If
//! they used this program's types, they would still pass after a field of a type is renamed.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args as ClapArgs;
use oculus_job::progress::{Event, Status};
use serde_json::{Value, json};

use super::client::{JobClient, JobWatcher};
use crate::config::Config;

/// Send a test job to the workers and check its result
///
/// Prints one line per check. The exit code is 0 if every check passes and 1 otherwise.
#[derive(ClapArgs, Clone, Debug)]
#[command(after_help = "Example:\n  oculus-host integration-test --symbols AAPL,MSFT")]
pub(super) struct IntegrationTestArgs {
    /// Symbols of the job; the workers need bars of them
    #[arg(long, value_name = "A,B", value_delimiter = ',', default_value = "AAPL,MSFT")]
    pub symbols: Vec<String>,
    /// Seconds to wait for the result
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    pub timeout: u64,
}

/// Sends the test job, waits for its result and checks it; the exit code is 0 if every check
/// passes, else 1.
///
/// # Errors
/// Returns an error if Redis cannot be reached.
pub(super) async fn run(config: &Config, args: &IntegrationTestArgs) -> anyhow::Result<ExitCode> {
    let id = unique_id();
    let client = JobClient::open(config).await?;
    // Subscribes before it submits, so that no event is missed.
    let mut watcher = JobWatcher::subscribe(&client, &id).await?;
    client.submit(&id, &test_job(&id, &args.symbols).to_string()).await?;
    eprintln!("job {id} is in the queue {}; waiting for its result", client.queue());
    let mut events = Vec::new();
    let waiting = watcher.wait_for_result(|event| {
        let message = event.details.get("message").and_then(Value::as_str).unwrap_or_default();
        eprintln!("  {} {message}", event.phase.name());
        events.push(event.clone());
    });
    let Ok(result) = tokio::time::timeout(Duration::from_secs(args.timeout), waiting).await else {
        println!("FAIL no result within {} s; check that a worker takes jobs from `{}`", args.timeout, client.queue());
        return Ok(ExitCode::FAILURE);
    };
    let checks = [result_checks(&id, &result?), event_checks(&id, &events)].concat();
    for check in &checks {
        println!("{} {}", if check.holds { "ok  " } else { "FAIL" }, check.claim);
    }
    let n_failed = checks.iter().filter(|check| !check.holds).count();
    println!(
        "{}",
        if n_failed == 0 { "PASSED".to_owned() } else { format!("FAILED: {n_failed} of {} checks", checks.len()) }
    );
    Ok(if n_failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn unique_id() -> String {
    // The process id distinguishes tests that start in the same millisecond.
    format!("build:integration-test-{}-{}", jiff::Timestamp::now().as_millisecond(), std::process::id())
}

/// Returns a small job in the format of the backend.
fn test_job(id: &str, symbols: &[String]) -> Value {
    json!({
        "build_id": id,
        "user_id": "user:integration-test",
        "symbols": symbols,
        "timeframe": "1d",
        "design": {
            "years": 2,
            "strategy_type": "momentum",
            "strategy_description": "Momentum strategy using RSI and MACD crossovers",
            "strategy_rationale": "Captures trend continuation after pullbacks",
            "forward_returns_days_options": [5, 10],
            "profit_threshold_options": [2.0, 3.0],
            "recommended_n_iter_search": 8,
            "priority_features": ["RSI_14", "MACD_HIST", "ADX", "EMA_CROSS_8_21"],
            "entry_rules": [
                { "feature": "RSI_14", "operator": "<=", "threshold": 35.0, "description": "Oversold entry" },
                { "feature": "MACD_HIST", "operator": ">", "threshold": 0, "description": "MACD bullish" },
            ],
            "exit_rules": [
                { "feature": "RSI_14", "operator": ">=", "threshold": 70.0, "description": "Overbought exit" },
            ],
            "entry_score_threshold": 2,
            "exit_score_threshold": 1,
            "ml_training_config": {
                "config_search_model": "LightGBM",
                "train_neural_networks": false,
                "train_lstm": false,
                "cv_folds": 3,
            },
        },
    })
}

/// The outcome of one check.
#[derive(Clone)]
struct Check {
    holds: bool,
    claim: String,
}

fn check(holds: bool, claim: impl Into<String>) -> Check {
    Check { holds, claim: claim.into() }
}

fn result_checks(id: &str, result: &Value) -> Vec<Check> {
    let is = |path: &str, expected: Value| {
        let found = result.pointer(path).unwrap_or(&Value::Null);
        let shown = if *found == expected { String::new() } else { format!(" (found {found})") };
        check(*found == expected, format!("{path} is {expected}{shown}"))
    };
    let mut checks = vec![
        is("/build_id", json!(id)),
        is("/status", json!("success")),
        is("/phase", json!("complete")),
        is("/backtest_results/status", json!("pending")),
        is("/design_config/forward_returns_days_options", json!([5, 10])),
        is("/design_config/profit_threshold_options", json!([2.0, 3.0])),
        is("/design_config/n_iter_search", json!(8)),
        is("/design_config/cv_folds", json!(3)),
        is("/design_config/config_search_model", json!("LightGBM")),
        is("/design_config/train_neural_networks", json!(false)),
        is("/design_config/train_lstm", json!(false)),
    ];
    let note = result.pointer("/backtest_results/note");
    checks.push(check(note.is_some_and(Value::is_string), "/backtest_results/note is a text"));
    let name = result.pointer("/model_metrics/model_name");
    checks.push(check(name.is_some_and(Value::is_string), "/model_metrics/model_name names a model"));
    for metric in ["f1", "precision", "recall", "auc"] {
        let found = result.pointer(&format!("/model_metrics/{metric}"));
        // A metric that is not defined on the test rows is null, but the field is always present.
        let holds = found
            .is_some_and(|value| value.is_null() || value.as_f64().is_some_and(|number| (0.0..=1.0).contains(&number)));
        checks.push(check(holds, format!("/model_metrics/{metric} is from 0 to 1, or null")));
    }
    for list in ["entry_rules", "exit_rules", "top_features"] {
        let found = result.pointer(&format!("/extracted_rules/{list}"));
        checks.push(check(found.is_some_and(Value::is_array), format!("/extracted_rules/{list} is a list")));
    }
    if let Some(message) = result.pointer("/error/message").and_then(Value::as_str) {
        checks.push(check(false, format!("the job has no error (found: {message})")));
    }
    checks
}

fn event_checks(id: &str, events: &[Event]) -> Vec<Check> {
    let percents: Vec<f64> = events.iter().filter_map(|event| event.details.get("percent")?.as_f64()).collect();
    // A time in the backend's format has whole seconds and no time zone, so it has 19 characters.
    let stamp = |event: &Event| event.timestamp.parse::<jiff::civil::DateTime>().is_ok() && event.timestamp.len() == 19;
    vec![
        check(!events.is_empty(), format!("progress events are published ({} received)", events.len())),
        check(events.iter().all(|event| event.job_id == id), "every event has the job's id"),
        check(events.iter().all(stamp), "every event has a time such as 2024-01-15T10:30:00"),
        check(events.is_sorted_by_key(|event| event.phase), "the phases are in order"),
        check(percents.is_sorted(), "percent never decreases"),
        check(
            events.last().is_some_and(|event| event.is_final() && event.status == Status::Completed),
            "the last event is `complete`, `completed`",
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good_result() -> Value {
        json!({
            "build_id": "b", "status": "success", "phase": "complete",
            "model_metrics": { "model_name": "LightGBM", "f1": 0.65, "precision": null, "recall": 0.6, "auc": 0.72 },
            "extracted_rules": { "entry_rules": [], "exit_rules": [], "top_features": [] },
            "backtest_results": { "status": "pending", "note": "Backtesting requires full strategy deployment" },
            "design_config": {
                "forward_returns_days_options": [5, 10], "profit_threshold_options": [2.0, 3.0], "n_iter_search": 8,
                "cv_folds": 3, "config_search_model": "LightGBM", "train_neural_networks": false, "train_lstm": false,
            },
        })
    }

    #[test]
    fn a_check_fails_for_each_missing_field() {
        assert!(result_checks("b", &good_result()).iter().all(|check| check.holds));
        for part in ["", "/model_metrics", "/extracted_rules", "/backtest_results", "/design_config"] {
            let names: Vec<String> = good_result()
                .pointer(part)
                .and_then(Value::as_object)
                .into_iter()
                .flat_map(|fields| fields.keys().cloned())
                .collect();
            assert!(!names.is_empty());
            for name in names {
                let mut result = good_result();
                result.pointer_mut(part).and_then(Value::as_object_mut).map(|fields| fields.remove(&name));
                assert!(
                    result_checks("b", &result).iter().any(|check| !check.holds),
                    "no check fails without {part}/{name}"
                );
            }
        }
    }
}
