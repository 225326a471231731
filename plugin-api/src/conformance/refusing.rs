//! Claims on what a plugin refuses, for families and extractors alike: a named error, never a panic, never a result.
//!
//! What is refused on rows without a fault says nothing of those with one: each claim begins with a call that works.

use serde_json::{Value, json};

use super::claim_error::{ClaimError, ClaimResult, code_name, describe};
use super::subject::{Extraction, Subject};
use crate::testing::{Frame, Listener};
use crate::{Param, ParamKind, PluginError, Task, code};

/// What one call came to: nothing but whether it was refused.
type Trial = Result<(), PluginError>;

/// A fit, or an extraction.
fn learn(subject: &Subject<'_>, frame: &Frame, task: &Task<'_>, params: &str) -> Trial {
    if subject.is_extractor() {
        let extraction = Extraction { frame, task: *task, ..subject.extraction() };
        return subject.extract_with(&extraction, params, &Listener::default()).map(drop);
    }
    subject.fit_with(frame, task, params, &Listener::default()).map(drop)
}

/// Whether a call was refused with a code.
fn refused(trial: Trial, what: &str, needed_code: u32, remedy: &str) -> ClaimResult {
    let needed = format!("an error of code {}", code_name(needed_code));
    match trial {
        Err(error) if error.code == needed_code => Ok(()),
        Err(error) => Err(ClaimError::broken(format!("{} from {what}", describe(&error)), needed, remedy)),
        Ok(()) => Err(ClaimError::broken(format!("no error from {what}"), needed, remedy)),
    }
}

pub(crate) fn a_label_that_is_no_number_is_refused(subject: &Subject<'_>) -> ClaimResult {
    subject.works()?;
    let task = subject.task();
    for value in [f32::NAN, 0.5] {
        let mut label = task.label.to_vec();
        label[task.train_rows[1] as usize] = value;
        let trial = learn(subject, &subject.frame, &Task { label: &label, ..task }, &subject.params());
        refused(
            trial,
            &format!("label {value} on a training row"),
            code::DATA,
            "check labels of `train_rows`: 0 or 1",
        )?;
    }
    Ok(())
}

pub(crate) fn training_rows_of_one_class_are_refused(subject: &Subject<'_>) -> ClaimResult {
    subject.works()?;
    let task = subject.task();
    for class in [0.0, 1.0] {
        let label = vec![class; task.label.len()];
        let trial = learn(subject, &subject.frame, &Task { label: &label, ..task }, &subject.params());
        refused(
            trial,
            &format!("training rows of class {class} only"),
            code::DATA,
            "begin with `task.needs_both_classes()?`",
        )?;
    }
    Ok(())
}

pub(crate) fn parameters_out_of_bounds_are_refused_by_name(subject: &Subject<'_>) -> ClaimResult {
    subject.works()?;
    let declared = subject.manifest.params.iter();
    let wrong = declared.flat_map(|param| wrong_values(param).into_iter().map(|value| (param.name.as_str(), value)));
    for (name, value) in wrong.chain([("no_such_parameter", json!(1))]) {
        let trial = learn(subject, &subject.frame, &subject.task(), &subject.params_and(name, value.clone()));
        let remedy = "check parameters against what the manifest declares, as `Params::from_json` does";
        let unnamed = trial.as_ref().is_err_and(|error| error.code == code::PARAMS && !error.message.contains(name));
        if unnamed {
            let found = format!("a refusal of {name} = {value} that does not name it");
            return Err(ClaimError::broken(found, "its name in the message", remedy));
        }
        refused(trial, &format!("{name} = {value}"), code::PARAMS, remedy)?;
    }
    Ok(())
}

/// Values that a parameter does not allow.
fn wrong_values(param: &Param) -> Vec<Value> {
    let candidates = match &param.kind {
        ParamKind::Int { min, max, .. } => vec![
            json!(min.saturating_sub(1)),
            json!(max.saturating_add(1)),
            json!(*min as f64 + 0.5),
            json!("many"),
            json!([min]),
            Value::Null,
        ],
        ParamKind::Float { min, max, .. } => {
            vec![json!(min - 1.0), json!(max + 1.0), json!("many"), json!([min]), Value::Null]
        }
        ParamKind::Choice { .. } => vec![json!("no such word"), json!(1), Value::Null],
        ParamKind::Flag { .. } => vec![json!("perhaps"), json!(2), Value::Null],
        ParamKind::Ints { min, max, max_len, .. } => vec![
            json!([min.saturating_sub(1)]),
            json!([max.saturating_add(1)]),
            json!(vec![min; max_len + 1]),
            json!("many"),
            json!(min),
        ],
        ParamKind::Unknown => Vec::new(),
    };
    // The ends of a parameter without bounds have nothing beyond them.
    candidates.into_iter().filter(|value| param.check(value).is_err()).collect()
}

pub(crate) fn a_feature_that_is_no_number_is_refused_or_left_out(subject: &Subject<'_>) -> ClaimResult {
    subject.works()?;
    let panel = &subject.panel;
    for value in [f32::NAN, f32::INFINITY] {
        let mut frame = subject.frame.clone();
        // A training row of the first symbol, in the first column for models.
        let place = frame.n_rows() + panel.train().end as usize / 2;
        frame.values_mut()[place] = value;
        let what = format!("a training row with the feature value {value}");
        let remedy =
            "refuse the row by a name in `prepare` or `fit`, or leave it out: `Input::standardised` refuses it";
        if let Err(error) = learn(subject, &frame, &subject.task(), &subject.params()) {
            refused(Err(error), &what, code::DATA, remedy)?;
        } else if !subject.is_extractor() && is_silenced(subject, &frame)? {
            let found = format!("no score for rows without a hole, after {what}");
            return Err(ClaimError::broken(found, "scores, or an error of code DATA from the fit", remedy));
        }
    }
    Ok(())
}

