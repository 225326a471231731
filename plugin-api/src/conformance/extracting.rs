//! Claims about the rules of an extractor.

use super::cancelling::stops_when_cancelled;
use super::claim_error::{ClaimError, ClaimResult, describe};
use super::panel::{COLUMNS, LEVEL, UNUSUAL_LEVEL, UNUSUAL_NAMES};
use super::subject::{Extraction, Subject};
use crate::testing::Listener;
use crate::{MinedRule, Task};

pub(crate) fn rules_are_proposed_for_clean_rows(subject: &Subject<'_>) -> ClaimResult {
    let rules = subject.extract(&subject.extraction());
    let expected =
        format!("rules from {} rows of both classes, with default parameters", subject.task().train_rows.len());
    rules.map(drop).map_err(|error| ClaimError::broken(describe(&error), expected, "check why `extract` failed"))
}

pub(crate) fn rules_are_conditions_on_features_of_the_table(subject: &Subject<'_>) -> ClaimResult {
    let rules = subject.rules()?;
    if rules.is_empty() {
        return Err(ClaimError::inapplicable("it did not propose any rule"));
    }
    rules.iter().try_for_each(check_rule)
}

/// Checks that a host can use a rule.
pub(crate) fn check_rule(rule: &MinedRule) -> ClaimResult {
    let expected = "conditions on features of the table, each with a finite threshold";
    let broken = |found: String, remedy: &str| Err(ClaimError::broken(found, expected, remedy));
    if rule.conditions.is_empty() {
        return broken("a rule without conditions".to_owned(), "do not propose rules that apply to every row");
    }
    for condition in &rule.conditions {
        let name = condition.feature.as_str();
        if name != LEVEL && !COLUMNS.contains(&name) {
            return broken(format!("a condition on {name:?}"), "use names from `table.name`");
        }
        if !condition.threshold.is_finite() {
            return broken(
                format!("threshold {} for {name}", condition.threshold),
                "do not propose rules with such thresholds",
            );
        }
    }
    if let Some(stability) = rule.stability.filter(|stability| !(0.0..=1.0).contains(stability)) {
        return broken(format!("a stability of {stability}"), "use a share from 0 to 1, or `None`");
    }
    Ok(())
}

/// Checks that an extraction returns the same rules as the standard extraction.
fn check_same_rules(subject: &Subject<'_>, extraction: &Extraction<'_>, remedy: &str) -> ClaimResult {
    subject.needs_cpu()?;
    let first = subject.rules()?;
    let again = subject.extract(extraction);
    let again = again.map_err(|error| ClaimError::broken(describe(&error), "the rules of the first call", remedy))?;
    if first == again {
        return Ok(());
    }
    let n_same = first.iter().zip(&again).take_while(|(a, b)| a == b).count();
    let found = format!("{} rules and then {} rules, of which the first {n_same} are equal", first.len(), again.len());
    Err(ClaimError::broken(found, "the same rules", remedy))
}

pub(crate) fn the_same_seed_produces_the_same_rules(subject: &Subject<'_>) -> ClaimResult {
    let remedy = "derive all random numbers from `task.seed`, and do not iterate over a hash map";
    check_same_rules(subject, &subject.extraction(), remedy)
}

/// Makes a broken claim inapplicable if two calls with the same task also return different rules.
/// In that case the changed input is not necessarily the cause of the difference.
fn unless_irreproducible(subject: &Subject<'_>, outcome: ClaimResult) -> ClaimResult {
    if matches!(outcome, Err(ClaimError::Broken(_))) && the_same_seed_produces_the_same_rules(subject).is_err() {
        return Err(ClaimError::inapplicable("two calls with the same task differ"));
    }
    outcome
}

pub(crate) fn the_number_of_threads_does_not_change_the_rules(subject: &Subject<'_>) -> ClaimResult {
    let remedy = "sum in an order that does not depend on `task.threads`, or use one thread";
    let threaded = Extraction { task: Task { threads: 4, ..subject.task() }, ..subject.extraction() };
    unless_irreproducible(subject, check_same_rules(subject, &threaded, remedy))
}

pub(crate) fn later_rows_do_not_change_the_rules(subject: &Subject<'_>) -> ClaimResult {
    let later = subject.panel.days(subject.panel.later());
    let (frame, label) = subject.with_changed_rows(&later);
    let mut scores = subject.panel.scores.clone();
    later.iter().for_each(|&row| scores[row as usize] = 1.0 - scores[row as usize]);
    let remedy = "use `task.train_rows` only, also for thresholds";
    let changed = Extraction { frame: &frame, task: Task { label: &label, ..subject.task() }, scores: &scores };
    unless_irreproducible(subject, check_same_rules(subject, &changed, remedy))
}

/// Features carry the names of users, such as a benchmark's symbol. Rules must repeat them unchanged.
pub(crate) fn rules_name_columns_of_any_characters(subject: &Subject<'_>) -> ClaimResult {
    let mut expected = subject.rules()?;
    subject.needs_cpu()?;
    for condition in expected.iter_mut().flat_map(|rule| &mut rule.conditions) {
        // Another claim reports a name that the table does not contain.
        let usual = COLUMNS.iter().chain([&LEVEL]);
        let mut renamed = usual.zip(UNUSUAL_NAMES.iter().chain([&UNUSUAL_LEVEL]));
        if let Some((_, name)) = renamed.find(|(usual, _)| **usual == condition.feature) {
            condition.feature = (*name).to_owned();
        }
    }
    let frame = subject.panel.frame_with_unusual_names();
    let remedy = "use the names from `table.name` unchanged";
    let found = subject.extract(&Extraction { frame: &frame, ..subject.extraction() });
    let found = found.map_err(|error| ClaimError::broken(describe(&error), "rules on columns of any name", remedy))?;
    let outcome = if found == expected {
        Ok(())
    } else {
        Err(ClaimError::broken("other rules after columns were renamed", "the same rules on the new names", remedy))
    };
    unless_irreproducible(subject, outcome)
}

pub(crate) fn an_extraction_stops_when_cancelled(subject: &Subject<'_>) -> ClaimResult {
    subject.rules()?;
    let extract = |listener: &Listener| subject.extract_with(&subject.extraction(), &subject.params(), listener).err();
    let listener = Listener::default();
    extract(&listener);
    stops_when_cancelled(listener.n_asked(), extract)
}
