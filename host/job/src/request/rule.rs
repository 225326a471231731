//! Entry and exit rules as a job writes them: one condition on one feature.

use oculus_plugin_api::Operator;
use serde::{Deserialize, Serialize};

/// One condition: `feature operator threshold`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    /// The feature as the job spells it.
    pub feature: String,
    /// How the feature's value is compared.
    pub operator: Operator,
    /// What it is compared with; finite.
    pub threshold: f64,
    /// What the rule means, for people; empty when the job says nothing.
    pub description: String,
}
