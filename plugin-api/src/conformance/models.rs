//! Claims on fitted models: what is saved comes back, and a score depends on its own row and history alone.

use super::claim_error::{ClaimError, ClaimResult, describe};
use super::likeness::Scores;
use super::panel::{COLUMNS, LEVEL};
use super::subject::Subject;
use crate::testing::{Fitted, Noise};
use crate::{FeatureRole, PluginError, Table, code};

/// How far a sum of shares may be from 1.
const MAX_ROUNDING: f64 = 1e-6;

pub(crate) fn a_saved_model_predicts_the_same(subject: &Subject<'_>) -> ClaimResult {
    let model = subject.model()?;
    let again = load(subject, &saved(model)?);
    let needed = "a model from the bytes of its own `save`";
    let again = again
        .map_err(|error| ClaimError::broken(describe(&error), needed, "let `load` read all that `save` writes"))?;
    let rows = subject.panel.days(subject.panel.later());
    let [before, after] = [model, &again].map(|model| Scores::predict(model, &subject.frame, &rows));
    before?.same_as(&after?, "save all that `predict` reads, each number in full")
}

fn saved(model: &Fitted) -> Result<Vec<u8>, ClaimError> {
    model.save().map_err(|error| ClaimError::broken(describe(&error), "the model's bytes", "see what `save` refused"))
}

fn load(subject: &Subject<'_>, bytes: &[u8]) -> crate::Result<Fitted> {
    subject.harness.load_with(bytes, &subject.setting(&subject.task()))
}

pub(crate) fn a_saved_model_cut_short_is_refused(subject: &Subject<'_>) -> ClaimResult {
    let model = subject.model()?;
    let saved = saved(model)?;
    if saved.is_empty() {
        return Err(ClaimError::inapplicable("a saved model has no bytes"));
    }
    let rows = subject.panel.days(subject.panel.later());
    let whole = Scores::predict(model, &subject.frame, &rows)?;
    let n_bytes = saved.len();
    for end in [0, 1, n_bytes / 4, n_bytes / 2, n_bytes * 3 / 4, n_bytes - 1] {
        let what = format!("the first {end} of {n_bytes} bytes");
        let remedy = "let `load` check that the bytes are whole: a length, or an end that is nowhere else";
        match load(subject, &saved[..end]) {
            Err(error) => refused_as_model(&error, &what)?,
            // What was cut off may be of no use, such as a line break.
            Ok(model) => {
                Scores::predict(&model, &subject.frame, &rows).and_then(|scores| whole.same_as(&scores, "")).map_err(
                    |_| ClaimError::broken(format!("another model from {what}"), "an error of code MODEL", remedy),
                )?
            }
        }
    }
    Ok(())
}

fn refused_as_model(error: &PluginError, what: &str) -> ClaimResult {
    if error.code == code::MODEL {
        return Ok(());
    }
    let found = format!("{} from {what}", describe(error));
    Err(ClaimError::broken(
        found,
        "an error of code MODEL",
        "check the bytes in `load`, and answer with `PluginError::model`",
    ))
}

pub(crate) fn bytes_that_are_no_model_are_refused(subject: &Subject<'_>) -> ClaimResult {
    let mut noise = Noise::new(1);
    for n_bytes in [1, 8, 64, 4096] {
        let bytes: Vec<u8> = (0..n_bytes).map(|_| noise.bits() as u8).collect();
        let what = format!("{n_bytes} random bytes");
        match load(subject, &bytes) {
            Err(error) => refused_as_model(&error, &what)?,
            Ok(_) => {
                let remedy = "check in `load` what only a model has, such as a word at its start";
                return Err(ClaimError::broken(format!("a model from {what}"), "an error of code MODEL", remedy));
            }
        }
    }
    Ok(())
}

