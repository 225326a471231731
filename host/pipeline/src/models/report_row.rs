//! The families in the result: one row each, whatever became of them.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    candidate::{Evaluated, GainOverLead},
    roc::{Roc, RocFigures, RocSample},
};
use crate::{
    baseline::Volatility,
    metrics::{Finite, Interval, Reasons, ScoreScale, Undefined, average_precision},
    search::{Family, Gain, OutOfFold, SearchContext, SearchResult, merge_rows, separate_scores},
};

/// Device of a family that does not report one.
const DEFAULT_DEVICE: &str = "cpu";

/// How a family fared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ValidationMetrics {
    /// Area under the ROC curve of the rows pooled, each fold in deviations from its own model.
    pub auc: Option<Finite>,
    /// Its approximate 95 % interval: circular blocks of 2h whole dates, 1,000 draws.
    pub auc_ci95: Option<Interval>,
    /// AUC of the volatility baseline on the same rows, fitted on the same folds.
    pub auc_volatility_baseline: Option<Finite>,
    /// AUC beyond the baseline, or beyond 0.5 where that is more.
    pub auc_minus_baseline: Option<Finite>,
    /// Its 95 % interval.
    pub auc_minus_baseline_ci95: Option<Interval>,
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
    #[serde(default, skip_serializing_if = "Reasons::is_empty")]
    pub reasons: Reasons,
}

/// The rows of the families that were judged, all on the rows that they have in common.
pub(super) fn evaluated_rows(
    context: &SearchContext<'_>,
    outcome: &SearchResult,
    evaluated: &[Evaluated<'_>],
) -> Vec<ModelRow> {
    let is_common = |row: usize| evaluated.iter().all(|this| !this.oof.scores[row].is_nan());
    let common: Vec<u32> = (0..context.table.n_rows()).filter(|&row| is_common(row)).map(|row| row as u32).collect();
    let sample = RocSample { context, label_idx: outcome.label_idx, rows: &common, purpose: "validation intervals" };
    let baseline = baseline_scores(&sample);
    let row = |this: &Evaluated<'_>| ModelRow {
        device: Some(this.oof.device.clone().unwrap_or_else(|| DEFAULT_DEVICE.to_owned())),
        rounds: this.oof.rounds,
        validation: Some(validation_metrics(&sample, this, baseline.clone(), outcome.too_rare())),
        ..model_row(&this.family)
    };
    evaluated.iter().map(row).collect()
}

/// Out-of-fold scores of the baseline on the sample's rows, in deviations from each fold's own
/// model as those of the families are.
fn baseline_scores(sample: &RocSample<'_>) -> Result<Vec<f32>, Undefined> {
    let RocSample { context, label_idx, rows, .. } = *sample;
    let volatility = Volatility::from_table(context.table)
        .ok_or_else(|| Undefined::because("the table lacks the features of the volatility baseline"))?;
    let mut scores = vec![f32::NAN; context.table.n_rows()];
    for fold in &context.splits[label_idx].folds {
        let predict_rows = merge_rows(&fold.train_rows, &fold.valid_rows);
        let fitted = volatility.scores(&context.labels[label_idx].value, &fold.train_rows, &predict_rows);
        let scores_of_fold = separate_scores(&predict_rows, &fitted.unwrap_or_default(), &fold.valid_rows);
        let scale = ScoreScale::from_scores(&scores_of_fold.others);
        for (&row, score) in fold.valid_rows.iter().zip(scores_of_fold.wanted) {
            scores[row as usize] = scale.standardize(score);
        }
    }
    let scores: Vec<f32> = rows.iter().map(|&row| scores[row as usize]).collect();
    if scores.iter().any(|score| score.is_nan()) {
        return Err(Undefined::because("all training rows of a fold are of one class"));
    }
    Ok(scores)
}

fn validation_metrics(
    sample: &RocSample<'_>,
    evaluated: &Evaluated<'_>,
    baseline: Result<Vec<f32>, Undefined>,
    too_rare: Option<Undefined>,
) -> ValidationMetrics {
    let Evaluated { oof, gain, .. } = evaluated;
    let of_rows = |values: &[f32]| -> Vec<f32> { sample.rows.iter().map(|&row| values[row as usize]).collect() };
    let labels = of_rows(&sample.context.labels[sample.label_idx].value);
    let scores = of_rows(&oof.standard_scores);
    let mut reasons = Reasons::default();
    let RocFigures { auc, auc_ci95, auc_volatility_baseline, auc_minus_baseline, auc_minus_baseline_ci95 } =
        Roc::new(sample, &scores, baseline, too_rare.clone()).figures(&mut reasons);
    let n_positive = labels.iter().filter(|&&label| label == 1.0).count();
    let base_rate = match labels.len() {
        0 => Err(Undefined::because("no row has an out-of-fold score")),
        n_rows => Ok(n_positive as f64 / n_rows as f64),
    };
    let mut of_gain = |name, figure: fn(&Gain) -> f64| match gain {
        GainOverLead::IsLead => None,
        GainOverLead::Gain(gain) => reasons.figure(name, Ok(figure(gain))),
        GainOverLead::Undefined(reason) => reasons.figure(name, Err(reason.clone())),
    };
    let gain_over_lead = of_gain("gain_over_lead", |gain| gain.value);
    let gain_standard_error = of_gain("gain_standard_error", |gain| gain.standard_error);
    ValidationMetrics {
        auc,
        auc_ci95,
        auc_volatility_baseline,
        auc_minus_baseline,
        auc_minus_baseline_ci95,
        pr_auc: reasons.figure("pr_auc", average_precision(&labels, &scores)),
        base_rate: reasons.figure("base_rate", base_rate),
        n_rows: labels.len(),
        fold_aucs: fold_aucs(oof, too_rare, &mut reasons),
        gain_over_lead,
        gain_standard_error,
        reasons,
    }
}

fn fold_aucs(oof: &OutOfFold, too_rare: Option<Undefined>, reasons: &mut Reasons) -> Vec<Option<Finite>> {
    let aucs = match too_rare {
        Some(_) => vec![None; oof.fold_aucs.len()],
        None => oof.fold_aucs.iter().map(|auc| auc.and_then(Finite::new)).collect(),
    };
    if aucs.contains(&None) {
        let one_class = || Undefined::because("a fold holds one class only, or has no scores");
        let _: Option<Finite> = reasons.value("fold_aucs", Err(too_rare.unwrap_or_else(one_class)));
    }
    aucs
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
