//! The JSON of a job, as a schema.
//!
//! In: nothing. Out: [`JobPayload`], whose schema is `docs/schema/job.schema.json`. The parser in
//! `read.rs` reads a job field by field, because it accepts more than a schema can state, such as
//! numbers in strings. Invariant: every value that satisfies the schema is accepted by the parser;
//! the tests below compare the fields, ranges and defaults of both.

use schemars::JsonSchema;
use serde_json::{Map, Value};

use super::timeframe::Timeframe;

/// A training job. It has at least one of `job_id` and `build_id`. A field whose value is null
/// counts as absent, and unknown fields are ignored. The host also accepts a whole number that is
/// written as `2.0`, and any number that is written as text.
#[derive(Clone, Debug, JsonSchema)]
#[schemars(extend("anyOf" = [
    { "required": ["build_id"], "properties": { "build_id": { "type": "string" } } },
    { "required": ["job_id"], "properties": { "job_id": { "type": "string" } } },
]))]
pub struct JobPayload {
    /// Id of the job in the queue and in progress events; `build_id` by default.
    #[schemars(length(min = 1, max = 200))]
    pub job_id: Option<String>,
    /// Id that the result repeats; `job_id` by default.
    #[schemars(length(min = 1, max = 200), extend("x-contract" = true))]
    pub build_id: Option<String>,
    /// Owner of the job.
    #[schemars(extend("x-contract" = true, "default" = ""))]
    pub user_id: Option<String>,
    /// Tickers; duplicates are merged.
    #[schemars(length(min = 1, max = 500), inner(regex(pattern = r"^[A-Za-z0-9_^:-][A-Za-z0-9._^:-]{0,63}$")))]
    #[schemars(extend("x-contract" = true))]
    pub symbols: Vec<String>,
    /// Length of a bar.
    #[schemars(extend("x-contract" = true, "default" = "1d"))]
    pub timeframe: Option<Timeframe>,
    /// The strategy to search for, and how to train its models.
    #[schemars(extend("x-contract" = true))]
    pub design: Option<DesignPayload>,
}

/// The strategy to search for, and how to train its models.
#[derive(Clone, Debug, JsonSchema)]
pub struct DesignPayload {
    /// Length in years of the span that has labels; the span ends at the newest bar.
    #[schemars(range(min = 0.5, max = 50), extend("x-contract" = true, "default" = 2.0))]
    pub years: Option<f64>,
    /// Text that the result repeats.
    #[schemars(extend("x-contract" = true, "default" = ""))]
    pub strategy_type: Option<String>,
    /// Text that the result repeats.
    #[schemars(extend("x-contract" = true, "default" = ""))]
    pub strategy_description: Option<String>,
    /// Text that the result repeats.
    #[schemars(extend("x-contract" = true, "default" = ""))]
    pub strategy_rationale: Option<String>,
    /// Label horizons in sessions.
    #[schemars(length(min = 1, max = 20), inner(range(min = 1, max = 250)))]
    #[schemars(extend("x-contract" = true, "default" = [5, 10, 15]))]
    pub forward_returns_days_options: Option<Vec<u32>>,
    /// Label thresholds in percent.
    #[schemars(length(min = 1, max = 20), extend("x-contract" = true, "default" = [2.0, 3.0, 5.0]))]
    #[schemars(extend("items" = { "type": "number", "exclusiveMinimum": -100, "maximum": 1000 }))]
    pub profit_threshold_options: Option<Vec<f64>>,
    /// Number of trials of the config search.
    #[schemars(range(min = 1, max = 1000), extend("x-contract" = true))]
    pub recommended_n_iter_search: Option<u32>,
    /// Old name of `recommended_n_iter_search`, which is read if the new field is absent; 30 if both
    /// are absent.
    #[schemars(range(min = 1, max = 1000), extend("x-contract" = true))]
    pub hp_iterations: Option<u32>,
    /// Names of features that are always included.
    #[schemars(length(max = 500), inner(length(min = 1, max = 64)))]
    #[schemars(extend("x-contract" = true, "default" = []))]
    pub priority_features: Option<Vec<String>>,
    /// Conditions for opening a position.
    #[schemars(length(max = 200), extend("x-contract" = true, "default" = []))]
    pub entry_rules: Option<Vec<RulePayload>>,
    /// Conditions for closing a position.
    #[schemars(length(max = 200), extend("x-contract" = true, "default" = []))]
    pub exit_rules: Option<Vec<RulePayload>>,
    /// Number of entry rules that must hold at the same bar; a fraction is rounded up.
    #[schemars(range(min = 1, max = 200), extend("x-contract" = true, "default" = 1))]
    pub entry_score_threshold: Option<f64>,
    /// Number of exit rules that must hold at the same bar; a fraction is rounded up.
    #[schemars(range(min = 1, max = 200), extend("x-contract" = true, "default" = 1))]
    pub exit_score_threshold: Option<f64>,
    /// Number of strategies that the job tries.
    #[schemars(range(min = 1, max = 1000), extend("default" = 128))]
    pub strategy_trials: Option<u32>,
    /// Cost of a fill in hundredths of a percent of the traded value.
    #[schemars(range(min = 0, max = 1000), extend("default" = 5.0))]
    pub cost_bps: Option<f64>,
    /// Model families to train, and their parameters.
    #[schemars(extend("x-contract" = true))]
    pub ml_training_config: Option<TrainingPayload>,
}