pub(crate) fn importance_is_shared_among_the_columns(subject: &Subject<'_>) -> ClaimResult {
    let table = Table::new(subject.frame.table()).map_err(|error| ClaimError::inapplicable(describe(&error)))?;
    let shares = match subject.model()?.importance() {
        Ok(shares) => shares,
        Err(error) if error.code == code::UNSUPPORTED => {
            return Err(ClaimError::inapplicable("it knows no importance"));
        }
        Err(error) => {
            return Err(ClaimError::broken(
                describe(&error),
                "shares, or an error of code UNSUPPORTED",
                "see `importance`",
            ));
        }
    };
    let needed = "a share for each column of the table, at least 0, that sum to 1 or are all 0";
    let fault = |found: String, remedy: &str| Err(ClaimError::broken(found, needed, remedy));
    if shares.len() != table.n_features() {
        let found = format!("{} shares for {} columns", shares.len(), table.n_features());
        return fault(found, "give 0 to columns that the model does not read, such as those for rules");
    }
    for (idx, share) in shares.iter().enumerate() {
        if !(0.0..=1.0 + MAX_ROUNDING).contains(share) {
            return fault(format!("{share} for {}", table.name(idx)), "divide absolute values by their sum");
        }
        if table.role(idx) == FeatureRole::Rule && *share > 0.0 {
            return fault(format!("{share} for {}, which is for rules only", table.name(idx)), "give it 0");
        }
    }
    let sum: f64 = shares.iter().sum();
    if (sum - 1.0).abs() > MAX_ROUNDING && shares.iter().any(|share| *share != 0.0) {
        return fault(format!("a sum of {sum}"), "divide by the sum");
    }
    Ok(())
}

pub(crate) fn a_score_depends_on_no_other_row_asked_for(subject: &Subject<'_>) -> ClaimResult {
    let model = subject.model()?;
    let rows = subject.panel.days(subject.panel.all());
    let all = Scores::predict(model, &subject.frame, &rows)?;
    let thirds: Vec<u32> = rows.iter().copied().step_by(3).collect();
    let mut requests: Vec<&[u32]> = vec![&thirds];
    requests.extend(rows.chunks(1).step_by(11));
    requests.extend(rows.chunks(rows.len() / 4).rev());
    requests.into_iter().try_for_each(|some| {
        let remedy = "score each row by itself: no statistics over `rows`, no sums that the number of rows reorders";
        all.same_as(&Scores::predict(model, &subject.frame, some)?, remedy)
    })
}

pub(crate) fn columns_are_found_by_name(subject: &Subject<'_>) -> ClaimResult {
    let model = subject.model()?;
    let panel = &subject.panel;
    let rows = panel.days(panel.later());
    let scores = Scores::predict(model, &subject.frame, &rows)?;
    let remedy = "keep the names of the columns in the model, and find them by `table.position`";
    let turned = panel.frame_of((0..COLUMNS.len()).rev());
    scores.same_as(&Scores::predict(model, &turned, &rows)?, remedy)?;
    let lacking = panel.frame_of(0..0);
    match model.predict(&lacking, &rows) {
        Err(error) if error.code == code::DATA => Ok(()),
        // A model may have no use for any column.
        Ok(other) => scores.same_as(&Scores::from_iter(rows.iter().copied().zip(other)), remedy),
        Err(error) => {
            let found = format!("{} for a table that has {LEVEL} only", describe(&error));
            Err(ClaimError::broken(found, "an error of code DATA that names what is lacking", remedy))
        }
    }
}

pub(crate) fn a_hole_in_a_row_silences_no_other_symbol(subject: &Subject<'_>) -> ClaimResult {
    let model = subject.model()?;
    let panel = &subject.panel;
    let rows = panel.days(panel.later());
    let elsewhere = panel.later_elsewhere();
    let clean = Scores::predict(model, &subject.frame, &rows)?;
    let mut holed = subject.frame.clone();
    let n_rows = holed.n_rows();
    let hole = panel.later().start as usize;
    holed.values_mut().chunks_mut(n_rows).for_each(|column| column[hole] = f32::NAN);
    match model.predict(&holed, &rows) {
        Err(error) if error.code == code::DATA => Ok(()),
        Err(error) => {
            let found = format!("{} for a table with a NaN in a row to score", describe(&error));
            Err(ClaimError::broken(found, "NaN for that row, or an error of code DATA", "check values in `predict`"))
        }
        Ok(scores) => {
            let scores = rows.iter().copied().zip(scores).filter(|(row, _)| elsewhere.contains(row));
            clean.same_as(&scores.collect(), "let a row that is not finite touch no row of another symbol")
        }
    }
}
