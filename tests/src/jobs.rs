//! Jobs in the contract's form, and bars for them.

use std::path::PathBuf;

use serde_json::{Value, json};

/// The maximum number of trials, for a job that outlasts its test.
const ENDLESS_TRIALS: u32 = 1000;

/// Returns a small job that succeeds.
pub fn job(id: &str) -> Value {
    with_trials(id, 4)
}

/// Returns a job that succeeds after a few seconds, so that a test can act in the meantime.
pub fn slow_job(id: &str) -> Value {
    with_many_trials(id, 60)
}

/// Returns a job that outlasts its test.
pub fn endless_job(id: &str) -> Value {
    with_many_trials(id, ENDLESS_TRIALS)
}

/// Returns a job with frequent positive labels. With rare ones, the search would stop before its
/// last trial.
fn with_many_trials(id: &str, n_trials: u32) -> Value {
    let mut job = with_trials(id, n_trials);
    job["design"]["forward_returns_days_options"] = json!([2, 3, 5]);
    job["design"]["profit_threshold_options"] = json!([0.5, 1.0]);
    job
}

fn with_trials(id: &str, n_trials: u32) -> Value {
    json!({
        "build_id": id,
        "user_id": "user:tests",
        "symbols": ["AAPL", "MSFT"],
        "timeframe": "1d",
        "design": {
            "years": 2,
            "strategy_type": "momentum",
            "forward_returns_days_options": [5],
            "profit_threshold_options": [2.0],
            "recommended_n_iter_search": n_trials,
            "priority_features": ["RSI_14", "MACD_HIST"],
            "entry_rules": [{ "feature": "RSI_14", "operator": "<=", "threshold": 35.0, "description": "Oversold" }],
            "exit_rules": [{ "feature": "RSI_14", "operator": ">=", "threshold": 70.0, "description": "Overbought" }],
            "ml_training_config": {
                "config_search_model": "LightGBM",
                "train_neural_networks": false,
                "train_lstm": false,
                "cv_folds": 3,
            },
        },
    })
}

/// Returns the fastest possible job, whose search trains the given family.
pub fn with_search_family(family: &str, id: &str) -> Value {
    let mut job = with_trials(id, 2);
    let config = &mut job["design"]["ml_training_config"];
    config["config_search_model"] = json!(family);
    config["cv_folds"] = json!(2);
    job
}

/// Returns a job whose search trains LightGBM, with the misbehaving family as a second family.
pub fn with_misbehaving(id: &str, act: &str) -> Value {
    let mut job = job(id);
    let config = &mut job["design"]["ml_training_config"];
    config["families"] = json!(["misbehaving"]);
    config["misbehaving_act"] = json!(act);
    job
}

/// Returns `examples/job.json` under another id.
pub fn example(id: &str) -> Value {
    let mut job: Value = serde_json::from_str(include_str!("../../examples/job.json")).unwrap();
    job["build_id"] = json!(id);
    job
}

/// Returns the folder `examples/bars`: daily bars of AAPL and MSFT.
pub fn bars() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/bars"))
}
