//! Claims about how families and extractors reject invalid input. The plugin must return an error
//! with the right code, and must not panic or return a result.
//!
//! Each claim begins with a call on valid input. Without this call, a plugin that rejects every
//! input would meet the claims.

use serde_json::{Value, json};

use super::claim_error::{ClaimError, ClaimResult, code_name, describe};
use super::subject::{Extraction, Subject};
use crate::testing::{Frame, Listener};
use crate::{Param, ParamKind, PluginError, Task, code};

/// The outcome of one call: success without the returned value, or an error.
pub(crate) type Trial = Result<(), PluginError>;

/// Runs a fit if the plugin is a family, or an extraction if it is an extractor.
fn run(subject: &Subject<'_>, frame: &Frame, task: &Task<'_>, params: &str) -> Trial {
    if subject.is_extractor() {
        let extraction = Extraction { frame, task: *task, ..subject.extraction() };
        return subject.extract_with(&extraction, params, &Listener::default()).map(drop);
    }
    subject.fit_with(frame, task, params, &Listener::default()).map(drop)
}

/// Checks that a call was rejected with a code. `input` describes the invalid input.
pub(crate) fn check_rejected(trial: Trial, input: &str, expected_code: u32, remedy: &str) -> ClaimResult {
    let expected = format!("an error of code {}", code_name(expected_code));
    match trial {
        Err(error) if error.code == expected_code => Ok(()),
        Err(error) => Err(ClaimError::broken(format!("{} from {input}", describe(&error)), expected, remedy)),
        Ok(()) => Err(ClaimError::broken(format!("no error from {input}"), expected, remedy)),
    }
}

pub(crate) fn an_invalid_label_is_rejected(subject: &Subject<'_>) -> ClaimResult {
    subject.accepts_valid_input()?;
    let task = subject.task();
    for value in [f32::NAN, 0.5] {
        let mut label = task.label.to_vec();
        label[task.train_rows[1] as usize] = value;
        let trial = run(subject, &subject.frame, &Task { label: &label, ..task }, &subject.params());
        check_rejected(
            trial,
            &format!("label {value} on a training row"),
            code::DATA,
            "check that the labels of `train_rows` are 0 or 1",
        )?;
    }
    Ok(())
}

pub(crate) fn training_rows_of_one_class_are_rejected(subject: &Subject<'_>) -> ClaimResult {
    subject.accepts_valid_input()?;
    let task = subject.task();
    for class in [0.0, 1.0] {
        let label = vec![class; task.label.len()];
        let trial = run(subject, &subject.frame, &Task { label: &label, ..task }, &subject.params());
        check_rejected(
            trial,
            &format!("training rows of class {class} only"),
            code::DATA,
            "call `task.needs_both_classes()?` first",
        )?;
    }
    Ok(())
}

pub(crate) fn invalid_parameters_are_rejected_by_name(subject: &Subject<'_>) -> ClaimResult {
    subject.accepts_valid_input()?;
    let declared = subject.manifest.params.iter();
    let invalid =
        declared.flat_map(|param| invalid_values(param).into_iter().map(|value| (param.name.as_str(), value)));
    for (name, value) in invalid.chain([("no_such_parameter", json!(1))]) {
        let trial = run(subject, &subject.frame, &subject.task(), &subject.params_with(name, value.clone()));
        let remedy = "check parameters against the declarations of the manifest, as `Params::from_json` does";
        let unnamed = trial.as_ref().is_err_and(|error| error.code == code::PARAMS && !error.message.contains(name));
        if unnamed {
            let found = format!("an error for {name} = {value} that does not name the parameter");
            return Err(ClaimError::broken(found, "the name in the message", remedy));
        }
        check_rejected(trial, &format!("{name} = {value}"), code::PARAMS, remedy)?;
    }
    Ok(())
}

/// Returns values that a parameter does not allow.
fn invalid_values(param: &Param) -> Vec<Value> {
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
        ParamKind::Choice { .. } => vec![json!("no such choice"), json!(1), Value::Null],
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
    // If a parameter has no bounds, the sums above saturate or round to an allowed value. Such
    // candidates are removed.
    candidates.into_iter().filter(|value| param.check(value).is_err()).collect()
}

pub(crate) fn a_non_finite_feature_is_rejected_or_ignored(subject: &Subject<'_>) -> ClaimResult {
    subject.accepts_valid_input()?;
    let panel = &subject.panel;
    for value in [f32::NAN, f32::INFINITY] {
        let mut frame = subject.frame.clone();
        // The first column is for rules only. The index therefore selects the first column for
        // models, in a training row of the first symbol.
        let value_idx = frame.n_rows() + panel.train().end as usize / 2;
        frame.values_mut()[value_idx] = value;
        let input = format!("a training row with the feature value {value}");
        let remedy = "reject the row in `prepare` or `fit`, or ignore it: `Input::standardised` rejects it";
        if let Err(error) = run(subject, &frame, &subject.task(), &subject.params()) {
            check_rejected(Err(error), &input, code::DATA, remedy)?;
        } else if !subject.is_extractor() && loses_scores(subject, &frame)? {
            let found = format!("no score for rows without missing values, after {input}");
            return Err(ClaimError::broken(found, "scores, or an error of code DATA from the fit", remedy));
        }
    }
    Ok(())
}

