//! Claims on fits: which inputs a model may depend on.

use super::cancelling::ends_when_told_to;
use super::claim_error::{ClaimError, ClaimResult, describe};
use super::likeness::{Likeness, same};
use super::subject::Subject;
use crate::Task;
use crate::testing::{Frame, Listener};

pub(crate) fn a_fit_on_clean_rows_scores_later_ones(subject: &Subject<'_>) -> ClaimResult {
    let model = subject.first().as_ref().map_err(|error| {
        let n_rows = subject.task().train_rows.len();
        let needed = format!("a model of {n_rows} rows of both classes without a hole, with default parameters");
        ClaimError::broken(describe(error), needed, "see what `fit` or `prepare` refused")
    })?;
    let rows = subject.panel.days(subject.panel.later());
    let needed = format!("a score for each of {} rows, finite or NaN", rows.len());
    let scores = model.predict(&subject.frame, &rows);
    let scores = scores.map_err(|error| ClaimError::broken(describe(&error), &needed, "see what `predict` refused"))?;
    if let Some((row, score)) = rows.iter().zip(&scores).find(|(_, score)| score.is_infinite()) {
        return Err(ClaimError::broken(format!("score {score} for row {row}"), needed, "keep scores within numbers"));
    }
    if scores.iter().all(|score| score.is_nan()) {
        let remedy = "score every row that has its history; a window's length is said by `lookback_param`";
        return Err(ClaimError::broken("NaN for every row", needed, remedy));
    }
    Ok(())
}

/// Whether a second fit gives the model of the first.
fn same_as_first(subject: &Subject<'_>, frame: &Frame, task: &Task<'_>, remedy: &str) -> ClaimResult {
    subject.needs_cpu()?;
    let rows = subject.panel.days(subject.panel.all());
    let first = Likeness::from_model(subject.model()?, &subject.frame, &rows)?;
    let again = subject.fit(frame, task);
    let again =
        again.map_err(|error| ClaimError::broken(describe(&error), "the model of the first fit again", remedy))?;
    // Both are compared on the first table, so that only the models can differ.
    same(&first, &Likeness::from_model(&again, &subject.frame, &rows)?, remedy)
}

pub(crate) fn the_same_seed_gives_the_same_model(subject: &Subject<'_>) -> ClaimResult {
    let remedy = "draw all chance from `task.seed`, go through no hash map, keep nothing between fits";
    same_as_first(subject, &subject.frame, &subject.task(), remedy)
}

/// Replaces a broken claim by an inapplicable one where two fits of the same task differ already.
fn unless_by_chance(subject: &Subject<'_>, outcome: ClaimResult) -> ClaimResult {
    if matches!(outcome, Err(ClaimError::Broken(_))) && the_same_seed_gives_the_same_model(subject).is_err() {
        return Err(ClaimError::inapplicable("two fits of one task differ already"));
    }
    outcome
}

pub(crate) fn threads_change_no_model(subject: &Subject<'_>) -> ClaimResult {
    let remedy = "sum in an order that `task.threads` does not change, or use one thread";
    let outcome = same_as_first(subject, &subject.frame, &Task { threads: 4, ..subject.task() }, remedy);
    unless_by_chance(subject, outcome)
}

pub(crate) fn columns_for_rules_change_no_model(subject: &Subject<'_>) -> ClaimResult {
    let mut frame = subject.frame.clone();
    // The first column of the panel.
    let n_rows = frame.n_rows();
    for (row, value) in frame.values_mut()[..n_rows].iter_mut().enumerate() {
        *value = if row % 2 == 0 { f32::NAN } else { 1e6 };
    }
    let remedy = "learn from the columns of `table.model_features()` alone";
    unless_by_chance(subject, same_as_first(subject, &frame, &subject.task(), remedy))
}

pub(crate) fn later_rows_change_no_model(subject: &Subject<'_>) -> ClaimResult {
    subject.needs_cpu()?;
    subject.model()?;
    let panel = &subject.panel;
    for (task, first_day) in [(subject.task(), panel.later().start), (without_tune(subject), panel.tune().start)] {
        let rows = panel.days(0..first_day);
        let later = panel.days(first_day..panel.all().end);
        let (frame, label) = subject.disturbed(&later);
        let changed = Task { label: &label, ..task };
        let [first, again] = [(&subject.frame, &task), (&frame, &changed)].map(|(frame, task)| {
            let model = subject.fit(frame, task);
            let needed = "a model, whatever comes after its rows";
            let model =
                model.map_err(|error| ClaimError::broken(describe(&error), needed, "see what `fit` refused"))?;
            Likeness::from_model(&model, frame, &rows)
        });
        let remedy = "take statistics from `learn_rows`, labels from the task's rows, and look no further than a row";
        unless_by_chance(subject, same(&first?, &again?, remedy))?;
    }
    Ok(())
}

