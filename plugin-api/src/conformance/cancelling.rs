//! The check that a call stops when the job is cancelled.

use super::claim_error::{ClaimError, ClaimResult, describe};
use crate::testing::Listener;
use crate::{PluginError, code};

/// Runs a call twice. The job is cancelled at the first check for cancellation in one run, and at
/// the last check in the other. `n_checks` is the number of checks of a complete call.
pub(crate) fn stops_when_cancelled(n_checks: usize, run: impl Fn(&Listener) -> Option<PluginError>) -> ClaimResult {
    if n_checks == 0 {
        return Err(ClaimError::broken(
            "no check for cancellation",
            "a check between steps, at least every 100 ms",
            "call `ctx.check()?` between steps",
        ));
    }
    // Both checks are needed, because a call may return the error of one check and ignore the error
    // of another.
    [1, n_checks].into_iter().try_for_each(|check| {
        let when = format!("cancelled at check {check} of {n_checks}");
        failed_with_cancelled(run(&Listener::cancelling_at(check)).as_ref(), &when)
    })
}

/// Checks that a cancelled call failed with the code CANCELLED.
pub(crate) fn failed_with_cancelled(error: Option<&PluginError>, when: &str) -> ClaimResult {
    let found = match error {
        Some(error) if error.code == code::CANCELLED => return Ok(()),
        Some(error) => format!("{}, {when}", describe(error)),
        None => format!("a result, {when}"),
    };
    Err(ClaimError::broken(
        found,
        "an error of code CANCELLED",
        "return the error of `ctx.check()` unchanged, with `?`",
    ))
}