/// Compares a model of this table with a model of the clean table on the rows of the other symbols.
/// Returns true if only the clean model scores some of these rows.
fn loses_scores(subject: &Subject<'_>, frame: &Frame) -> Result<bool, ClaimError> {
    let rows = subject.panel.later_rows_of_other_symbols();
    let clean = subject.model()?.predict(&subject.frame, &rows).unwrap_or_default();
    let Ok(scores) = subject.fit(frame, &subject.task()).and_then(|model| model.predict(frame, &rows)) else {
        return Ok(true);
    };
    Ok(clean.iter().zip(scores).any(|(clean, score)| clean.is_finite() && !score.is_finite()))
}

pub(crate) fn invalid_input_is_rejected_without_a_panic(subject: &Subject<'_>) -> ClaimResult {
    subject.accepts_valid_input()?;
    let task = subject.task();
    let label = &subject.panel.label;
    let n_rows = subject.frame.n_rows() as u32;
    let invalid_tasks = [
        ("labels of fewer rows than the table", Task { label: &label[1..], ..task }),
        ("a training row beyond the table", Task { train_rows: &[0, n_rows], ..task }),
        ("training rows that are not ascending", Task { train_rows: &[3, 2], ..task }),
        ("no training rows", Task { train_rows: &[], ..task }),
        ("a row for early stopping beyond the table", Task { tune_rows: &[n_rows], ..task }),
        ("an unknown device", Task { device: "abacus", ..task }),
    ];
    for (input, task) in invalid_tasks {
        check_rejected_with_any_code(run(subject, &subject.frame, &task, &subject.params()), input)?;
    }
    let short = subject.panel.frame().column("SHORT", vec![1.0]);
    check_rejected_with_any_code(run(subject, &short, &task, &subject.params()), "a column shorter than the table")?;
    for params in ["[]", "{", "7"] {
        check_rejected_with_any_code(
            run(subject, &subject.frame, &task, params),
            "parameters that are not a JSON object",
        )?;
    }
    try_unusual_tables(subject)?;
    if subject.is_extractor() { try_unusual_scores(subject) } else { try_unusual_predictions(subject) }
}

/// Checks that a call was rejected with any code except PANIC.
fn check_rejected_with_any_code(trial: Trial, input: &str) -> ClaimResult {
    check_no_panic(&trial, input)?;
    trial.err().map(drop).ok_or_else(|| {
        ClaimError::broken(
            format!("no error from {input}"),
            "an error",
            "check every argument that crosses the boundary, as the SDK does",
        )
    })
}

/// Checks that a call did not panic. A result and any other error are accepted.
pub(crate) fn check_no_panic(trial: &Trial, input: &str) -> ClaimResult {
    match trial {
        Err(error) if error.code == code::PANIC => {
            let found = format!("{} from {input}", describe(error));
            Err(ClaimError::broken(
                found,
                "a result, or an error with another code",
                "return an error instead of panicking",
            ))
        }
        _ => Ok(()),
    }
}

/// Runs calls on valid tables and rows that contain hardly any information.
fn try_unusual_tables(subject: &Subject<'_>) -> ClaimResult {
    let panel = &subject.panel;
    let task = subject.task();
    let params = subject.params();
    let first_of_class = |class: f32| task.train_rows.iter().copied().find(|&row| panel.label[row as usize] == class);
    let mut two_rows: Vec<u32> = [0.0, 1.0].into_iter().filter_map(first_of_class).collect();
    two_rows.sort_unstable();
    let task_of_two_rows = Task { train_rows: &two_rows, ..task };
    let trials = [
        ("a table without columns for models", run(subject, &panel.frame_with_columns(0..0), &task, &params)),
        ("constant features", run(subject, &panel.constant(), &task, &params)),
        ("huge features", run(subject, &panel.filled(f32::MAX), &task, &params)),
        ("features that are all NaN", run(subject, &panel.filled(f32::NAN), &task, &params)),
        ("two training rows", run(subject, &subject.frame, &task_of_two_rows, &params)),
        ("one training row", run(subject, &subject.frame, &Task { train_rows: &two_rows[..1], ..task }, &params)),
    ];
    trials.iter().try_for_each(|(input, trial)| check_no_panic(trial, input))
}

/// Runs extractions with invalid or unusual scores.
fn try_unusual_scores(subject: &Subject<'_>) -> ClaimResult {
    let n_rows = subject.frame.n_rows();
    let extract = |scores: &[f32]| subject.extract(&Extraction { scores, ..subject.extraction() }).map(drop);
    check_rejected_with_any_code(extract(&[0.5]), "one score for all rows")?;
    check_no_panic(&extract(&vec![f32::NAN; n_rows]), "scores that are all NaN")?;
    check_no_panic(&extract(&vec![0.5; n_rows]), "scores that are all equal")
}

/// Runs predictions for invalid or unusual rows and tables.
fn try_unusual_predictions(subject: &Subject<'_>) -> ClaimResult {
    let model = subject.model()?;
    let n_rows = subject.frame.n_rows() as u32;
    let predict = |frame: &Frame, rows: &[u32]| model.predict(frame, rows).map(drop);
    check_rejected_with_any_code(predict(&subject.frame, &[n_rows]), "a row to predict beyond the table")?;
    check_rejected_with_any_code(predict(&subject.frame, &[1, 0]), "rows to predict that are not ascending")?;
    let trials = [
        ("an empty list of rows to predict", predict(&subject.frame, &[])),
        ("a table of one row to predict", predict(&subject.panel.first_row(), &[0])),
        ("a table without columns to predict", predict(&Frame::new(1, 1), &[0])),
    ];
    trials.iter().try_for_each(|(input, trial)| check_no_panic(trial, input))
}
