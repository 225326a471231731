//! The final fits: every family on the whole development period, and the winner's scores of the test rows.
//!
//! In: the families as they were judged. Out: [`Finals`]. Should the winner's own fit go wrong, the next best family
//! stands in its place and is fitted once more, with the test rows to score: only scores of one family are ever looked at.

use crate::parallel::side_by_side;
use oculus_job::warning::Warning;
use oculus_job::warning::WarningCode;
use oculus_plugin_api::code;
use serde_json::{Map, Value, json};

use super::{
    FinalModel, FitKind, Judged, ModelRow, ModelStatus, Tell, Telling, TestMetrics, Winner, evaluate, n_epochs, pick,
};
use crate::{
    fitter::{FitError, FitNews, FitRequest, Fitted, Keep, setting},
    metrics::{Spread, Undefined, decision_threshold},
    search::{self, Family, Outcome, Study},
    splits::Development,
};
use oculus_job::{failure::Failure, progress::Phase};

/// What became of every judged family.
pub(super) struct Finals {
    winner_idx: usize,
    /// The winner's scores of the test rows.
    test_scores: Vec<f32>,
    models: Vec<Result<Model, FitError>>,
    /// What is to be said where the winner by validation is not the model of the result.
    pub(super) fallen_back: Vec<Warning>,
}

/// One family's model, and what goes with it.
struct Model {
    params: Map<String, Value>,
    fitted: Fitted,
    threshold: Result<f32, Undefined>,
    /// Where its scores of its own training rows lie.
    spread: Spread,
}

