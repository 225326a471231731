//! Claims about fits: the inputs on which a model may depend, and cancellation.

use super::cancelling::stops_when_cancelled;
use super::claim_error::{ClaimError, ClaimResult, describe};
use super::snapshot::{ModelSnapshot, check_equal};
use super::subject::Subject;
use crate::Task;
use crate::testing::{Frame, Listener};

pub(crate) fn a_fit_on_clean_rows_scores_later_rows(subject: &Subject<'_>) -> ClaimResult {
    // If the standard fit fails, the other claims are inapplicable, so this claim reports the
    // failure.
    let model = subject.first().as_ref().map_err(|error| {
        let n_rows = subject.task().train_rows.len();
        let expected =
            format!("a model of {n_rows} rows of both classes without missing values, with default parameters");
        ClaimError::broken(describe(error), expected, "check why `fit` or `prepare` failed")
    })?;
    let rows = subject.panel.days(subject.panel.later());
    let expected = format!("a score for each of {} rows, finite or NaN", rows.len());
    let scores = model.predict(&subject.frame, &rows);
    let scores =
        scores.map_err(|error| ClaimError::broken(describe(&error), &expected, "check why `predict` failed"))?;
    if let Some((row, score)) = rows.iter().zip(&scores).find(|(_, score)| score.is_infinite()) {
        return Err(ClaimError::broken(
            format!("score {score} for row {row}"),
            expected,
            "return finite scores, or NaN",
        ));
    }
    if scores.iter().all(|score| score.is_nan()) {
        let remedy = "score every row that has enough history; name the length of a window with `lookback_param`";
        return Err(ClaimError::broken("NaN for every row", expected, remedy));
    }
    Ok(())
}

/// Checks that a second fit returns the same model as the standard fit.
fn check_same_as_first(subject: &Subject<'_>, frame: &Frame, task: &Task<'_>, remedy: &str) -> ClaimResult {
    subject.needs_cpu()?;
    let rows = subject.panel.days(subject.panel.all());
    let first = ModelSnapshot::from_model(subject.model()?, &subject.frame, &rows)?;
    let again = subject.fit(frame, task);
    let again = again.map_err(|error| ClaimError::broken(describe(&error), "the model of the first fit", remedy))?;
    // Both models score the same table, so any difference comes from the models.
    check_equal(&first, &ModelSnapshot::from_model(&again, &subject.frame, &rows)?, remedy)
}

pub(crate) fn the_same_seed_produces_the_same_model(subject: &Subject<'_>) -> ClaimResult {
    let remedy =
        "derive all random numbers from `task.seed`, do not iterate over a hash map, share no state between fits";
    check_same_as_first(subject, &subject.frame, &subject.task(), remedy)
}

/// Makes a broken claim inapplicable if two fits of the same task also return different models. In
/// that case the changed input is not necessarily the cause of the difference.
pub(crate) fn unless_irreproducible(subject: &Subject<'_>, outcome: ClaimResult) -> ClaimResult {
    if matches!(outcome, Err(ClaimError::Broken(_))) && the_same_seed_produces_the_same_model(subject).is_err() {
        return Err(ClaimError::inapplicable("two fits of the same task differ"));
    }
    outcome
}

pub(crate) fn the_number_of_threads_does_not_change_the_model(subject: &Subject<'_>) -> ClaimResult {
    let remedy = "sum in an order that does not depend on `task.threads`, or use one thread";
    let outcome = check_same_as_first(subject, &subject.frame, &Task { threads: 4, ..subject.task() }, remedy);
    unless_irreproducible(subject, outcome)
}

pub(crate) fn rule_columns_do_not_change_the_model(subject: &Subject<'_>) -> ClaimResult {
    let mut frame = subject.frame.clone();
    // The panel's first column is its only column for rules.
    let n_rows = frame.n_rows();
    for (row, value) in frame.values_mut()[..n_rows].iter_mut().enumerate() {
        *value = if row % 2 == 0 { f32::NAN } else { 1e6 };
    }
    let remedy = "train on the columns of `table.model_features()` only";
    unless_irreproducible(subject, check_same_as_first(subject, &frame, &subject.task(), remedy))
}

pub(crate) fn later_rows_do_not_change_the_model(subject: &Subject<'_>) -> ClaimResult {
    subject.needs_cpu()?;
    subject.model()?;
    let panel = &subject.panel;
    // With early stopping, the fit may read the rows for early stopping. Without early stopping,
    // these rows count as later rows, which the fit must not read.
    for (task, first_day) in [(subject.task(), panel.later().start), (without_tune(subject), panel.tune().start)] {
        let rows = panel.days(0..first_day);
        let later = panel.days(first_day..panel.all().end);
        let (frame, label) = subject.with_changed_rows(&later);
        let changed = Task { label: &label, ..task };
        let [first, again] = [(&subject.frame, &task), (&frame, &changed)].map(|(frame, task)| {
            let model = subject.fit(frame, task);
            let expected = "a model, for any values in later rows";
            let model =
                model.map_err(|error| ClaimError::broken(describe(&error), expected, "check why `fit` failed"))?;
            // The scored rows are earlier than the changed rows, so both tables have the same
            // values in the scored rows. Each model can therefore score its own table.
            ModelSnapshot::from_model(&model, frame, &rows)
        });
        let remedy = "use `learn_rows` for statistics, the task's rows for labels, and no row after the scored one";
        unless_irreproducible(subject, check_equal(&first?, &again?, remedy))?;
    }
    Ok(())
}

