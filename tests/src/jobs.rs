//! Jobs in the contract's form, and bars for them.

use std::path::PathBuf;

use serde_json::{Value, json};

/// Trials of a job that is still running whenever a test looks: the most that a job may ask for.
const ENDLESS: u32 = 1000;

/// A small job that can be done.
pub fn job(id: &str) -> Value {
    with_trials(id, 4)
}

/// A job that can be done, but not before a test has done something else meanwhile: a second or a few.
pub fn slow_job(id: &str) -> Value {
    searching(id, 60)
}

/// A job that takes longer than any test waits for it to run.
pub fn endless_job(id: &str) -> Value {
    searching(id, ENDLESS)
}

/// With labels that are frequent enough to be searched over; else the trials end before they are used up.
fn searching(id: &str, n_trials: u32) -> Value {
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

/// The quickest job there is, led by a family of the test's own.
pub fn led_by(family: &str, id: &str) -> Value {
    let mut job = with_trials(id, 2);
    let config = &mut job["design"]["ml_training_config"];
    config["config_search_model"] = json!(family);
    config["cv_folds"] = json!(2);
    job
}

/// A job that LightGBM leads, with the family that misbehaves beside it.
pub fn beside_misbehaving(id: &str, act: &str) -> Value {
    let mut job = job(id);
    let config = &mut job["design"]["ml_training_config"];
    config["families"] = json!(["misbehaving"]);
    config["misbehaving_act"] = json!(act);
    job
}

/// The job that the project carries, under an id of the test's own.
pub fn example(id: &str) -> Value {
    let mut job: Value = serde_json::from_str(include_str!("../../examples/job.json")).unwrap();
    job["build_id"] = json!(id);
    job
}

/// The bars that the project carries: daily, of AAPL and MSFT.
pub fn bars() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/bars"))
}