/// Fits all families, side by side, and picks the winner among those whose fit goes well.
///
/// # Errors
/// When there is none, or the job is cancelled.
pub(super) fn fit(
    study: &Study<'_>,
    outcome: &Outcome,
    judged: &[Judged<'_>],
    tell: &Tell<'_>,
) -> Result<Finals, Failure> {
    let cancelled = |idx: usize, error: &FitError| search::family_failure(Phase::Training, &judged[idx].family, error);
    let mut winner_idx = pick(judged, |_| true).unwrap_or(0);
    let indices: Vec<usize> = (0..judged.len()).collect();
    let all = side_by_side(study.n_side_by_side, &indices, |&idx| {
        let Judged { family, oof, .. } = &judged[idx];
        let n_epochs = oof.rounds.map(u64::from).or_else(|| n_epochs(family));
        let fit = Telling { tell, family, fit: FitKind::Final, n_epochs };
        fit.told(|hear| final_fit(study, outcome, (&judged[idx], idx == winner_idx), hear))
    });
    let (mut models, mut test_scores) = (Vec::new(), Vec::new());
    for (idx, fitted) in all.into_iter().enumerate() {
        let model = fitted.map(|(model, scores)| {
            test_scores.extend(scores);
            model
        });
        if let Err(error @ FitError::Cancelled) = &model {
            return Err(cancelled(idx, error));
        }
        models.push(model);
    }
    let mut fallen_back = Vec::new();
    while let Err(error) = &models[winner_idx] {
        let next_idx = pick(judged, |idx| models[idx].is_ok()).ok_or_else(|| cancelled(winner_idx, error))?;
        fallen_back.push(stands_in(&judged[winner_idx], &judged[next_idx]));
        winner_idx = next_idx;
        let refitted = final_fit(study, outcome, (&judged[winner_idx], true), &|_| {});
        models[winner_idx] = refitted.map(|(model, scores)| {
            test_scores = scores;
            model
        });
    }
    Ok(Finals { winner_idx, test_scores, models, fallen_back })
}

fn stands_in(winner: &Judged<'_>, next: &Judged<'_>) -> Warning {
    let title = |judged: &Judged<'_>| judged.family.fitter.manifest().title().to_owned();
    let message = format!(
        "{} is best by validation, but its final fit failed: the model of the result is that of {}",
        title(winner),
        title(next)
    );
    Warning::new(WarningCode::WinnerFailed, message)
}

/// The model of the whole development period, and scores of the test rows where they are asked for.
fn final_fit(
    study: &Study<'_>,
    outcome: &Outcome,
    (judged, scores_test): (&Judged<'_>, bool),
    hear: &(dyn Fn(&FitNews) + Sync),
) -> Result<(Model, Vec<f32>), FitError> {
    let (label, splits) = (&study.labels[outcome.label_idx], &study.splits[outcome.label_idx]);
    let Development { learn_rows, train_rows } = &splits.development;
    let test_rows = if scores_test { splits.test_rows.as_slice() } else { &[] };
    let family = &judged.family;
    let params = final_params(judged);
    let predict_rows = search::merged(train_rows, test_rows);
    // Where it was judged: epochs found on one device are not those of another.
    let device = judged.oof.device.as_deref().unwrap_or(family.device);
    let prepared = family.fitter.prepare(learn_rows, &setting(device, study.seed), hear)?;
    let fitted = family.fitter.fit(&FitRequest {
        prepared,
        label: &label.value,
        train_rows,
        tune_rows: &[],
        params: &params,
        seed: study.seed,
        device,
        predict_rows: &predict_rows,
        keep: Keep::Model,
        hear,
    })?;
    search::every_row_scored(&fitted.scores, &predict_rows)
        .map_err(|message| FitError::Refused { code: code::DATA, message })?;
    let (trained, test_scores) = search::scores_apart(&predict_rows, &fitted.scores, test_rows);
    let standard = decision_threshold(&label.value, &judged.oof.standard_scores);
    let spread = Spread::of(&trained);
    let threshold = standard.map(|standard| spread.score(standard));
    Ok((Model { params, fitted, threshold, spread }, test_scores))
}

/// Those of the family, with the rounds that its folds found.
fn final_params(judged: &Judged<'_>) -> Map<String, Value> {
    let Family { fitter, params, .. } = judged.family;
    let mut params = params.clone();
    if let (Some(name), Some(rounds)) = (&fitter.manifest().rounds_param, judged.oof.rounds) {
        params.insert(name.clone(), json!(rounds));
    }
    params
}

impl Finals {
    /// All models, the winner's first; what the winner says; and what that is worth on the test.
    pub(super) fn of_winner(
        &self,
        study: &Study<'_>,
        outcome: &Outcome,
        judged: &[Judged<'_>],
    ) -> (Vec<FinalModel>, Winner, TestMetrics) {
        let model = |idx: usize| Some(self.model(idx, &judged[idx], self.models[idx].as_ref().ok()?));
        let mut models: Vec<FinalModel> = (0..judged.len()).filter_map(model).collect();
        models.sort_by_key(|model| !model.is_winner);
        let winner = &judged[self.winner_idx];
        let (threshold, importance) = match &self.models[self.winner_idx] {
            Ok(model) => (model.threshold.clone(), model.fitted.importance.clone()),
            Err(error) => (Err(Undefined::because(error.to_string())), None),
        };
        let tested = evaluate::Tested {
            model_name: winner.family.fitter.manifest().title(),
            scores: &self.test_scores,
            threshold,
            n_train: study.splits[outcome.label_idx].development.train_rows.len(),
            too_rare: outcome.too_rare(),
        };
        let test = evaluate::on_test(study, outcome.label_idx, &tested);
        let winner = Winner {
            oof_scores: winner.oof.scores.clone(),
            test_scores: self.test_scores.clone(),
            spread: self.models[self.winner_idx].as_ref().ok().map(|model| model.spread),
            standard_scores: self.standard_scores(winner, outcome, &study.splits[outcome.label_idx].test_rows),
            importance,
        };
        (models, winner, test)
    }

    fn standard_scores(&self, winner: &Judged<'_>, outcome: &Outcome, test_rows: &[u32]) -> Vec<f32> {
        let (own, leads) = (&winner.oof.standard_scores, &outcome.oof.standard_scores);
        let mut scores: Vec<f32> =
            own.iter().zip(leads).map(|(&own, &lead)| if own.is_nan() { lead } else { own }).collect();
        if let Ok(model) = &self.models[self.winner_idx] {
            for (&row, &score) in test_rows.iter().zip(&self.test_scores) {
                scores[row as usize] = model.spread.standard(score);
            }
        }
        scores
    }

    fn model(&self, idx: usize, judged: &Judged<'_>, model: &Model) -> FinalModel {
        let manifest = judged.family.fitter.manifest();
        FinalModel {
            name: manifest.title().to_owned(),
            plugin: manifest.id.clone(),
            params: model.params.clone(),
            rounds: judged.oof.rounds,
            device: model.fitted.summary.device.clone(),
            threshold: model.threshold.clone().ok(),
            bytes: model.fitted.model.clone().unwrap_or_default(),
            is_winner: idx == self.winner_idx,
        }
    }

    /// Enters into the families' rows how their final fits ended.
    pub(super) fn complete(&self, rows: &mut [ModelRow]) {
        for (idx, (row, model)) in rows.iter_mut().zip(&self.models).enumerate() {
            row.winner = idx == self.winner_idx;
            match model {
                Ok(model) => row.device = model.fitted.summary.device.clone().or(row.device.take()),
                Err(error) => {
                    row.status = ModelStatus::Failed;
                    row.reason = Some(format!("in the final fit: {error}"));
                }
            }
        }
    }
}
