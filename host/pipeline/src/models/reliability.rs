//! How far the AUC of a set of rows can be relied on.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::splits::{ClassCounts, MinCounts};

/// Smallest number of blocks of a sound AUC.
const SOUND_BLOCKS: f64 = 8.0;

/// Whether a period has enough rows for an AUC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AucReliability {
    /// At least 20 positives in 6 episodes, 20 negatives, and 8 blocks of twice the horizon.
    Sound,
    /// The AUC is a number, but one of the counts is too small; the warning `auc_weak` names it.
    Weak,
    /// One class is missing, so there is no AUC.
    Undefined,
}

/// Returns the reliability of an AUC, and for a weak one the counts that are too small.
///
/// * `n_blocks`: number of blocks of twice the horizon in the dates of the rows.
pub(super) fn auc_reliability(counts: &ClassCounts, n_blocks: f64) -> (AucReliability, Option<String>) {
    if !counts.has_both_classes() {
        return (AucReliability::Undefined, None);
    }
    let few_blocks = (n_blocks < SOUND_BLOCKS)
        .then(|| format!("found {n_blocks:.1} blocks of twice the horizon, expected at least {SOUND_BLOCKS}"));
    let lacking: Vec<String> = counts.shortfall(MinCounts::SOUND).into_iter().chain(few_blocks).collect();
    match lacking.is_empty() {
        true => (AucReliability::Sound, None),
        false => (AucReliability::Weak, Some(lacking.join(", and "))),
    }
}
