//! The claims of a probe, which a library must meet before it is offered to jobs. Their tests make
//! few calls on a small table.

use super::cancelling::failed_with_cancelled;
use super::claim_error::{ClaimError, ClaimResult, describe};
use super::extracting::check_rule;
use super::models;
use super::subject::Subject;
use crate::PluginError;
use crate::testing::Listener;

pub(crate) fn a_small_model_predicts_the_same_after_loading(subject: &Subject<'_>) -> ClaimResult {
    let expected = "a model of a small table, with default parameters";
    let first = subject.first().as_ref();
    first.map_err(|error| ClaimError::broken(describe(error), expected, "check why `fit` or `prepare` failed"))?;
    models::a_saved_model_predicts_the_same(subject)
}

pub(crate) fn a_small_fit_stops_when_cancelled(subject: &Subject<'_>) -> ClaimResult {
    subject.model()?;
    let fit =
        |listener: &Listener| subject.fit_with(&subject.frame, &subject.task(), &subject.params(), listener).err();
    stops_or_completes(fit)
}

/// Checks that a call stops when it is cancelled. A call that completes without a check for
/// cancellation is accepted, because a call on a small table may be too short to need one.
fn stops_or_completes(run: impl Fn(&Listener) -> Option<PluginError>) -> ClaimResult {
    let listener = Listener::cancelling_at(1);
    match run(&listener) {
        None if listener.n_asked() == 0 => Ok(()),
        error => failed_with_cancelled(error.as_ref(), "cancelled at the first check"),
    }
}

pub(crate) fn rules_of_a_small_table_use_its_features(subject: &Subject<'_>) -> ClaimResult {
    let rules = subject.extract(&subject.extraction());
    let expected = "rules of a small table, with default parameters";
    let rules = rules.map_err(|error| ClaimError::broken(describe(&error), expected, "check why `extract` failed"))?;
    rules.iter().try_for_each(check_rule)
}

pub(crate) fn a_small_extraction_stops_when_cancelled(subject: &Subject<'_>) -> ClaimResult {
    subject.rules()?;
    stops_or_completes(|listener| subject.extract_with(&subject.extraction(), &subject.params(), listener).err())
}
