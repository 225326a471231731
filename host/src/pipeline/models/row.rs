//! The families in the result: one row each, whatever became of them.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::pipeline::{
    metrics::{Finite, Reasons, Undefined, auc, average_precision},
    search::{Family, Gain, OutOfFold},
};

/// How a family fared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ModelStatus {
    /// Fitted and judged.
    Ok,
    /// Not fitted.
    Skipped,
    /// Fitting it went wrong.
    Failed,
}

/// A family in the result.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ModelRow {
    /// The name to show.
    pub name: String,
    /// The plugin's id; `None` where none is installed.
    pub plugin: Option<String>,
    /// The plugin's version.
    pub version: Option<String>,
    /// Device it was fitted on.
    pub device: Option<String>,
    /// How it fared.
    pub status: ModelStatus,
    /// Why it was skipped or failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Whether it is the model of the result.
    pub winner: bool,
    /// Parameters that differ from the family's defaults.
    pub params: Map<String, Value>,
    /// Rounds or epochs of a final fit, where early stopping found them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rounds: Option<u32>,
    /// On rows that it was not fitted on, before the test period.
    pub validation: Option<ValidationMetrics>,
}

/// What a family does on the validation rows that all families have in common.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ValidationMetrics {
    /// Area under the ROC curve of the rows pooled, each fold in deviations from its own model.
    pub auc: Option<Finite>,
    /// Average precision.
    pub pr_auc: Option<Finite>,
    /// Share of positives.
    pub base_rate: Option<Finite>,
    /// Rows judged.
    pub n_rows: usize,
    /// AUC of each fold that the family was fitted on, oldest first.
    pub fold_aucs: Vec<Option<Finite>>,
    /// Gain in AUC over the family that led the search; absent for that family itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gain_over_lead: Option<Finite>,
    /// Standard error of that gain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gain_standard_error: Option<Finite>,
    /// Why figures are null.
    #[serde(skip_serializing_if = "Reasons::is_empty")]
    pub reasons: Reasons,
}

pub(super) fn validation_metrics(
    labels: &[f32],
    scores: &[f32],
    oof: &OutOfFold,
    (gain, too_rare): (Option<Result<Gain, Undefined>>, Option<Undefined>),
) -> ValidationMetrics {
    let mut reasons = Reasons::default();
    let n_positive = labels.iter().filter(|&&label| label == 1.0).count();
    let base_rate = match labels.len() {
        0 => Err(Undefined::because("no row has an out-of-fold score")),
        n_rows => Ok(n_positive as f64 / n_rows as f64),
    };
    let fold_aucs = match too_rare {
        Some(_) => vec![None; oof.fold_aucs.len()],
        None => oof.fold_aucs.iter().map(|auc| auc.and_then(Finite::of)).collect(),
    };
    if fold_aucs.contains(&None) {
        let one_class = || Undefined::because("a fold holds one class only, or has no scores");
        let _: Option<Finite> = reasons.value("fold_aucs", Err(too_rare.clone().unwrap_or_else(one_class)));
    }
    let judged = |auc: Result<f64, Undefined>| too_rare.clone().map_or(auc, Err);
    let mut of_gain = |name, figure: fn(&Gain) -> f64| {
        gain.as_ref().and_then(|gain| reasons.figure(name, gain.as_ref().map(figure).map_err(Undefined::clone)))
    };
    let gain_over_lead = of_gain("gain_over_lead", |gain| gain.value);
    let gain_standard_error = of_gain("gain_standard_error", |gain| gain.standard_error);
    ValidationMetrics {
        auc: reasons.figure("auc", judged(auc(labels, scores))),
        pr_auc: reasons.figure("pr_auc", average_precision(labels, scores)),
        base_rate: reasons.figure("base_rate", base_rate),
        n_rows: labels.len(),
        fold_aucs,
        gain_over_lead,
        gain_standard_error,
        reasons,
    }
}

pub(super) fn model_row(family: &Family<'_>) -> ModelRow {
    let manifest = family.fitter.manifest();
    ModelRow {
        name: manifest.title().to_owned(),
        plugin: Some(manifest.id.clone()),
        version: Some(manifest.version.clone()),
        device: None,
        status: ModelStatus::Ok,
        reason: None,
        winner: false,
        params: family.params.clone(),
        rounds: None,
        validation: None,
    }
}

pub(super) fn failed_row(family: &Family<'_>, reason: String) -> ModelRow {
    ModelRow { status: ModelStatus::Failed, reason: Some(reason), ..model_row(family) }
}

pub(super) fn skipped_row(name: &str, reason: &str) -> ModelRow {
    ModelRow {
        name: name.to_owned(),
        plugin: None,
        version: None,
        device: None,
        status: ModelStatus::Skipped,
        reason: Some(reason.to_owned()),
        winner: false,
        params: Map::new(),
        rounds: None,
        validation: None,
    }
}
