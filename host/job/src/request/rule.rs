//! Entry and exit rules as a job writes them: one condition on one feature.
//!
//! In: an object of the job. Out: a [`Rule`]. Invariant: the threshold is finite.

use oculus_plugin_api::Operator;
use serde::{Deserialize, Serialize};

/// One condition: `feature operator threshold`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    /// The feature as the job spells it.
    pub feature: String,
    /// How the feature's value is compared.
    pub operator: Operator,
    /// Finite number with which the value is compared.
    pub threshold: f64,
    /// Explanation for people; empty when the job has none.
    pub description: String,
}
