//! The ensemble: the mean of the ranks that the competing families give to a row.
//!
//! In: the out-of-fold scores of the evaluated families, and their final models. Out: out-of-fold
//! scores of the ensemble, and an [`Ensemble`] that scores further rows. Invariants: no family is
//! fitted a second time, no label determines a score, and the baseline is not a member.

use serde::{Deserialize, Serialize};

use super::{
    candidate::{Evaluated, GainOverLead, ModelKind},
    evaluation::gain_over_lead,
};
use crate::{
    metrics::{RankFunction, ScoreScale, UndefinedError, auc, mid_ranks},
    search::{OutOfFold, SearchContext, SearchResult},
};

/// Id of the ensemble in files, where a family has the id of its plugin.
pub const ENSEMBLE_ID: &str = "ensemble";
/// Display name of the ensemble.
pub(super) const ENSEMBLE_TITLE: &str = "Ensemble";
/// Smallest number of members. The rank of a single family orders the rows as the family does.
const MIN_MEMBERS: usize = 2;

/// The ensemble as a model: its members, and how their scores become ranks. The models of the
/// members are saved separately.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ensemble {
    /// The members, in the order of the families.
    pub members: Vec<EnsembleMember>,
}

/// A family whose ranks are averaged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EnsembleMember {
    /// Id of the plugin.
    pub plugin: String,
    /// SHA-256 of the family's model, lower-case hex.
    pub model_sha256: String,
    /// Scale of the model's scores of its own training rows.
    pub scale: ScoreScale,
    /// Ranks of scores in deviations among the family's out-of-fold scores.
    pub ranks: RankFunction,
}

impl Ensemble {
    /// Combines the scores of the members: one score per row, from 0 to 1; NaN for a row that a
    /// member has no score for.
    ///
    /// * `scores`: per member, the scores of the same rows by the member's model.
    pub fn scores(&self, scores: &[Vec<f32>]) -> Vec<f32> {
        let ranks = self.members.iter().zip(scores).map(|(EnsembleMember { scale, ranks, .. }, scores)| {
            scores.iter().map(|&score| ranks.rank(scale.standardise(score))).collect()
        });
        mean_ranks(&ranks.collect::<Vec<_>>())
    }

    /// Reads the bytes of an ensemble's model file.
    ///
    /// # Errors
    /// Returns an error if the bytes are not the JSON of an ensemble.
    pub fn from_bytes(bytes: &[u8]) -> serde_json::Result<Self> {
        serde_json::from_slice(bytes)
    }

    /// Returns the bytes of the ensemble's model file, as JSON.
    ///
    /// # Errors
    /// Returns an error if a number cannot be represented in JSON.
    pub fn to_bytes(&self) -> serde_json::Result<Vec<u8>> {
        serde_json::to_vec(self)
    }
}

/// An evaluated ensemble, before its members have final models.
pub(super) struct RankedFamilies {
    pub(super) members: Vec<RankedFamily>,
    /// Scale of the ensemble's out-of-fold scores. Ranks of different folds are comparable, so the
    /// folds and the final model share this scale.
    pub(super) scale: ScoreScale,
}

/// A member of an evaluated ensemble.
pub(super) struct RankedFamily {
    /// Index among the evaluated families.
    pub(super) idx: usize,
    /// Ranks of scores in deviations among the family's out-of-fold scores.
    pub(super) ranks: RankFunction,
}

/// Computes the out-of-fold scores of the ensemble, and compares them with the lead's.
///
/// * `families`: all evaluated families, the lead first.
///
/// # Errors
/// Returns the reason if there is no ensemble.
pub(super) fn evaluate_ensemble<'a>(
    context: &SearchContext<'_>,
    search: &SearchResult,
    families: &[Evaluated<'a>],
) -> Result<Evaluated<'a>, UndefinedError> {
    let idxs: Vec<usize> = (0..families.len()).filter(|&idx| !families[idx].is_baseline).collect();
    if idxs.len() < MIN_MEMBERS {
        let n_members = idxs.len();
        let reason = format!(
            "found {n_members} competing family with out-of-fold scores, expected at least {MIN_MEMBERS}: request \
             further families"
        );
        return Err(UndefinedError::because(reason));
    }
    if families.iter().any(|family| family.id() == ENSEMBLE_ID) {
        let reason = format!("a plugin has the id `{ENSEMBLE_ID}`, which its files would share with the ensemble");
        return Err(UndefinedError::because(reason));
    }
    // Ranks can only be averaged if all members are ranked on the same rows.
    let is_common = |row: usize| idxs.iter().all(|&idx| !families[idx].oof.standard_scores[row].is_nan());
    let common = |idx: usize| -> Vec<f32> {
        let scores = families[idx].oof.standard_scores.iter().enumerate();
        scores.map(|(row, &score)| if is_common(row) { score } else { f32::NAN }).collect()
    };
    let scores: Vec<Vec<f32>> = idxs.iter().map(|&idx| common(idx)).collect();
    let members = idxs.iter().zip(&scores);
    let members =
        members.map(|(&idx, scores)| RankedFamily { idx, ranks: RankFunction::from_scores(scores) }).collect();
    let ranks: Vec<Vec<f64>> = scores.iter().map(|scores| mid_ranks(scores)).collect();
    let (oof, scale) = out_of_fold(context, search.label_idx, mean_ranks(&ranks));
    let gain = GainOverLead::from(gain_over_lead(context, search, &oof));
    Ok(Evaluated { kind: ModelKind::Ensemble(RankedFamilies { members, scale }), oof, gain, is_baseline: false })
}

/// Returns the out-of-fold scores of an ensemble, and their scale.
///
/// * `scores`: one per row of the table, NaN for rows without one.
fn out_of_fold(context: &SearchContext<'_>, label_idx: usize, scores: Vec<f32>) -> (OutOfFold, ScoreScale) {
    let scored: Vec<f32> = scores.iter().copied().filter(|score| !score.is_nan()).collect();
    let scale = ScoreScale::from_scores(&scored);
    let label = &context.labels[label_idx].value;
    let fold_aucs = context.splits[label_idx].folds.iter().map(|fold| {
        let select = |values: &[f32]| -> Vec<f32> { fold.valid_rows.iter().map(|&row| values[row as usize]).collect() };
        auc(&select(label), &select(&scores)).ok()
    });
    let fold_aucs = fold_aucs.collect();
    let standard_scores = scores.iter().map(|&score| scale.standardise(score)).collect();
    (OutOfFold { standard_scores, scores, fold_aucs, ..OutOfFold::default() }, scale)
}

/// Returns the mean of the ranks of each row; NaN if one of them is NaN.
///
/// * `ranks`: per member, one rank per row.
fn mean_ranks(ranks: &[Vec<f64>]) -> Vec<f32> {
    let n_rows = ranks.iter().map(Vec::len).min().unwrap_or(0);
    let mean = |row: usize| ranks.iter().map(|ranks| ranks[row]).sum::<f64>() / ranks.len() as f64;
    (0..n_rows).map(|row| mean(row) as f32).collect()
}
