//! The final model of the ensemble: its members' final models, without a further fit.
//!
//! In: the final fits of the families. Out: a [`FinalFit`]. Invariant: the ensemble has test scores
//! only if each member has scored the test rows.

use oculus_job::hash::sha256_hex;
use oculus_plugin_api::code;
use serde_json::Map;

use super::{FinalFit, FinalFitter};
use crate::{
    fitter::{FitError, Fitted},
    models::{
        candidate::{Evaluated, ModelKind},
        ensemble::{Ensemble, EnsembleMember},
    },
};

impl FinalFitter<'_> {
    /// Combines the final fits of the members.
    ///
    /// * `ensemble`: the evaluated ensemble.
    /// * `evaluated`: all evaluated models.
    /// * `fits`: the final fit of every family, in the order of `evaluated`.
    ///
    /// # Errors
    /// Returns an error if the final fit of a member failed.
    pub(super) fn combine(
        &self,
        ensemble: &Evaluated<'_>,
        evaluated: &[Evaluated<'_>],
        fits: &[Result<FinalFit, FitError>],
    ) -> Result<FinalFit, FitError> {
        let rejected = |message: String| FitError::Rejected { code: code::DATA, message };
        let ModelKind::Ensemble(ranked) = &ensemble.kind else {
            return Err(rejected("found a family, expected the ensemble".to_owned()));
        };
        let mut members = Vec::with_capacity(ranked.members.len());
        let mut member_fits = Vec::with_capacity(ranked.members.len());
        for member in &ranked.members {
            let title = evaluated[member.idx].title();
            let fit = fits[member.idx].as_ref().map_err(|error| rejected(format!("the member {title}: {error}")))?;
            members.push(EnsembleMember {
                plugin: evaluated[member.idx].id().to_owned(),
                model_sha256: sha256_hex(fit.fitted.model.as_deref().unwrap_or_default()),
                scale: fit.score_scale,
                ranks: member.ranks.clone(),
            });
            member_fits.push(fit);
        }
        let combined = Ensemble { members };
        let bytes = combined.to_bytes().map_err(|error| rejected(error.to_string()))?;
        // Members that did not score the test rows have no scores here, and the ensemble has none.
        let test_scores: Vec<Vec<f32>> = member_fits.iter().map(|fit| fit.test_scores.clone()).collect();
        Ok(FinalFit {
            params: Map::new(),
            base: None,
            fitted: Fitted { model: Some(bytes), importance: importance(&member_fits), ..Fitted::default() },
            reading: self.reading(ensemble, ranked.scale),
            reads_windows: member_fits.iter().any(|fit| fit.reads_windows),
            score_scale: ranked.scale,
            test_scores: combined.scores(&test_scores),
            ensemble: Some(combined),
        })
    }
}

/// Returns the mean of the members' importances; `None` if a member reports none, because the mean
/// would then describe a part of the ensemble only.
fn importance(members: &[&FinalFit]) -> Option<Vec<f64>> {
    let shares: Vec<Vec<f64>> =
        members.iter().map(|fit| Some(shares(fit.fitted.importance.as_ref()?))).collect::<Option<_>>()?;
    let n_columns = shares.first()?.len();
    let mean = |column: usize| {
        let values = shares.iter().filter_map(|shares| shares.get(column));
        values.sum::<f64>() / shares.len() as f64
    };
    Some((0..n_columns).map(mean).collect())
}

/// Divides importances by their sum, so that each member has the same weight. A value that is not
/// positive counts as 0.
fn shares(importance: &[f64]) -> Vec<f64> {
    let used = |value: f64| if value.is_finite() { value.max(0.0) } else { 0.0 };
    let total: f64 = importance.iter().copied().map(used).sum();
    importance.iter().map(|&value| if total > 0.0 { used(value) / total } else { 0.0 }).collect()
}
