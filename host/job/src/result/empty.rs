//! The fields of a successful result that a job without a model cannot fill.
//!
//! In: nothing. Out: [`EmptyOutputs`]. Invariant: a field that the contract with the backend defines
//! has the contract's type, so that a strict client can read every result into one type. Such a
//! value is a placeholder; `status` and `error` state that the job has no model. Fields that the
//! contract does not define are empty lists and objects, or null if a successful result has required
//! fields there.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

/// A list without elements.
type EmptyList = [(); 0];

/// The top-level fields of a successful result that a job without a model cannot fill.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct EmptyOutputs {
    /// Placeholder: the job has no model.
    #[schemars(extend("x-contract" = true))]
    model_metrics: EmptyMetrics,
    /// Empty lists: the job has no rules.
    #[schemars(extend("x-contract" = true))]
    extracted_rules: EmptyRules,
    /// Placeholder that the contract with the backend requires.
    #[schemars(extend("x-contract" = true))]
    backtest_results: EmptyBacktest,
    /// Always empty.
    models: EmptyList,
    /// Always null.
    config_search: (),
    /// Always null.
    strategy_optimization: (),
    /// Always null.
    verdict: (),
    /// Always null.
    submissions: (),
    /// Always null.
    canaries: (),
    /// Always null.
    provenance: (),
    /// Always empty.
    warnings: EmptyList,
    /// Always empty.
    run: Empty,
}

/// An object without fields.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
struct Empty {}

/// The metrics of a job without a model.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
struct EmptyMetrics {
    /// Always empty.
    #[schemars(extend("x-contract" = true))]
    model_name: &'static str,
    /// Always 0, with its reason in `reasons`.
    #[schemars(extend("x-contract" = true))]
    f1: f64,
    /// Always 0, with its reason in `reasons`.
    #[schemars(extend("x-contract" = true))]
    precision: f64,
    /// Always 0, with its reason in `reasons`.
    #[schemars(extend("x-contract" = true))]
    recall: f64,
    /// Always 0, with its reason in `reasons`.
    #[schemars(extend("x-contract" = true))]
    auc: f64,
    /// Reason of each placeholder, by field name.
    reasons: BTreeMap<&'static str, &'static str>,
}

impl Default for EmptyMetrics {
    fn default() -> Self {
        let reason = "the job has no model: see `error`";
        let reasons = ["f1", "precision", "recall", "auc"].map(|name| (name, reason));
        Self { model_name: "", f1: 0.0, precision: 0.0, recall: 0.0, auc: 0.0, reasons: reasons.into() }
    }
}

/// The rules of a job without a model.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
struct EmptyRules {
    /// Always empty.
    #[schemars(extend("x-contract" = true))]
    entry_rules: EmptyList,
    /// Always empty.
    #[schemars(extend("x-contract" = true))]
    exit_rules: EmptyList,
    /// Always empty.
    rule_sets: EmptyList,
    /// Always empty.
    #[schemars(extend("x-contract" = true))]
    top_features: EmptyList,
}

/// The placeholder for a backtest of a job without a model.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
struct EmptyBacktest {
    /// Always `pending`.
    #[schemars(extend("x-contract" = true, "const" = "pending"))]
    status: &'static str,
    /// Statement that there is nothing to backtest.
    #[schemars(extend("x-contract" = true))]
    note: &'static str,
}

impl Default for EmptyBacktest {
    fn default() -> Self {
        Self { status: "pending", note: "The job has no strategy to backtest" }
    }
}
