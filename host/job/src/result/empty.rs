//! The fields of a successful result that a job without a model cannot fill.
//!
//! In: nothing. Out: JSON. Invariant: a field that the contract with the backend defines has the
//! contract's type, so that a strict client can read every result into one type. Such a value is a
//! placeholder; `status` and `error` state that the job has no model. Fields that the contract does
//! not define are empty lists and objects, or null if a successful result has required fields there.

use serde_json::{Map, Value, json};

const NO_MODEL: &str = "the job has no model: see `error`";

/// Returns the top-level fields of a successful result that a failed one would not have otherwise.
pub(super) fn outputs() -> Map<String, Value> {
    let outputs = json!({
        "model_metrics": {
            "model_name": "",
            "f1": 0.0,
            "precision": 0.0,
            "recall": 0.0,
            "auc": 0.0,
            "reasons": { "f1": NO_MODEL, "precision": NO_MODEL, "recall": NO_MODEL, "auc": NO_MODEL },
        },
        "extracted_rules": { "entry_rules": [], "exit_rules": [], "rule_sets": [], "top_features": [] },
        "backtest_results": { "status": "pending", "note": "The job has no strategy to backtest" },
        "models": [],
        "config_search": null,
        "strategy_optimization": null,
        "verdict": null,
        "submissions": null,
        "canaries": null,
        "provenance": null,
        "warnings": [],
        "run": {},
    });
    outputs.as_object().cloned().unwrap_or_default()
}

/// Returns the field `design_config` of a job that could not be parsed.
pub(super) fn design_config() -> Value {
    json!({
        "forward_returns_days_options": [],
        "profit_threshold_options": [],
        "n_iter_search": 0,
        "cv_folds": 0,
        "config_search_model": "",
        "train_neural_networks": false,
        "train_lstm": false,
    })
}
