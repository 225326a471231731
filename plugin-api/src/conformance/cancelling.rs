//! Whether a call ends when it is cancelled.

use super::claim_error::{ClaimError, ClaimResult, describe};
use crate::testing::Listener;
use crate::{PluginError, code};

/// Runs a call that checks for cancellation `n_asked` times, cancelled at its first check and at its last.
pub(crate) fn ends_when_told_to(n_asked: usize, run: impl Fn(&Listener) -> Option<PluginError>) -> ClaimResult {
    if n_asked == 0 {
        return Err(ClaimError::broken(
            "that it never asked whether to end",
            "a question between its steps, at least every 100 ms",
            "call `ctx.check()?` between steps",
        ));
    }
    [1, n_asked].into_iter().try_for_each(|n_checks| {
        let when = format!("told to end at question {n_checks} of {n_asked}");
        ended_by(run(&Listener::cancelling_at(n_checks)).as_ref(), &when)
    })
}

/// Asserts that a cancelled call ended with the code CANCELLED.
pub(crate) fn ended_by(error: Option<&PluginError>, when: &str) -> ClaimResult {
    let found = match error {
        Some(error) if error.code == code::CANCELLED => return Ok(()),
        Some(error) => format!("{}, {when}", describe(error)),
        None => format!("a result, {when}"),
    };
    Err(ClaimError::broken(
        found,
        "an error of code CANCELLED",
        "hand on the error of `ctx.check()` as it is, with `?`",
    ))
}
