//! Claims that a library must meet to be offered to jobs: few calls on a small table.

use super::cancelling::ended_by;
use super::claim_error::{ClaimError, ClaimResult, describe};
use super::extracting::is_sound;
use super::models;
use super::subject::Subject;
use crate::PluginError;
use crate::testing::Listener;

pub(crate) fn a_small_fit_is_the_same_after_saving_and_loading(subject: &Subject<'_>) -> ClaimResult {
    let needed = "a model of a small table, with default parameters";
    let first = subject.first().as_ref();
    first.map_err(|error| ClaimError::broken(describe(error), needed, "see what `fit` or `prepare` refused"))?;
    models::a_saved_model_predicts_the_same(subject)
}

pub(crate) fn a_small_fit_ends_when_told_to(subject: &Subject<'_>) -> ClaimResult {
    subject.model()?;
    let result =
        |listener: &Listener| subject.fit_with(&subject.frame, &subject.task(), &subject.params(), listener).err();
    ends_or_is_done(result)
}

/// A call so short that it never asks may end with its result.
fn ends_or_is_done(run: impl Fn(&Listener) -> Option<PluginError>) -> ClaimResult {
    let listener = Listener::cancelling_at(1);
    match run(&listener) {
        None if listener.n_asked() == 0 => Ok(()),
        error => ended_by(error.as_ref(), "told to end at the first question"),
    }
}

pub(crate) fn a_few_rules_name_features_of_the_table(subject: &Subject<'_>) -> ClaimResult {
    let rules = subject.extract(&subject.extraction());
    let needed = "rules of a small table, with default parameters";
    let rules = rules.map_err(|error| ClaimError::broken(describe(&error), needed, "see what `extract` refused"))?;
    rules.iter().try_for_each(is_sound)
}

pub(crate) fn a_small_extraction_ends_when_told_to(subject: &Subject<'_>) -> ClaimResult {
    subject.rules()?;
    ends_or_is_done(|listener| subject.extract_with(&subject.extraction(), &subject.params(), listener).err())
}