/// The model families to train. Any further field is a flag or a parameter of a plugin, whose
/// manifest defines it.
#[derive(Clone, Debug, JsonSchema)]
pub struct TrainingPayload {
    /// Name of the lead family.
    #[schemars(length(min = 1, max = 64), extend("x-contract" = true, "default" = "LightGBM"))]
    pub config_search_model: Option<String>,
    /// Whether to train the plain neural network (MLP).
    #[schemars(extend("x-contract" = true, "default" = false))]
    pub train_neural_networks: Option<bool>,
    /// Whether to train the LSTM.
    #[schemars(extend("x-contract" = true, "default" = false))]
    pub train_lstm: Option<bool>,
    /// Number of walk-forward folds.
    #[schemars(range(min = 1, max = 20), extend("x-contract" = true, "default" = 3))]
    pub cv_folds: Option<u32>,
    /// Names of further families.
    #[schemars(length(max = 500), inner(length(min = 1, max = 64)), extend("default" = []))]
    pub families: Option<Vec<String>>,
    /// Whether the mean of ranks of the families competes with them.
    #[schemars(extend("default" = false))]
    pub ensemble: Option<bool>,
    /// Name of the rule extractor; the installed one by default.
    #[schemars(length(min = 1, max = 64))]
    pub rule_extractor: Option<String>,
    /// Seed of all random numbers.
    #[schemars(range(min = 0, max = 9_007_199_254_740_991_u64), extend("default" = 42))]
    pub seed: Option<u64>,
    /// Flags and parameters of plugins.
    #[serde(flatten)]
    pub options: Map<String, Value>,
}

/// A condition of the form `feature operator threshold`.
#[derive(Clone, Debug, JsonSchema)]
pub struct RulePayload {
    /// Name of the feature.
    #[schemars(length(min = 1, max = 64), extend("x-contract" = true))]
    pub feature: String,
    /// Comparison between the feature's value and the threshold.
    #[schemars(schema_with = "super::operator_schema", extend("x-contract" = true))]
    pub operator: super::Operator,
    /// Threshold.
    #[schemars(extend("x-contract" = true))]
    pub threshold: f64,
    /// Description for people.
    #[schemars(extend("x-contract" = true, "default" = ""))]
    pub description: Option<String>,
}

#[cfg(test)]
mod tests {
    use schemars::schema_for;
    use serde_json::json;

    use super::*;
    use crate::request::Job;

    /// A property of the schema: the path of its object, its name and its schema.
    type Property = (Vec<String>, String, Value);

    /// Returns the properties of the job, its design and its training configuration.
    fn properties() -> Vec<Property> {
        let schema = json!(schema_for!(JobPayload));
        let objects = [
            (vec![], &schema),
            (vec!["design"], &schema["$defs"]["DesignPayload"]),
            (vec!["design", "ml_training_config"], &schema["$defs"]["TrainingPayload"]),
        ];
        let of_object = |(path, object): (Vec<&str>, &Value)| {
            let path: Vec<String> = path.into_iter().map(str::to_owned).collect();
            let properties = object["properties"].as_object().unwrap().clone();
            properties.into_iter().map(move |(name, schema)| (path.clone(), name, schema)).collect::<Vec<_>>()
        };
        objects.into_iter().flat_map(of_object).collect()
    }

    /// Returns the smallest job with one further field.
    fn job_with(path: &[String], name: &str, value: &Value) -> Value {
        let nested = path.iter().rev().fold(json!({ name: value }), |inner, field| json!({ field: inner }));
        let mut job = json!({ "build_id": "b", "symbols": ["A"] });
        job.as_object_mut().unwrap().extend(nested.as_object().unwrap().clone());
        job
    }

    #[test]
    fn the_parser_reads_every_field_of_the_schema() {
        for (path, name, _) in properties() {
            // An object is an invalid value of every field except the objects, which a number is.
            let invalid = if ["design", "ml_training_config"].contains(&name.as_str()) { json!(1) } else { json!({}) };
            let error = Job::from_value(&job_with(&path, &name, &invalid)).unwrap_err();
            assert!(error.message.contains(&name), "{path:?} {name}: {}", error.message);
        }
    }

    #[test]
    fn the_schema_has_every_field_that_the_parser_reads() {
        let job = Job::from_value(&json!({ "build_id": "b", "symbols": ["A"] })).unwrap();
        let names: Vec<String> = properties().into_iter().map(|(_, name, _)| name).collect();
        let config = job.design_config();
        for name in config.as_object().unwrap().keys().filter(|name| *name != "options") {
            let name = if name == "n_iter_search" { "recommended_n_iter_search" } else { name };
            assert!(names.iter().any(|known| known == name), "{name}");
        }
    }

    #[test]
    fn the_defaults_of_the_schema_are_those_of_the_parser() {
        let job = Job::from_value(&json!({ "build_id": "b", "symbols": ["A"] })).unwrap();
        let config = job.design_config();
        let mut n_compared = 0;
        for (_, name, schema) in properties() {
            if let (Some(default), Some(parsed)) = (schema.get("default"), config.get(&name)) {
                assert_eq!(default, parsed, "{name}");
                n_compared += 1;
            }
        }
        assert!(n_compared > 15, "{n_compared}");
    }

    #[test]
    fn the_parser_accepts_the_bounds_of_the_schema_and_nothing_beyond() {
        let mut n_bounds = 0;
        for (path, name, schema) in properties() {
            for (bound, beyond) in [("minimum", -1.0), ("maximum", 1.0)] {
                let Some(limit) = schema.get(bound) else { continue };
                let is_accepted = |value: &Value| Job::from_value(&job_with(&path, &name, value)).is_ok();
                assert!(is_accepted(limit), "{name} {bound}");
                let limit = limit.as_f64().unwrap();
                // The largest seed is the largest whole number that is exact, so 1 more is not.
                let outside = if limit > 1e15 { limit * 2.0 } else { limit + beyond };
                assert!(!is_accepted(&json!(outside)), "{name} {bound}");
                n_bounds += 1;
            }
        }
        assert!(n_bounds >= 14, "{n_bounds}");
    }
}
