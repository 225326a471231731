//! The rows of the families in the result. Every family has one row, whether it was fitted, skipped
//! or failed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    candidate::{Evaluated, GainOverLead, ModelKind},
    ensemble::{ENSEMBLE_TITLE, RankedFamilies},
    roc::{Roc, RocFigures, RocSample},
};
use crate::{
    metrics::{Finite, Interval, Reasons, UndefinedError, average_precision},
    search::{Family, Gain, OutOfFold, SearchContext, SearchResult},
};

/// Device of a family that does not report one.
const DEFAULT_DEVICE: &str = "cpu";

/// The outcome of a family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ModelStatus {
    /// The family was fitted and evaluated.
    Ok,
    /// The family was not fitted, because its plugin is not available, or the ensemble has too few
    /// members.
    Skipped,
    /// A fit of the family failed.
    Failed,
}

/// A family or the ensemble in the result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ModelRow {
    /// Display name of the family, or `Ensemble`.
    pub name: String,
    /// Id of the plugin; null if it is not installed, and for the ensemble.
    pub plugin: Option<String>,
    /// Version of the plugin; null together with `plugin`.
    pub version: Option<String>,
    /// Ids of the plugins whose ranks the ensemble averages; absent for families.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub members: Vec<String>,
    /// Device of the fit, such as `cpu`; null if the family was not fitted, and for the ensemble.
    pub device: Option<String>,
    /// Outcome of the family.
    pub status: ModelStatus,
    /// Reason why the family was skipped or failed; absent for other families.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Whether the result contains this family's model as the winner.
    pub winner: bool,
    /// Reason why this family won; only for the winner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub winner_reason: Option<String>,
    /// Whether the family is fitted in every job as a reference for the other families. A reference
    /// cannot win. It is not the volatility baseline.
    #[serde(default)]
    pub is_baseline: bool,
    /// AUC of the reference family on the test rows. The AUC of the winner is in `model_metrics`,
    /// and the other families are not evaluated on the test rows. Absent for all other families.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_auc: Option<Finite>,
    /// Parameters that differ from the family's defaults.
    pub params: Map<String, Value>,
    /// Rounds or epochs of the final fit, if early stopping determined them; absent otherwise. They
    /// replace the number of rounds in `params`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rounds: Option<u32>,
    /// Metrics on validation rows, which are before the test period; null if the family was not
    /// fitted.
    pub validation: Option<ValidationMetrics>,
}

/// Metrics of a family on the validation rows that all families have scored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ValidationMetrics {
    /// Validation AUC: of the validation rows of all folds, with scores in deviations of each
    /// fold's model; null if the rows have one class.
    pub auc: Option<Finite>,
    /// 95 % interval of the AUC: a t interval on the logit scale over blocks of whole dates, twice
    /// as long as the horizon; null under 4 blocks, under 10 rows of either class, or if all scores
    /// are equal.
    pub auc_ci95: Option<Interval>,
    /// AUC of the volatility baseline on the same rows, fitted on the same folds; null if the
    /// features of the baseline are missing, or together with `auc`.
    pub auc_volatility_baseline: Option<Finite>,
    /// AUC minus the baseline's AUC; null if one of them is null.
    pub auc_minus_baseline: Option<Finite>,
    /// 95 % interval of `auc_minus_baseline`; null under the conditions of `auc_ci95`.
    pub auc_minus_baseline_ci95: Option<Interval>,
    /// Average precision: the area under the curve of precision and recall; null without positives.
    pub pr_auc: Option<Finite>,
    /// Share of positives, 0 to 1; null without rows.
    pub base_rate: Option<Finite>,
    /// Number of evaluated rows.
    pub n_rows: usize,
    /// AUC of each fold that the family was fitted on, oldest first; an AUC is null if the rows of
    /// its fold have one class.
    pub fold_aucs: Vec<Option<Finite>>,
    /// Gain in AUC over the lead family; absent for the lead itself. Only folds that train on at
    /// least 45 % of the development rows count, and rows that both families have scored. So the
    /// gain usually differs from the difference of the two values of `auc`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gain_over_lead: Option<Finite>,
    /// Standard error of that gain; absent together with the gain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gain_standard_error: Option<Finite>,
    /// Reason for each null figure, by field name.
    #[serde(default, skip_serializing_if = "Reasons::is_empty")]
    pub reasons: Reasons,
}

/// Returns the result rows of the evaluated families and the ensemble. All of them are evaluated on the table rows
/// that every family has scored, so that their figures are comparable.
pub(super) fn evaluated_rows(
    context: &SearchContext<'_>,
    outcome: &SearchResult,
    evaluated: &[Evaluated<'_>],
) -> Vec<ModelRow> {
    let is_common = |row: usize| evaluated.iter().all(|this| !this.oof.scores[row].is_nan());
    let common: Vec<u32> = (0..context.table.n_rows()).filter(|&row| is_common(row)).map(|row| row as u32).collect();
    let sample = RocSample { context, label_idx: outcome.label_idx, rows: &common, purpose: "validation intervals" };
    let no_baseline = || UndefinedError::because("the table lacks the features of the volatility baseline");
    let baseline = outcome.baseline.as_ref().ok_or_else(no_baseline);
    let baseline = baseline.map(|scores| common.iter().map(|&row| scores[row as usize]).collect::<Vec<f32>>());
    let row = |this: &Evaluated<'_>| ModelRow {
        rounds: this.oof.rounds,
        is_baseline: this.is_baseline,
        validation: Some(validation_metrics(&sample, this, baseline.clone())),
        ..match &this.kind {
            ModelKind::Family(family) => ModelRow {
                device: Some(this.oof.device.clone().unwrap_or_else(|| DEFAULT_DEVICE.to_owned())),
                ..model_row(family)
            },
            ModelKind::Ensemble(ranked) => ensemble_row(ranked, evaluated),
        }
    };
    evaluated.iter().map(row).collect()
}

