//! A job's failure as the error of a command.

use anyhow::anyhow;
use oculus_job::failure::Failure;

/// Returns an error with the failure's message and hint.
pub(super) fn failure_error(failure: Failure) -> anyhow::Error {
    anyhow!("{failure}; {}", failure.hint)
}