/// Whether a model of this table has no score for a row of another symbol that a model of the clean table scores.
fn is_silenced(subject: &Subject<'_>, frame: &Frame) -> Result<bool, ClaimError> {
    let rows = subject.panel.later_elsewhere();
    let clean = subject.model()?.predict(&subject.frame, &rows).unwrap_or_default();
    let Ok(scores) = subject.fit(frame, &subject.task()).and_then(|model| model.predict(frame, &rows)) else {
        return Ok(true);
    };
    Ok(clean.iter().zip(scores).any(|(clean, score)| clean.is_finite() && !score.is_finite()))
}

pub(crate) fn garbage_is_refused_without_a_panic(subject: &Subject<'_>) -> ClaimResult {
    subject.works()?;
    let task = subject.task();
    let label = &subject.panel.label;
    let n_rows = subject.frame.n_rows() as u32;
    let refused_rows = [
        ("labels of fewer rows than the table", Task { label: &label[1..], ..task }),
        ("a training row beyond the table", Task { train_rows: &[0, n_rows], ..task }),
        ("training rows that do not ascend", Task { train_rows: &[3, 2], ..task }),
        ("no training rows", Task { train_rows: &[], ..task }),
        ("a row for early stopping beyond the table", Task { tune_rows: &[n_rows], ..task }),
        ("a device that nobody has", Task { device: "abacus", ..task }),
    ];
    for (what, task) in refused_rows {
        refused_somehow(learn(subject, &subject.frame, &task, &subject.params()), what)?;
    }
    let short = subject.panel.frame().column("SHORT", vec![1.0]);
    refused_somehow(learn(subject, &short, &task, &subject.params()), "a column shorter than the table")?;
    for params in ["[]", "{", "7"] {
        refused_somehow(learn(subject, &subject.frame, &task, params), "parameters that are no JSON object")?;
    }
    odd_tables(subject)?;
    if subject.is_extractor() { odd_scores(subject) } else { odd_predictions(subject) }
}

/// Whether a call was refused, by an error that is no panic.
fn refused_somehow(trial: Trial, what: &str) -> ClaimResult {
    survived(&trial, what)?;
    trial.err().map(drop).ok_or_else(|| {
        ClaimError::broken(
            format!("no error from {what}"),
            "an error",
            "check what crosses the boundary, as the SDK does",
        )
    })
}

/// Whether a call ended in a result or an error that is no panic.
fn survived(trial: &Trial, what: &str) -> ClaimResult {
    match trial {
        Err(error) if error.code == code::PANIC => {
            let found = format!("{} from {what}", describe(error));
            Err(ClaimError::broken(found, "an error with another code", "return an error where this panics"))
        }
        _ => Ok(()),
    }
}

/// Tables and rows that are whole, and of little use.
fn odd_tables(subject: &Subject<'_>) -> ClaimResult {
    let panel = &subject.panel;
    let task = subject.task();
    let params = subject.params();
    let of_class = |class: f32| task.train_rows.iter().copied().find(|&row| panel.label[row as usize] == class);
    let mut two_rows: Vec<u32> = [0.0, 1.0].into_iter().filter_map(of_class).collect();
    two_rows.sort_unstable();
    let of_rows = Task { train_rows: &two_rows, ..task };
    let trials = [
        ("a table without columns for models", learn(subject, &panel.frame_of(0..0), &task, &params)),
        ("features that never move", learn(subject, &panel.still(), &task, &params)),
        ("huge features", learn(subject, &panel.filled(f32::MAX), &task, &params)),
        ("features that are all NaN", learn(subject, &panel.filled(f32::NAN), &task, &params)),
        ("two training rows", learn(subject, &subject.frame, &of_rows, &params)),
        ("one training row", learn(subject, &subject.frame, &Task { train_rows: &two_rows[..1], ..task }, &params)),
    ];
    trials.iter().try_for_each(|(what, trial)| survived(trial, what))
}

/// Scores that an extractor is not to be given.
fn odd_scores(subject: &Subject<'_>) -> ClaimResult {
    let n_rows = subject.frame.n_rows();
    let extract = |scores: &[f32]| subject.extract(&Extraction { scores, ..subject.extraction() }).map(drop);
    refused_somehow(extract(&[0.5]), "one score for all rows")?;
    survived(&extract(&vec![f32::NAN; n_rows]), "scores that are all NaN")?;
    survived(&extract(&vec![0.5; n_rows]), "scores that are all the same")
}

/// Predictions that make no sense.
fn odd_predictions(subject: &Subject<'_>) -> ClaimResult {
    let model = subject.model()?;
    let n_rows = subject.frame.n_rows() as u32;
    let predict = |frame: &Frame, rows: &[u32]| model.predict(frame, rows).map(drop);
    refused_somehow(predict(&subject.frame, &[n_rows]), "a row to predict beyond the table")?;
    refused_somehow(predict(&subject.frame, &[1, 0]), "rows to predict that do not ascend")?;
    let trials = [
        ("no rows to predict", predict(&subject.frame, &[])),
        ("a table of one row to predict", predict(&subject.panel.first_row(), &[0])),
        ("a table without columns to predict", predict(&Frame::new(1, 1), &[0])),
    ];
    trials.iter().try_for_each(|(what, trial)| survived(trial, what))
}
