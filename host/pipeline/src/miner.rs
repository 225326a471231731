//! The interface of a rule extractor: rules for a label, learned from some rows.
//!
//! The pipeline does not depend on how an extractor runs; in a real job a plugin process implements this trait.

use oculus_plugin_api::{Manifest, MinedRule};
use serde_json::{Map, Value};

use super::fitter::FitError;

/// A rule extractor at work on one feature table.
pub trait Miner: Sync {
    /// Returns its identity and parameters.
    fn manifest(&self) -> &Manifest;

    /// Proposes rules for class 1 of a label, the best first. The host computes the statistics of the rules.
    ///
    /// # Errors
    /// If the extractor refuses, its process died, or the job is cancelled.
    fn mine(&self, request: &MineRequest<'_>) -> Result<Vec<MinedRule>, FitError>;
}

/// A request for rules.
#[derive(Clone, Copy)]
pub struct MineRequest<'a> {
    /// One per row of the table: 0, 1, or NaN.
    pub label: &'a [f32],
    /// Ascending rows to learn from; no other row is used.
    pub train_rows: &'a [u32],
    /// Out-of-fold scores of a model, one per row of the table, NaN where there is none.
    pub scores: &'a [f32],
    /// Parameters that differ from the extractor's defaults.
    pub params: &'a Map<String, Value>,
    /// Seed of all random numbers.
    pub seed: u64,
}