fn validation_metrics(
    sample: &RocSample<'_>,
    evaluated: &Evaluated<'_>,
    baseline: Result<Vec<f32>, UndefinedError>,
) -> ValidationMetrics {
    let Evaluated { oof, gain, .. } = evaluated;
    let select = |values: &[f32]| -> Vec<f32> { sample.rows.iter().map(|&row| values[row as usize]).collect() };
    let labels = select(&sample.context.labels[sample.label_idx].value);
    let scores = select(&oof.standard_scores);
    let mut reasons = Reasons::default();
    let RocFigures { auc, auc_ci95, auc_volatility_baseline, auc_minus_baseline, auc_minus_baseline_ci95 } =
        Roc::new(sample, &scores, baseline).figures(&mut reasons);
    let n_positive = labels.iter().filter(|&&label| label == 1.0).count();
    let base_rate = match labels.len() {
        0 => Err(UndefinedError::because("none of the rows has an out-of-fold score")),
        n_rows => Ok(n_positive as f64 / n_rows as f64),
    };
    let mut gain_figure = |name, figure: fn(&Gain) -> f64| match gain {
        GainOverLead::IsLead => None,
        GainOverLead::Gain(gain) => reasons.figure(name, Ok(figure(gain))),
        GainOverLead::Undefined(reason) => reasons.figure(name, Err(reason.clone())),
    };
    let gain_over_lead = gain_figure("gain_over_lead", |gain| gain.value);
    let gain_standard_error = gain_figure("gain_standard_error", |gain| gain.standard_error);
    ValidationMetrics {
        auc,
        auc_ci95,
        auc_volatility_baseline,
        auc_minus_baseline,
        auc_minus_baseline_ci95,
        pr_auc: reasons.figure("pr_auc", average_precision(&labels, &scores)),
        base_rate: reasons.figure("base_rate", base_rate),
        n_rows: labels.len(),
        fold_aucs: fold_aucs(oof, &mut reasons),
        gain_over_lead,
        gain_standard_error,
        reasons,
    }
}

fn fold_aucs(oof: &OutOfFold, reasons: &mut Reasons) -> Vec<Option<Finite>> {
    let aucs: Vec<Option<Finite>> = oof.fold_aucs.iter().map(|auc| auc.and_then(Finite::new)).collect();
    if aucs.contains(&None) {
        let one_class = UndefinedError::because("the validation rows of a fold have a single class");
        // This call only records the reason: the field contains the list with nulls.
        let _: Option<Finite> = reasons.value("fold_aucs", Err(one_class));
    }
    aucs
}

/// Returns the row of a family before its evaluation.
pub(super) fn model_row(family: &Family<'_>) -> ModelRow {
    let manifest = family.fitter.manifest();
    ModelRow {
        name: manifest.title().to_owned(),
        plugin: Some(manifest.id.clone()),
        version: Some(manifest.version.clone()),
        members: Vec::new(),
        device: None,
        status: ModelStatus::Ok,
        reason: None,
        winner: false,
        winner_reason: None,
        is_baseline: false,
        test_auc: None,
        params: family.params.clone(),
        rounds: None,
        validation: None,
    }
}

/// Returns the row of the ensemble before its evaluation.
fn ensemble_row(ranked: &RankedFamilies, evaluated: &[Evaluated<'_>]) -> ModelRow {
    let members = ranked.members.iter().map(|member| evaluated[member.idx].id().to_owned());
    ModelRow { members: members.collect(), status: ModelStatus::Ok, reason: None, ..skipped_row(ENSEMBLE_TITLE, "") }
}

/// Returns the row of a family that failed.
pub(super) fn failed_row(family: &Family<'_>, reason: String) -> ModelRow {
    ModelRow { status: ModelStatus::Failed, reason: Some(reason), ..model_row(family) }
}

/// Returns the row of a family that is not available, or of an ensemble without members.
pub(super) fn skipped_row(name: &str, reason: &str) -> ModelRow {
    ModelRow {
        name: name.to_owned(),
        plugin: None,
        version: None,
        members: Vec::new(),
        device: None,
        status: ModelStatus::Skipped,
        reason: Some(reason.to_owned()),
        winner: false,
        winner_reason: None,
        is_baseline: false,
        test_auc: None,
        params: Map::new(),
        rounds: None,
        validation: None,
    }
}

/// Returns the reason why the family of a row won.
pub(super) fn winner_reason(row: &ModelRow) -> String {
    let gain = row
        .validation
        .as_ref()
        .and_then(|validation| Some((validation.gain_over_lead?.get(), validation.gain_standard_error?.get())));
    match gain {
        Some((gain, error)) => {
            format!("its AUC differs from the lead family's by {gain:+.3} ± {error:.3} on the later folds")
        }
        None => "it leads the search, and no other family is clearly better on the validation rows".to_owned(),
    }
}
