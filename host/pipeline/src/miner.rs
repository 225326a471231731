//! The interface of a rule extractor, which mines rules for a label from training rows.
//!
//! The pipeline does not depend on how an extractor runs. In a real job, a plugin process
//! implements this trait.

use oculus_plugin_api::{Manifest, MinedRule};
use serde_json::{Map, Value};

use super::fitter::FitError;

/// A rule extractor that mines one feature table.
pub trait Miner: Sync {
    /// Returns the identity and the parameters of the extractor.
    fn manifest(&self) -> &Manifest;

    /// Proposes rules for class 1 of a label, the best first. The host computes the statistics of
    /// the rules.
    ///
    /// # Errors
    /// Returns [`FitError`] if the extractor rejects the request, its process died, or the job was
    /// cancelled.
    fn mine(&self, request: &MineRequest<'_>) -> Result<Vec<MinedRule>, FitError>;
}

/// A request for rules.
#[derive(Clone, Copy)]
pub struct MineRequest<'a> {
    /// Label of each row of the table: 0, 1, or NaN.
    pub label: &'a [f32],
    /// Ascending rows to mine; the extractor uses no other row.
    pub train_rows: &'a [u32],
    /// Out-of-fold score of a model for each row of the table; NaN if the row has none.
    pub scores: &'a [f32],
    /// Parameters that differ from the extractor's defaults.
    pub params: &'a Map<String, Value>,
    /// Seed of all random numbers in the extraction.
    pub seed: u64,
}
