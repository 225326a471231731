//! Claims about base scores, for families whose manifest declares them.

use super::claim_error::{ClaimError, ClaimResult, describe};
use super::fitting::unless_irreproducible;
use super::models::a_saved_model_predicts_the_same;
use super::rejecting::{check_no_panic, check_rejected};
use super::snapshot::{ModelSnapshot, Scores, check_equal};
use super::subject::Subject;
use crate::code;
use crate::testing::{Fitted, Listener};

/// Makes a claim inapplicable if the family does not support base scores.
fn needs_base_score(subject: &Subject<'_>) -> ClaimResult {
    if subject.manifest.base_score {
        return subject.model().map(drop);
    }
    Err(ClaimError::inapplicable("its manifest does not set `supports_base_score`"))
}

/// Returns one base score per row of the table, from −1 to 1. The scores do not depend on the
/// labels.
fn base_scores(subject: &Subject<'_>) -> Vec<f32> {
    (0..subject.frame.n_rows()).map(|row| (row * 37 % 11) as f32 / 5.0 - 1.0).collect()
}

/// Fits a model with the standard parameters and a base score.
fn fit_from(subject: &Subject<'_>, base_score: &[f32]) -> crate::Result<Fitted> {
    let task = subject.task();
    let setting = subject.setting(&task);
    let prepared = subject.harness.prepare_with(&subject.frame, task.train_rows, &setting, &Listener::default())?;
    prepared.fit_from(&task, base_score, &subject.params(), &Listener::default())
}

/// Fits a model, and reports a failure as a broken claim.
fn model_from(subject: &Subject<'_>, base_score: &[f32]) -> Result<Fitted, ClaimError> {
    fit_from(subject, base_score).map_err(|error| {
        let expected = "a model that starts from a base score";
        ClaimError::broken(describe(&error), expected, "implement `fit_from`, or remove `supports_base_score`")
    })
}

/// Computes the scores of the later rows.
fn scores(subject: &Subject<'_>, model: &Fitted, base_score: &[f32]) -> Result<Vec<f32>, ClaimError> {
    let rows = subject.panel.days(subject.panel.later());
    model.predict_with(&subject.frame, &rows, base_score, &Listener::default()).map_err(|error| {
        let expected = format!("scores of {} rows with base scores", rows.len());
        ClaimError::broken(describe(&error), expected, "implement `predict_from`, or remove `supports_base_score`")
    })
}

pub(crate) fn a_base_score_is_part_of_the_scores(subject: &Subject<'_>) -> ClaimResult {
    needs_base_score(subject)?;
    let base_score = base_scores(subject);
    let model = model_from(subject, &base_score)?;
    let lower = scores(subject, &model, &base_score)?;
    let raised: Vec<f32> = base_score.iter().map(|score| score + 1.0).collect();
    let higher = scores(subject, &model, &raised)?;
    let rows = subject.panel.days(subject.panel.later());
    let remedy = "add the base score of a row to its log-odds in `predict_from`";
    let expected = "a higher score for a base score that is higher by 1";
    let pairs = || {
        rows.iter().zip(lower.iter().zip(&higher)).filter(|(_, (lower, higher))| !lower.is_nan() || !higher.is_nan())
    };
    // A probability of 1 cannot rise, so equal scores are accepted in some rows.
    let falls = |lower: f32, higher: f32| lower > higher || lower.is_nan() || higher.is_nan();
    if let Some((row, (lower, higher))) = pairs().find(|(_, (lower, higher))| falls(**lower, **higher)) {
        return Err(ClaimError::broken(format!("score {lower} and then {higher} for row {row}"), expected, remedy));
    }
    if pairs().all(|(_, (lower, higher))| lower == higher) {
        return Err(ClaimError::broken("the same scores for two base scores", expected, remedy));
    }
    // Another claim reports a model that loses something when it is saved without base scores.
    if a_saved_model_predicts_the_same(subject).is_err() {
        return Ok(());
    }
    let saved = model.save().map_err(|error| ClaimError::inapplicable(describe(&error)))?;
    let loaded = subject.harness.load_with(&saved, &subject.setting(&subject.task()));
    let loaded = loaded.map_err(|error| ClaimError::inapplicable(describe(&error)))?;
    let [before, after] = [lower, scores(subject, &loaded, &base_score)?]
        .map(|scores| rows.iter().copied().zip(scores).collect::<Scores>());
    before.check_equal(&after, "save everything that `predict_from` reads, with full precision")
}

pub(crate) fn only_base_scores_of_fitted_rows_change_the_model(subject: &Subject<'_>) -> ClaimResult {
    needs_base_score(subject)?;
    subject.needs_cpu()?;
    let base_score = base_scores(subject);
    let first_later = subject.panel.later().start;
    let rows = subject.panel.days(0..first_later);
    let snapshot = |base_score: &[f32]| {
        let model = model_from(subject, base_score)?;
        // Both models score without their base scores, so any difference comes from the models.
        let zero = vec![0.0; base_score.len()];
        ModelSnapshot::from_model_with(&model, &subject.frame, &rows, &zero)
    };
    let first = snapshot(&base_score)?;
    let mut changed = base_score.clone();
    for row in subject.panel.days(first_later..subject.panel.all().end) {
        changed[row as usize] = f32::NAN;
    }
    let remedy = "read base scores in `train_rows` and `tune_rows` only";
    unless_irreproducible(subject, check_equal(&first, &snapshot(&changed)?, remedy))?;
    let reversed: Vec<f32> = base_score.iter().map(|score| -2.0 * score).collect();
    match check_equal(&first, &snapshot(&reversed)?, "") {
        Ok(()) => Err(ClaimError::broken(
            "the same model for two base scores",
            "a model of what the base score does not explain",
            "start the fit from the base score of each row",
        )),
        Err(ClaimError::Broken(_)) => Ok(()),
        Err(error) => Err(error),
    }
}

pub(crate) fn an_invalid_base_score_is_rejected(subject: &Subject<'_>) -> ClaimResult {
    needs_base_score(subject)?;
    let base_score = base_scores(subject);
    let task = subject.task();
    let with = |row: u32, value: f32| {
        let mut base_score = base_score.clone();
        base_score[row as usize] = value;
        base_score
    };
    let remedy = "check that there is one base score per row, finite in the rows of the task, as the SDK does";
    for (input, base_score) in [
        ("base scores of fewer rows than the table", base_score[1..].to_vec()),
        ("a base score of NaN on a training row", with(task.train_rows[0], f32::NAN)),
        ("an infinite base score on a row for early stopping", with(task.tune_rows[0], f32::INFINITY)),
    ] {
        check_rejected(fit_from(subject, &base_score).map(drop), input, code::DATA, remedy)?;
    }
    let model = model_from(subject, &base_score)?;
    let predict = |base_score: &[f32]| model.predict_with(&subject.frame, &[0, 1], base_score, &Listener::default());
    check_rejected(predict(&base_score[1..]).map(drop), "a prediction with too few base scores", code::DATA, remedy)?;
    let without_first = predict(&with(0, f32::NAN));
    check_no_panic(&without_first.clone().map(drop), "a prediction with a missing base score")?;
    match without_first {
        Ok(scores) if !scores[0].is_nan() => Err(ClaimError::broken(
            format!("score {} for a row whose base score is NaN", scores[0]),
            "NaN",
            "return NaN for a row without a base score, as the SDK does",
        )),
        _ => Ok(()),
    }
}