/// A host prepares a table once and fits it many times. It prepares the table again after a process has died.
pub(crate) fn one_prepared_table_gives_each_fit_the_same_model(subject: &Subject<'_>) -> ClaimResult {
    subject.needs_cpu()?;
    subject.model()?;
    let remedy = "change nothing of the prepared form in `fit`";
    let failed = |error| ClaimError::broken(describe(&error), "a model from each fit of one prepared table", remedy);
    let task = subject.task();
    let rows = subject.panel.days(subject.panel.all());
    let prepared =
        subject.harness.prepare_with(&subject.frame, task.train_rows, &subject.setting(&task), &Listener::default());
    let prepared = prepared.map_err(failed)?;
    let other_label: Vec<f32> = task.label.iter().map(|label| 1.0 - label).collect();
    let fit = |task: &Task<'_>| prepared.fit(task, &subject.params(), &Listener::default()).map_err(failed);
    let first = Likeness::from_model(&fit(&task)?, &subject.frame, &rows)?;
    fit(&Task { label: &other_label, seed: task.seed + 1, ..task })?;
    let again = Likeness::from_model(&fit(&task)?, &subject.frame, &rows)?;
    unless_by_chance(subject, same(&first, &again, remedy))
}

pub(crate) fn fits_side_by_side_equal_those_in_a_row(subject: &Subject<'_>) -> ClaimResult {
    subject.needs_cpu()?;
    if !subject.manifest.concurrent_fits {
        return Err(ClaimError::inapplicable("its manifest does not say `concurrent_fits`"));
    }
    subject.model()?;
    let rows = subject.panel.days(subject.panel.all());
    let remedy = "share nothing between fits, or leave `concurrent_fits` out of the manifest";
    let fit = |seed: u64| {
        let model = subject.fit(&subject.frame, &Task { seed, ..subject.task() });
        let model = model.map_err(|error| ClaimError::broken(describe(&error), "a model", remedy))?;
        Likeness::from_model(&model, &subject.frame, &rows)
    };
    let in_a_row: Vec<_> = (1..=4).map(fit).collect();
    let side_by_side: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (1..=4).map(|seed| scope.spawn(move || fit(seed))).collect();
        let panicked = |_| Err(ClaimError::broken("a panic beside other fits", "a model", remedy));
        threads.into_iter().map(|thread| thread.join().unwrap_or_else(panicked)).collect()
    });
    let mut pairs = in_a_row.into_iter().zip(side_by_side);
    unless_by_chance(subject, pairs.try_for_each(|(alone, concurrent)| same(&alone?, &concurrent?, remedy)))
}

pub(crate) fn a_fit_ends_when_told_to(subject: &Subject<'_>) -> ClaimResult {
    subject.model()?;
    let n_asked = n_checks(subject, &subject.params())?;
    let fit = |listener: &Listener| {
        subject.fit_with(&subject.frame, &without_tune(subject), &subject.params(), listener).err()
    };
    ends_when_told_to(n_asked, fit)
}

pub(crate) fn a_fit_asks_more_often_the_more_rounds_it_has(subject: &Subject<'_>) -> ClaimResult {
    subject.model()?;
    let (Some((few, few_rounds)), Some((many, many_rounds))) = (subject.rounds(1), subject.rounds(3)) else {
        return Err(ClaimError::inapplicable("its manifest names no `rounds_param`"));
    };
    let of_few = n_checks(subject, &few_rounds)?;
    let of_many = n_checks(subject, &many_rounds)?;
    if few == many || of_few == 0 {
        return Err(ClaimError::inapplicable(format!("it asks {of_few} times in {few} rounds, and allows {many}")));
    }
    if of_many <= of_few {
        let found = format!("that it asked whether to end {of_few}× in {few} rounds, and {of_many}× in {many}");
        return Err(ClaimError::broken(
            found,
            "a question in each round",
            "call `ctx.check()?` in the loop over rounds",
        ));
    }
    Ok(())
}

/// Returns how often a fit checks for cancellation.
fn n_checks(subject: &Subject<'_>, params: &str) -> Result<usize, ClaimError> {
    let listener = Listener::default();
    let result = subject.fit_with(&subject.frame, &without_tune(subject), params, &listener);
    result.map_err(|error| ClaimError::broken(describe(&error), "a model", "see what `fit` refused"))?;
    Ok(listener.n_asked())
}

/// The usual task without early stopping, so that all rounds are run.
fn without_tune<'s>(subject: &'s Subject<'_>) -> Task<'s> {
    Task { tune_rows: &[], ..subject.task() }
}
