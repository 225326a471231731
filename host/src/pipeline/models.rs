//! Fits every family on the chosen label, picks a winner by validation rows, and looks at the test once.
//!
//! In: a [`Study`], the search's [`Outcome`], the families. Out: a row a family, the winner with its model, and its
//! [`TestMetrics`]. Invariant: the test rows are scored by one final fit and by nothing before it.

mod evaluate;
mod row;
#[cfg(test)]
mod tests;

use oculus_plugin_api::Manifest;
use serde_json::{Map, Value, json};

use self::row::{failed_row, model_row, skipped_row, validation_metrics};
pub use self::{
    evaluate::{SymbolMetrics, TestMetrics},
    row::{ModelRow, ModelStatus, ValidationMetrics},
};
use super::{
    bars::Warning,
    fitter::{FitError, FitRequest, Fitted, Keep, setting},
    metrics::{Spread, Undefined, decision_threshold},
    search::{self, Bench, Contender, Family, Gain, OutOfFold, Outcome, Study},
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
    /// Over the lead, or why there is none; `None` for the lead itself.
    gain: Option<Result<Gain, Undefined>>,
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
    let gain =
        |idx: usize| judged[idx].gain.as_ref()?.as_ref().ok().filter(|gain| gain.is_clear()).map(|gain| gain.value);
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
            let gain = match outcome.too_rare() {
                Some(reason) => Err(reason),
                None => search::gain(study, &pooled(&oof.standard_scores), &pooled(&lead.oof.standard_scores)),
            };
            Ok(Ok(Judged { family: *family, oof, gain: Some(gain), row: model_row(family) }))
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
    let predict_rows = search::merged(&splits.development.train_rows, &splits.test_rows);
    let fitted = final_fit(study, outcome, &Family { params: &params, ..judged.family }, &predict_rows)?;
    let (trained, test_scores) = search::scores_apart(&predict_rows, &fitted.scores, &splits.test_rows);
    let standard = decision_threshold(&label.value, &judged.oof.standard_scores);
    let threshold = standard.map(|standard| Spread::of(&trained).score(standard));
    let test = evaluate::on_test(
        study,
        outcome.label_idx,
        &evaluate::Tested {
            model_name: manifest.title(),
            scores: &test_scores,
            threshold: threshold.clone(),
            n_train: splits.development.train_rows.len(),
            too_rare: outcome.too_rare(),
        },
    );
    let winner = Winner {
        name: manifest.title().to_owned(),
        plugin: manifest.id.clone(),
        params,
        threshold: threshold.ok(),
        oof_scores: judged.oof.scores.clone(),
        test_scores,
        model: fitted.model.unwrap_or_default(),
        importance: fitted.importance,
    };
    Ok((winner, fitted.summary.device, test))
}

fn final_fit(
    study: &Study<'_>,
    outcome: &Outcome,
    family: &Family<'_>,
    predict_rows: &[u32],
) -> Result<Fitted, Failure> {
    let fatal = |error: FitError| search::family_failure(Phase::Training, family, &error);
    let splits = &study.splits[outcome.label_idx];
    let Development { learn_rows, train_rows } = &splits.development;
    let prepared = family.fitter.prepare(learn_rows, &setting(family.device, study.seed)).map_err(fatal)?;
    let request = FitRequest {
        prepared,
        label: &study.labels[outcome.label_idx].value,
        train_rows,
        tune_rows: &[],
        params: family.params,
        seed: study.seed,
        device: family.device,
        predict_rows,
        keep: Keep::Model,
    };
    let fitted = family.fitter.fit(&request).map_err(fatal)?;
    search::every_row_scored(&fitted.scores, predict_rows).map_err(|reason| {
        let message = format!("{}: in the final fit {reason}", family.fitter.manifest().title());
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
            let scores: Vec<f32> = common.iter().map(|&row| oof.standard_scores[row]).collect();
            let validation = validation_metrics(&labels, &scores, &oof, (gain, outcome.too_rare()));
            let device = Some(oof.device.unwrap_or_else(|| "cpu".to_owned()));
            ModelRow { device, rounds: oof.rounds, validation: Some(validation), ..row }
        })
        .collect()
}
