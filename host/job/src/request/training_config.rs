//! Which model families a job trains, and the contract's fields that refer to particular families.
//!
//! In: nothing. Out: [`TrainingConfig`]. Invariant: no other code of the host decides by a family's name.

use serde_json::{Map, Value};

/// Seed of a job that names none.
pub const DEFAULT_SEED: u64 = 42;
/// Family that leads the search of a job that names none. The contract with the backend fixes it.
pub const DEFAULT_LEAD: &str = "LightGBM";
/// Flags that the contract with the backend fixes: every result echoes them, whichever plugins are installed. The flags
/// of other families are declared by their plugins alone.
pub const CONTRACT_FLAGS: [&str; 2] = ["train_neural_networks", "train_lstm"];

/// Which model families to train and how.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainingConfig {
    /// Family that leads the config search, by a name that its plugin declares.
    pub config_search_model: String,
    /// Walk-forward folds.
    pub cv_folds: u32,
    /// Further families asked for by name.
    pub families: Vec<String>,
    /// Rule extractor asked for by name.
    pub rule_extractor: Option<String>,
    /// Seed of all randomness of the job.
    pub seed: u64,
    /// All other fields, nulls left out: flags and prefixed parameters, for the plugins' manifests to interpret.
    pub options: Map<String, Value>,
}

impl TrainingConfig {
    /// Returns whether a flag such as `train_lstm` is set.
    pub fn flag(&self, name: &str) -> bool {
        self.options.get(name).and_then(Value::as_bool).unwrap_or(false)
    }
}
