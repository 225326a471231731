//! The field `design_config` of a result: the configuration of a job with all defaults.
//!
//! In: a [`Job`]. Out: a [`DesignConfig`]. Invariant: the fields are the wire format and never
//! change. A job that could not be parsed has only the fields of [`ContractConfig`], with empty
//! values.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Serialize;
use serde_json::{Map, Value};

use super::job::Job;
use super::rule::Rule;
use super::timeframe::Timeframe;
use super::training_config::CONTRACT_FLAGS;

/// The configuration of a job with all defaults.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct DesignConfig {
    /// The fields that the contract with the backend defines.
    #[serde(flatten)]
    pub contract: ContractConfig,
    /// All other fields.
    #[serde(flatten)]
    pub further: FurtherConfig,
}

/// The fields of the configuration that the contract with the backend defines.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct ContractConfig {
    /// Label horizons in sessions, without duplicates.
    #[schemars(extend("x-contract" = true))]
    pub forward_returns_days_options: Vec<u32>,
    /// Label thresholds in percent, without duplicates.
    #[schemars(extend("x-contract" = true))]
    pub profit_threshold_options: Vec<f64>,
    /// Number of trials of the config search.
    #[schemars(extend("x-contract" = true))]
    pub n_iter_search: u32,
    /// Requested number of walk-forward folds.
    #[schemars(extend("x-contract" = true))]
    pub cv_folds: u32,
    /// Name of the lead family.
    #[schemars(extend("x-contract" = true))]
    pub config_search_model: String,
    /// Whether the job requests the plain neural network (MLP).
    #[schemars(extend("x-contract" = true))]
    pub train_neural_networks: bool,
    /// Whether the job requests the LSTM.
    #[schemars(extend("x-contract" = true))]
    pub train_lstm: bool,
}

/// The fields of the configuration that the contract with the backend does not define.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct FurtherConfig {
    /// Tickers in the job's order, without duplicates.
    pub symbols: Vec<String>,
    /// Length of a bar.
    pub timeframe: Timeframe,
    /// Length in years of the span that has labels.
    pub years: f64,
    /// Text of the job; it has no effect.
    pub strategy_type: String,
    /// Text of the job; it has no effect.
    pub strategy_description: String,
    /// Text of the job; it has no effect.
    pub strategy_rationale: String,
    /// Names of features that are always included, in the job's spelling.
    pub priority_features: Vec<String>,
    /// Conditions of the job for opening a position.
    pub entry_rules: Vec<Rule>,
    /// Conditions of the job for closing a position.
    pub exit_rules: Vec<Rule>,
    /// Number of entry rules that must hold at the same bar.
    pub entry_score_threshold: u32,
    /// Number of exit rules that must hold at the same bar.
    pub exit_score_threshold: u32,
    /// Number of strategies that the job tries.
    pub strategy_trials: u32,
    /// Cost of a fill in hundredths of a percent of the traded value.
    pub cost_bps: f64,
    /// Names of the further families that the job requests.
    pub families: Vec<String>,
    /// Whether the mean of ranks of the families competes with them; absent if it does not.
    // A false value is left out, so that jobs without the field keep the bytes of their results and
    // the hashes of their designs.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ensemble: bool,
    /// Name of the rule extractor; empty for the installed one.
    pub rule_extractor: String,
    /// Seed of all random numbers.
    pub seed: u64,
    /// Flags and parameters of the families that the job sets, as in `ml_training_config`.
    pub options: Map<String, Value>,
}

impl From<&Job> for DesignConfig {
    fn from(job: &Job) -> Self {
        let design = job.design.clone();
        let config = design.ml_training_config;
        // `options` contains the flags of the contract only if the job sets them.
        let [train_neural_networks, train_lstm] = CONTRACT_FLAGS.map(|name| config.flag(name));
        Self {
            contract: ContractConfig {
                forward_returns_days_options: design.forward_returns_days_options,
                profit_threshold_options: design.profit_threshold_options,
                n_iter_search: design.n_iter_search,
                cv_folds: config.cv_folds,
                config_search_model: config.config_search_model,
                train_neural_networks,
                train_lstm,
            },
            further: FurtherConfig {
                symbols: job.symbols.clone(),
                timeframe: job.timeframe,
                years: design.years,
                strategy_type: design.strategy_type,
                strategy_description: design.strategy_description,
                strategy_rationale: design.strategy_rationale,
                priority_features: design.priority_features,
                entry_rules: design.entry_rules,
                exit_rules: design.exit_rules,
                entry_score_threshold: design.entry_score_threshold,
                exit_score_threshold: design.exit_score_threshold,
                strategy_trials: design.strategy_trials,
                cost_bps: design.cost_bps,
                families: config.families,
                ensemble: config.ensemble,
                rule_extractor: config.rule_extractor.unwrap_or_default(),
                seed: config.seed,
                options: config.options,
            },
        }
    }
}

/// Returns the schema of the configuration in a result without a model: only the fields of the
/// contract are required, because the job may not have been parsed.
pub(crate) fn schema_without_model(generator: &mut SchemaGenerator) -> Schema {
    let mut schema = DesignConfig::json_schema(generator);
    if let Some(required) = ContractConfig::json_schema(generator).remove("required") {
        schema.insert("required".to_owned(), required);
    }
    schema
}
