//! Fits every family on the chosen label, picks a winner by validation rows, and looks at the test once.
//!
//! In: a [`Study`], the search's [`Outcome`], the families. Out: a row a family, the winner with its model, and its
//! [`TestMetrics`]. Invariant: the test rows are scored by one final fit and by nothing before it.

mod evaluate;
#[cfg(test)]
mod tests;

use oculus_plugin_api::Manifest;
use serde::Serialize;
use serde_json::{Map, Value, json};

pub use self::evaluate::{SymbolMetrics, TestMetrics};
use super::{
    bars::Warning,
    fitter::{FitError, FitRequest, Fitted, Keep},
    metrics::{Finite, Interval, Reasons, Undefined, auc, average_precision, decision_threshold},
    search::{self, Bench, Contender, Family, Gain, LabelName, OutOfFold, Outcome, Study},
    splits::Development,
};
use crate::job::{failure::Failure, progress::Phase};

/// A family that the job asked for.
#[derive(Clone, Copy)]
pub enum Candidate<'a> {
    /// One that can be fitted.
    Ready(Family<'a>),
    /// One that cannot, and why.
    Unavailable {
        /// As the job names it.
        name: &'a str,
        /// Why it is skipped.
        reason: &'a str,
    },
}

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
    /// Area under the ROC curve of the rows pooled.
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

/// The model of the result.
#[derive(Clone, Debug)]
pub struct Winner {
    /// The name to show.
    pub name: String,
    /// The plugin's id.
    pub plugin: String,
    /// Parameters of the final fit that differ from the family's defaults.
    pub params: Map<String, Value>,
    /// Score from which a row is flagged; `None` where no row has an out-of-fold score.
    pub threshold: Option<f32>,
    /// Out-of-fold scores, one a row of the table, NaN elsewhere.
    pub oof_scores: Vec<f32>,
    /// Scores of the test rows, in their order.
    pub test_scores: Vec<f32>,
    /// The model in its family's own format.
    pub model: Vec<u8>,
    /// Share of each column of the table, where the family knows it.
    pub importance: Option<Vec<f64>>,
}

/// Everything this stage found.
#[derive(Clone, Debug)]
pub struct Training {
    /// One row a family, the lead first.
    pub rows: Vec<ModelRow>,
    /// The winner, fitted on the whole development period.
    pub winner: Winner,
    /// The winner on the test.
    pub test: TestMetrics,
    /// What the reader should know.
    pub warnings: Vec<Warning>,
}

/// A family with its out-of-fold scores.
struct Judged<'a> {
    family: Family<'a>,
    oof: OutOfFold,
    gain: Option<Gain>,
    row: ModelRow,
}

/// Fits the other families, picks the winner and evaluates it.
///
/// * `others`: the families beside the lead, in the job's order.
/// * `on_family`: told each family before its fit.
///
/// # Errors
/// When the winner's final fit fails, or the job is cancelled. A family that fails before that leaves the others.
pub fn run(
    study: &Study<'_>,
    outcome: &Outcome,
    lead: &Family<'_>,
    others: &[Candidate<'_>],
    on_family: &dyn Fn(&Manifest),
) -> Result<Training, Failure> {
    on_family(lead.fitter.manifest());
    let lead = Family { params: &outcome.params, ..*lead };
    let lead = Judged { family: lead, oof: outcome.oof.clone(), gain: None, row: model_row(&lead) };
    let mut judged = Vec::new();
    let mut unfit = Vec::new();
    for candidate in others {
        match candidate {
            Candidate::Unavailable { name, reason } => unfit.push(skipped_row(name, reason)),
            Candidate::Ready(family) => {
                on_family(family.fitter.manifest());
                match judge(study, outcome, family, &lead)? {
                    Ok(this) => judged.push(this),
                    Err(row) => unfit.push(row),
                }
            }
        }
    }
    let all: Vec<Judged<'_>> = std::iter::once(lead).chain(judged).collect();
    let winner_idx = pick(&all);
    let (winner, device, test) = finish(study, outcome, &all[winner_idx])?;
    let mut rows = validation_rows(study, outcome, all);
    rows[winner_idx].winner = true;
    rows[winner_idx].device = device.or(rows[winner_idx].device.take());
    rows.extend(unfit);
    let failed = rows.iter().filter(|row| row.status == ModelStatus::Failed);
    let warning = |row: &ModelRow| {
        Warning::new("family_failed", format!("{}: {}", row.name, row.reason.as_deref().unwrap_or_default()))
    };
    let warnings = failed.map(warning).collect();
    Ok(Training { rows, winner, test, warnings })
}

/// The lead, unless one beats it by more than a standard error; of several that do, the one of the largest gain.
fn pick(judged: &[Judged<'_>]) -> usize {
    let gain = |idx: usize| judged[idx].gain.filter(Gain::is_clear).map(|gain| gain.value);
    let clear = (1..judged.len()).filter_map(|idx| Some((idx, gain(idx)?)));
    clear.reduce(|best, next| if next.1 > best.1 { next } else { best }).map_or(0, |(idx, _)| idx)
}

/// Fits a family on the last fold. The outer error is a cancelled job, the inner one the row of a family that failed.
fn judge<'a>(
    study: &Study<'_>,
    outcome: &Outcome,
    family: &Family<'a>,
    lead: &Judged<'_>,
) -> Result<Result<Judged<'a>, ModelRow>, Failure> {
    let label_idx = outcome.label_idx;
    match Bench::new(study, family).fit_last_fold(label_idx) {
        Err(error @ FitError::Cancelled) => Err(search::family_failure(Phase::Training, family, &error)),
        Err(error) => Ok(Err(failed_row(family, error.to_string()))),
        Ok(OutOfFold { refusal: Some(reason), .. }) => Ok(Err(failed_row(family, reason))),
        Ok(oof) => {
            let common = common_rows(&lead.oof.scores, &oof.scores);
            let label = &study.labels[label_idx];
            let pooled = |scores| Contender { label, groups: vec![&common], scores, baseline: None };
            let gain = search::gain(study, &pooled(&oof.scores), &pooled(&lead.oof.scores)).ok();
            Ok(Ok(Judged { family: *family, oof, gain, row: model_row(family) }))
        }
    }
}

