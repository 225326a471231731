//! What the pipeline needs of a rule extractor: rules for a label, learnt from some rows.
//!
//! The pipeline does not know how an extractor runs; a plugin process stands behind this trait in a real job.

use oculus_plugin_api::{Manifest, MinedRule};
use serde_json::{Map, Value};

use super::fitter::FitError;

/// A rule extractor at work on one feature table.
pub trait Miner: Sync {
    /// Who it is and what it takes.
    fn manifest(&self) -> &Manifest;

    /// Proposes rules for class 1 of a label, the best first. Every statistic of a rule is the host's own.
    ///
    /// # Errors
    /// What the extractor says, or that its process died.
    fn mine(&self, request: &MineRequest<'_>) -> Result<Vec<MinedRule>, FitError>;
}

/// What rules are wanted for.
#[derive(Clone, Copy)]
pub struct MineRequest<'a> {
    /// One a row of the table: 0, 1, or NaN.
    pub label: &'a [f32],
    /// Ascending rows to learn from; nothing is learnt from others.
    pub train_rows: &'a [u32],
    /// Out-of-fold scores of a model, one a row of the table, NaN where there is none.
    pub scores: &'a [f32],
    /// Parameters that differ from the extractor's defaults.
    pub params: &'a Map<String, Value>,
    /// Where all randomness starts.
    pub seed: u64,
}
