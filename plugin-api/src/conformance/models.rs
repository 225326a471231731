//! Claims about fitted models: saving and loading, importance, and the inputs on which a score
//! depends.

use super::cancelling::stops_when_cancelled;
use super::claim_error::{ClaimError, ClaimResult, describe};
use super::fitting::unless_irreproducible;
use super::panel::{COLUMNS, LEVEL, UNUSUAL_NAMES};
use super::snapshot::Scores;
use super::subject::Subject;
use crate::testing::{Fitted, Listener, Noise};
use crate::{FeatureRole, PluginError, Table, code};

/// Largest accepted difference between the sum of the importances and 1.
const MAX_ROUNDING: f64 = 1e-6;

pub(crate) fn a_saved_model_predicts_the_same(subject: &Subject<'_>) -> ClaimResult {
    let model = subject.model()?;
    let expected = "a model from the bytes of its own `save`";
    let loaded = load(subject, &saved(model)?).map_err(|error| {
        ClaimError::broken(describe(&error), expected, "make `load` read everything that `save` writes")
    })?;
    let rows = subject.panel.days(subject.panel.later());
    let [before, after] = [model, &loaded].map(|model| Scores::predict(model, &subject.frame, &rows));
    before?.check_equal(&after?, "save everything that `predict` reads, with full precision")
}

/// Saves a model.
fn saved(model: &Fitted) -> Result<Vec<u8>, ClaimError> {
    model.save().map_err(|error| ClaimError::broken(describe(&error), "the model's bytes", "check why `save` failed"))
}

/// Loads a model for the standard device.
fn load(subject: &Subject<'_>, bytes: &[u8]) -> crate::Result<Fitted> {
    subject.harness.load_with(bytes, &subject.setting(&subject.task()))
}

pub(crate) fn a_truncated_model_is_rejected(subject: &Subject<'_>) -> ClaimResult {
    let model = subject.model()?;
    let saved = saved(model)?;
    if saved.is_empty() {
        return Err(ClaimError::inapplicable("a saved model is empty"));
    }
    let rows = subject.panel.days(subject.panel.later());
    let whole = Scores::predict(model, &subject.frame, &rows)?;
    let n_bytes = saved.len();
    for end in [0, 1, n_bytes / 4, n_bytes / 2, n_bytes * 3 / 4, n_bytes - 1] {
        let input = format!("the first {end} of {n_bytes} bytes");
        let remedy = "make `load` check that the bytes are complete, for example by a length or an end marker";
        match load(subject, &saved[..end]) {
            Err(error) => check_rejected_as_model(&error, &input)?,
            // A truncated model is accepted if it predicts the same: the missing bytes may be
            // redundant, such as a final line break.
            Ok(model) => Scores::predict(&model, &subject.frame, &rows)
                .and_then(|scores| whole.check_equal(&scores, ""))
                .map_err(|_| {
                    ClaimError::broken(format!("another model from {input}"), "an error of code MODEL", remedy)
                })?,
        }
    }
    Ok(())
}

/// Checks that bytes were rejected with the code MODEL. `input` describes the bytes.
fn check_rejected_as_model(error: &PluginError, input: &str) -> ClaimResult {
    if error.code == code::MODEL {
        return Ok(());
    }
    let found = format!("{} from {input}", describe(error));
    Err(ClaimError::broken(
        found,
        "an error of code MODEL",
        "check the bytes in `load`, and return `PluginError::model`",
    ))
}

pub(crate) fn bytes_that_are_not_a_model_are_rejected(subject: &Subject<'_>) -> ClaimResult {
    // The seed is fixed, so that a failure can be reproduced.
    let mut noise = Noise::new(1);
    for n_bytes in [1, 8, 64, 4096] {
        let bytes: Vec<u8> = (0..n_bytes).map(|_| noise.bits() as u8).collect();
        let input = format!("{n_bytes} random bytes");
        match load(subject, &bytes) {
            Err(error) => check_rejected_as_model(&error, &input)?,
            Ok(_) => {
                let remedy =
                    "check in `load` for something that only a model contains, such as a fixed text at its start";
                return Err(ClaimError::broken(format!("a model from {input}"), "an error of code MODEL", remedy));
            }
        }
    }
    Ok(())
}

pub(crate) fn importance_is_one_share_per_column(subject: &Subject<'_>) -> ClaimResult {
    let table = Table::new(subject.frame.table()).map_err(|error| ClaimError::inapplicable(describe(&error)))?;
    let shares = match subject.model()?.importance() {
        Ok(shares) => shares,
        Err(error) if error.code == code::UNSUPPORTED => {
            return Err(ClaimError::inapplicable("it does not compute importance"));
        }
        Err(error) => {
            return Err(ClaimError::broken(
                describe(&error),
                "importances, or an error of code UNSUPPORTED",
                "check why `importance` failed",
            ));
        }
    };
    let expected = "one share per column of the table, at least 0, with the sum 1 or all 0";
    let broken = |found: String, remedy: &str| Err(ClaimError::broken(found, expected, remedy));
    if shares.len() != table.n_features() {
        let found = format!("{} shares for {} columns", shares.len(), table.n_features());
        return broken(found, "return 0 for columns that the model does not read, such as columns for rules");
    }
    for (idx, share) in shares.iter().enumerate() {
        if !(0.0..=1.0 + MAX_ROUNDING).contains(share) {
            return broken(format!("{share} for {}", table.name(idx)), "divide absolute values by their sum");
        }
        if table.role(idx) == FeatureRole::Rule && *share > 0.0 {
            return broken(format!("{share} for {}, which is for rules only", table.name(idx)), "return 0 for it");
        }
    }
    let sum: f64 = shares.iter().sum();
    if (sum - 1.0).abs() > MAX_ROUNDING && shares.iter().any(|share| *share != 0.0) {
        return broken(format!("a sum of {sum}"), "divide by the sum");
    }
    Ok(())
}