/// Rows that both have scores of.
fn common_rows(a: &[f32], b: &[f32]) -> Vec<u32> {
    let both = a.iter().zip(b).enumerate().filter(|(_, (a, b))| !a.is_nan() && !b.is_nan());
    both.map(|(row, _)| row as u32).collect()
}

/// The final fit on the whole development period, and the only look at the test.
fn finish(
    study: &Study<'_>,
    outcome: &Outcome,
    judged: &Judged<'_>,
) -> Result<(Winner, Option<String>, TestMetrics), Failure> {
    let label = &study.labels[outcome.label_idx];
    let splits = &study.splits[outcome.label_idx];
    let manifest = judged.family.fitter.manifest();
    let mut params = judged.family.params.clone();
    if let (Some(name), Some(rounds)) = (&manifest.rounds_param, judged.oof.rounds) {
        params.insert(name.clone(), json!(rounds));
    }
    let fitted = final_fit(study, outcome, &Family { params: &params, ..judged.family })?;
    let threshold = decision_threshold(&label.value, &judged.oof.scores);
    let test = evaluate::on_test(
        study,
        outcome.label_idx,
        &evaluate::Tested {
            model_name: manifest.title(),
            scores: &fitted.scores,
            threshold: threshold.clone(),
            n_train: splits.development.train_rows.len(),
        },
    );
    let winner = Winner {
        name: manifest.title().to_owned(),
        plugin: manifest.id.clone(),
        params,
        threshold: threshold.ok(),
        oof_scores: judged.oof.scores.clone(),
        test_scores: fitted.scores,
        model: fitted.model.unwrap_or_default(),
        importance: fitted.importance,
    };
    Ok((winner, fitted.summary.device, test))
}

fn final_fit(study: &Study<'_>, outcome: &Outcome, family: &Family<'_>) -> Result<Fitted, Failure> {
    let fatal = |error: FitError| search::family_failure(Phase::Training, family, &error);
    let splits = &study.splits[outcome.label_idx];
    let Development { learn_rows, train_rows } = &splits.development;
    let prepared = family.fitter.prepare(learn_rows).map_err(fatal)?;
    let request = FitRequest {
        prepared,
        label: &study.labels[outcome.label_idx].value,
        train_rows,
        tune_rows: &[],
        params: family.params,
        seed: study.seed,
        device: family.device,
        predict_rows: &splits.test_rows,
        keep: Keep::Model,
    };
    let fitted = family.fitter.fit(&request).map_err(fatal)?;
    search::every_row_scored(&fitted.scores, &splits.test_rows).map_err(|reason| {
        let message = format!("{}: on the test period {reason}", family.fitter.manifest().title());
        Failure::failed(Phase::Training, "incomplete_scores", message, "update the plugin, or leave the family out")
    })?;
    Ok(fitted)
}

/// The rows of the families that were judged, all on the rows that they have in common.
fn validation_rows(study: &Study<'_>, outcome: &Outcome, judged: Vec<Judged<'_>>) -> Vec<ModelRow> {
    let is_common = |row: usize| judged.iter().all(|this| !this.oof.scores[row].is_nan());
    let common: Vec<usize> = (0..study.table.n_rows()).filter(|&row| is_common(row)).collect();
    let labels: Vec<f32> = common.iter().map(|&row| study.labels[outcome.label_idx].value[row]).collect();
    judged
        .into_iter()
        .map(|Judged { oof, gain, row, .. }| {
            let scores: Vec<f32> = common.iter().map(|&row| oof.scores[row]).collect();
            let validation = validation_metrics(&labels, &scores, &oof, gain);
            let device = Some(oof.device.unwrap_or_else(|| "cpu".to_owned()));
            ModelRow { device, rounds: oof.rounds, validation: Some(validation), ..row }
        })
        .collect()
}

fn validation_metrics(labels: &[f32], scores: &[f32], oof: &OutOfFold, gain: Option<Gain>) -> ValidationMetrics {
    let mut reasons = Reasons::default();
    let n_positive = labels.iter().filter(|&&label| label == 1.0).count();
    let base_rate = match labels.len() {
        0 => Err(Undefined::because("no row has an out-of-fold score")),
        n_rows => Ok(n_positive as f64 / n_rows as f64),
    };
    ValidationMetrics {
        auc: reasons.figure("auc", auc(labels, scores)),
        pr_auc: reasons.figure("pr_auc", average_precision(labels, scores)),
        base_rate: reasons.figure("base_rate", base_rate),
        n_rows: labels.len(),
        fold_aucs: oof.fold_aucs.iter().map(|auc| auc.and_then(Finite::of)).collect(),
        gain_over_lead: gain.and_then(|gain| Finite::of(gain.value)),
        gain_standard_error: gain.and_then(|gain| Finite::of(gain.standard_error)),
        reasons,
    }
}

fn model_row(family: &Family<'_>) -> ModelRow {
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

fn failed_row(family: &Family<'_>, reason: String) -> ModelRow {
    ModelRow { status: ModelStatus::Failed, reason: Some(reason), ..model_row(family) }
}

fn skipped_row(name: &str, reason: &str) -> ModelRow {
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