/// A host prepares a table once and fits it many times, but prepares it again after the plugin
/// process died. Therefore, the number of earlier fits must not change a model.
pub(crate) fn fits_do_not_change_the_prepared_table(subject: &Subject<'_>) -> ClaimResult {
    subject.needs_cpu()?;
    subject.model()?;
    let remedy = "do not change the prepared table in `fit`";
    let failed = |error| ClaimError::broken(describe(&error), "a model from each fit of one prepared table", remedy);
    let task = subject.task();
    let rows = subject.panel.days(subject.panel.all());
    let prepared =
        subject.harness.prepare_with(&subject.frame, task.train_rows, &subject.setting(&task), &Listener::default());
    let prepared = prepared.map_err(failed)?;
    // The second of three fits has other labels and another seed. If the second fit left state
    // behind, the third model would differ from the first.
    let other_label: Vec<f32> = task.label.iter().map(|label| 1.0 - label).collect();
    let fit = |task: &Task<'_>| prepared.fit(task, &subject.params(), &Listener::default()).map_err(failed);
    let first = ModelSnapshot::from_model(&fit(&task)?, &subject.frame, &rows)?;
    fit(&Task { label: &other_label, seed: task.seed + 1, ..task })?;
    let again = ModelSnapshot::from_model(&fit(&task)?, &subject.frame, &rows)?;
    unless_irreproducible(subject, check_equal(&first, &again, remedy))
}

pub(crate) fn concurrent_fits_equal_sequential_fits(subject: &Subject<'_>) -> ClaimResult {
    subject.needs_cpu()?;
    if !subject.manifest.concurrent_fits {
        return Err(ClaimError::inapplicable("its manifest does not set `concurrent_fits`"));
    }
    subject.model()?;
    let rows = subject.panel.days(subject.panel.all());
    let remedy = "share no state between fits, or remove `concurrent_fits` from the manifest";
    let fit = |seed: u64| {
        let model = subject.fit(&subject.frame, &Task { seed, ..subject.task() });
        let model = model.map_err(|error| ClaimError::broken(describe(&error), "a model", remedy))?;
        ModelSnapshot::from_model(&model, &subject.frame, &rows)
    };
    // Each fit has a different seed. A fit that reads the state of another fit therefore returns a
    // different model.
    let sequential: Vec<_> = (1..=4).map(fit).collect();
    let concurrent: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (1..=4).map(|seed| scope.spawn(move || fit(seed))).collect();
        let panicked = |_| Err(ClaimError::broken("a panic during concurrent fits", "a model", remedy));
        threads.into_iter().map(|thread| thread.join().unwrap_or_else(panicked)).collect()
    });
    let mut pairs = sequential.into_iter().zip(concurrent);
    unless_irreproducible(
        subject,
        pairs.try_for_each(|(sequential, concurrent)| check_equal(&sequential?, &concurrent?, remedy)),
    )
}

pub(crate) fn a_fit_stops_when_cancelled(subject: &Subject<'_>) -> ClaimResult {
    subject.model()?;
    let n_checks = count_checks(subject, &subject.params())?;
    let fit = |listener: &Listener| {
        subject.fit_with(&subject.frame, &without_tune(subject), &subject.params(), listener).err()
    };
    stops_when_cancelled(n_checks, fit)
}

pub(crate) fn a_fit_with_more_rounds_checks_for_cancellation_more_often(subject: &Subject<'_>) -> ClaimResult {
    subject.model()?;
    let (Some((few, few_rounds)), Some((many, many_rounds))) = (subject.rounds(1), subject.rounds(3)) else {
        return Err(ClaimError::inapplicable("its manifest does not set `rounds_param`"));
    };
    let checks_in_few = count_checks(subject, &few_rounds)?;
    let checks_in_many = count_checks(subject, &many_rounds)?;
    // If the fit never checks, another claim is broken. If both fits have the same number of
    // rounds, they cannot be compared.
    if few == many || checks_in_few == 0 {
        return Err(ClaimError::inapplicable(format!(
            "it checks for cancellation {checks_in_few} times in {few} rounds, and the second fit has {many} rounds"
        )));
    }
    if checks_in_many <= checks_in_few {
        let found =
            format!("{checks_in_few} checks for cancellation in {few} rounds and {checks_in_many} in {many} rounds");
        return Err(ClaimError::broken(found, "a check in each round", "call `ctx.check()?` in the loop over rounds"));
    }
    Ok(())
}

/// Counts the checks for cancellation in a fit.
fn count_checks(subject: &Subject<'_>, params: &str) -> Result<usize, ClaimError> {
    let listener = Listener::default();
    let result = subject.fit_with(&subject.frame, &without_tune(subject), params, &listener);
    result.map_err(|error| ClaimError::broken(describe(&error), "a model", "check why `fit` failed"))?;
    Ok(listener.n_asked())
}

/// Returns the standard task without early stopping, so that every round runs.
fn without_tune<'s>(subject: &'s Subject<'_>) -> Task<'s> {
    Task { tune_rows: &[], ..subject.task() }
}