pub(crate) fn a_score_does_not_depend_on_the_other_requested_rows(subject: &Subject<'_>) -> ClaimResult {
    let model = subject.model()?;
    let rows = subject.panel.days(subject.panel.all());
    let all = Scores::predict(model, &subject.frame, &rows)?;
    let thirds: Vec<u32> = rows.iter().copied().step_by(3).collect();
    // The requests have several sizes, because some libraries change the order of a sum with the
    // number of rows.
    let mut requests: Vec<&[u32]> = vec![&thirds];
    requests.extend(rows.chunks(1).step_by(11));
    requests.extend(rows.chunks(rows.len() / 4).rev());
    requests.into_iter().try_for_each(|some| {
        let remedy = "score each row separately: no statistics over `rows`, no sum whose order depends on their number";
        all.check_equal(&Scores::predict(model, &subject.frame, some)?, remedy)
    })
}

pub(crate) fn columns_are_found_by_name(subject: &Subject<'_>) -> ClaimResult {
    let model = subject.model()?;
    let panel = &subject.panel;
    let rows = panel.days(panel.later());
    let scores = Scores::predict(model, &subject.frame, &rows)?;
    let remedy = "store the names of the columns in the model, and find the columns by `table.position`";
    // A model that finds columns by position reads the wrong columns of the reversed table.
    let reversed = panel.frame_with_columns((0..COLUMNS.len()).rev());
    scores.check_equal(&Scores::predict(model, &reversed, &rows)?, remedy)?;
    let lacking = panel.frame_with_columns(0..0);
    match model.predict(&lacking, &rows) {
        Err(error) if error.code == code::DATA => Ok(()),
        // The model possibly reads no column, so scores that equal the first ones are accepted.
        Ok(other) => scores.check_equal(&Scores::from_iter(rows.iter().copied().zip(other)), remedy),
        Err(error) => {
            let found = format!("{} for a table with {LEVEL} as its only column", describe(&error));
            Err(ClaimError::broken(found, "an error of code DATA that names the missing columns", remedy))
        }
    }
}

/// Features carry the names of users, such as a benchmark's symbol. Names must not change a model,
/// except that it finds its columns by them.
pub(crate) fn column_names_of_any_characters_are_accepted(subject: &Subject<'_>) -> ClaimResult {
    let model = subject.model()?;
    let panel = &subject.panel;
    let rows = panel.days(panel.later());
    let frame = panel.frame_with_unusual_names();
    let names = UNUSUAL_NAMES.join(" and ");
    let remedy = "write names with `escape_name` where the engine restricts them";
    let failed = |error| ClaimError::broken(describe(&error), format!("a model of columns named {names}"), remedy);
    let renamed = subject.fit(&frame, &subject.task()).map_err(failed)?;
    // Both models are saved and loaded, so that names are also read back.
    let reloaded = |model: &Fitted| load(subject, &saved(model)?).map_err(failed);
    let scores = reloaded(&renamed)?.predict(&frame, &rows).map_err(failed)?;
    if !subject.runs_on_cpu() {
        return Ok(());
    }
    let scores: Scores = rows.iter().copied().zip(scores).collect();
    let usual = Scores::predict(&reloaded(model)?, &subject.frame, &rows)?;
    unless_irreproducible(subject, usual.check_equal(&scores, remedy))
}

/// A prediction with the services of a host must return the same scores as one without, and it must
/// stop when it is cancelled. Fast predictions need no check for cancellation.
pub(crate) fn a_prediction_stops_when_cancelled(subject: &Subject<'_>) -> ClaimResult {
    let model = subject.model()?;
    let rows = subject.panel.days(subject.panel.later());
    let predict = |listener: &Listener| model.predict_with(&subject.frame, &rows, &[], listener);
    let listener = Listener::default();
    let scores = predict(&listener).map_err(|error| {
        let expected = "the scores that `predict` returns";
        ClaimError::broken(describe(&error), expected, "check why `predict_with` failed")
    })?;
    let scores: Scores = rows.iter().copied().zip(scores).collect();
    let remedy = "return the same scores from `predict` and `predict_with`";
    Scores::predict(model, &subject.frame, &rows)?.check_equal(&scores, remedy)?;
    match listener.n_asked() {
        0 => Err(ClaimError::inapplicable("its predictions do not check for cancellation")),
        n_checks => stops_when_cancelled(n_checks, |listener| predict(listener).err()),
    }
}

pub(crate) fn a_missing_value_does_not_affect_other_symbols(subject: &Subject<'_>) -> ClaimResult {
    let model = subject.model()?;
    let panel = &subject.panel;
    let rows = panel.days(panel.later());
    let rows_of_others = panel.later_rows_of_other_symbols();
    let clean = Scores::predict(model, &subject.frame, &rows)?;
    let mut incomplete = subject.frame.clone();
    let n_rows = incomplete.n_rows();
    let missing_row = panel.later().start as usize;
    incomplete.values_mut().chunks_mut(n_rows).for_each(|column| column[missing_row] = f32::NAN);
    match model.predict(&incomplete, &rows) {
        Err(error) if error.code == code::DATA => Ok(()),
        Err(error) => {
            let found = format!("{} for a table with a NaN in a row to score", describe(&error));
            Err(ClaimError::broken(found, "NaN for that row, or an error of code DATA", "check values in `predict`"))
        }
        Ok(scores) => {
            let scores = rows.iter().copied().zip(scores).filter(|(row, _)| rows_of_others.contains(row));
            clean.check_equal(
                &scores.collect(),
                "do not let a row that is not finite change the score of another symbol",
            )
        }
    }
}
