//! Claims on what an extractor proposes.

use super::cancelling::ends_when_told_to;
use super::claim_error::{ClaimError, ClaimResult, describe};
use super::panel::{COLUMNS, LEVEL};
use super::subject::{Extraction, Subject};
use crate::testing::Listener;
use crate::{MinedRule, Task};

pub(crate) fn rules_are_proposed_for_clean_rows(subject: &Subject<'_>) -> ClaimResult {
    let rules = subject.extract(&subject.extraction());
    let needed = format!("rules of {} rows of both classes, with default parameters", subject.task().train_rows.len());
    rules.map(drop).map_err(|error| ClaimError::broken(describe(&error), needed, "see what `extract` refused"))
}

pub(crate) fn a_rule_is_conditions_on_features_of_the_table(subject: &Subject<'_>) -> ClaimResult {
    let rules = subject.rules()?;
    if rules.is_empty() {
        return Err(ClaimError::inapplicable("it proposed no rule"));
    }
    rules.iter().try_for_each(is_sound)
}

/// Whether a host can use a rule.
pub(crate) fn is_sound(rule: &MinedRule) -> ClaimResult {
    let needed = "conditions on features of the table, each with a finite threshold";
    let fault = |found: String, remedy: &str| Err(ClaimError::broken(found, needed, remedy));
    if rule.conditions.is_empty() {
        return fault("a rule without conditions".to_owned(), "leave out rules that hold on every row");
    }
    for condition in &rule.conditions {
        let name = condition.feature.as_str();
        if name != LEVEL && !COLUMNS.contains(&name) {
            return fault(format!("a condition on {name:?}"), "take names from `table.name`");
        }
        if !condition.threshold.is_finite() {
            return fault(format!("threshold {} for {name}", condition.threshold), "leave out such thresholds");
        }
    }
    if let Some(stability) = rule.stability.filter(|stability| !(0.0..=1.0).contains(stability)) {
        return fault(format!("a stability of {stability}"), "say a share from 0 to 1, or none");
    }
    Ok(())
}

/// Whether an extraction gives the rules of the usual one.
fn same_rules(subject: &Subject<'_>, extraction: &Extraction<'_>, remedy: &str) -> ClaimResult {
    subject.needs_cpu()?;
    let first = subject.rules()?;
    let again = subject.extract(extraction);
    let again =
        again.map_err(|error| ClaimError::broken(describe(&error), "the rules of the first call again", remedy))?;
    if first == again {
        return Ok(());
    }
    let n_same = first.iter().zip(&again).take_while(|(a, b)| a == b).count();
    let found = format!("{} rules and then {}, of which the first {n_same} are the same", first.len(), again.len());
    Err(ClaimError::broken(found, "the same rules", remedy))
}

pub(crate) fn the_same_seed_gives_the_same_rules(subject: &Subject<'_>) -> ClaimResult {
    let remedy = "draw all chance from `task.seed`, and go through no hash map";
    same_rules(subject, &subject.extraction(), remedy)
}

/// Two calls that differ say nothing of what was changed between them where two calls of one task differ too.
fn unless_by_chance(subject: &Subject<'_>, outcome: ClaimResult) -> ClaimResult {
    if matches!(outcome, Err(ClaimError::Broken(_))) && the_same_seed_gives_the_same_rules(subject).is_err() {
        return Err(ClaimError::inapplicable("two calls of one task differ already"));
    }
    outcome
}

pub(crate) fn threads_change_no_rule(subject: &Subject<'_>) -> ClaimResult {
    let remedy = "sum in an order that `task.threads` does not change, or use one thread";
    let threaded = Extraction { task: Task { threads: 4, ..subject.task() }, ..subject.extraction() };
    unless_by_chance(subject, same_rules(subject, &threaded, remedy))
}

pub(crate) fn later_rows_change_no_rule(subject: &Subject<'_>) -> ClaimResult {
    let later = subject.panel.days(subject.panel.later());
    let (frame, label) = subject.disturbed(&later);
    let mut scores = subject.panel.scores.clone();
    later.iter().for_each(|&row| scores[row as usize] = 1.0 - scores[row as usize]);
    let remedy = "learn from `task.train_rows` alone, thresholds included";
    let disturbed = Extraction { frame: &frame, task: Task { label: &label, ..subject.task() }, scores: &scores };
    unless_by_chance(subject, same_rules(subject, &disturbed, remedy))
}

pub(crate) fn a_call_ends_when_told_to(subject: &Subject<'_>) -> ClaimResult {
    subject.rules()?;
    let extract = |listener: &Listener| subject.extract_with(&subject.extraction(), &subject.params(), listener).err();
    let listener = Listener::default();
    extract(&listener);
    ends_when_told_to(listener.n_asked(), extract)
}
