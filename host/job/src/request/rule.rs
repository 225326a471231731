//! An entry or exit rule of a job: one condition on one feature.
//!
//! In: an object of the job. Out: a [`Rule`]. Invariant: the threshold is finite.

use oculus_plugin_api::Operator;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// A condition of the form `feature operator threshold`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Rule {
    /// Name of the feature, in the job's spelling.
    pub feature: String,
    /// Comparison between the feature's value and the threshold.
    #[schemars(schema_with = "operator_schema")]
    pub operator: Operator,
    /// Threshold, a finite number.
    pub threshold: f64,
    /// Description for people, or empty if the job has none.
    pub description: String,
}

/// Returns the schema of an [`Operator`]. The operators are part of the plugin API, which has few
/// dependencies, so they do not describe themselves.
pub fn operator_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "enum": Operator::ALL.map(Operator::sign) })
}
