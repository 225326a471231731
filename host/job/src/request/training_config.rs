//! The model families that a job trains, and the few families that the contract with the backend
//! names.
//!
//! In: nothing. Out: [`TrainingConfig`]. Invariant: no other code of the host depends on the name
//! of a family.

use serde_json::{Map, Value};

/// Seed of a job that does not state a seed.
pub const DEFAULT_SEED: u64 = 42;
/// Default of `config_search_model`. The contract with the backend defines it.
pub const DEFAULT_SEARCH_MODEL: &str = "LightGBM";
/// Flags that the contract with the backend defines. Every result echoes them, even if no installed
/// plugin declares them. Only plugins declare the flags of other families.
pub const CONTRACT_FLAGS: [&str; 2] = ["train_neural_networks", "train_lstm"];

/// The model families to train, and how to train them.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainingConfig {
    /// Lead family of the config search, under the name that its plugin declares.
    pub config_search_model: String,
    /// Number of walk-forward folds.
    pub cv_folds: u32,
    /// Names of further families to train.
    pub families: Vec<String>,
    /// Whether the mean of ranks of the families competes with them.
    pub ensemble: bool,
    /// Name of the rule extractor, if the job selects one.
    pub rule_extractor: Option<String>,
    /// Seed of all random numbers of the job.
    pub seed: u64,
    /// All other fields except nulls: flags and prefixed parameters, which the plugins' manifests
    /// define.
    pub options: Map<String, Value>,
}

impl TrainingConfig {
    /// Returns whether a flag such as `train_lstm` is present and true.
    pub fn flag(&self, name: &str) -> bool {
        self.options.get(name).and_then(Value::as_bool).unwrap_or(false)
    }
}
