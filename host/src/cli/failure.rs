//! Converts the failure of a job into the error of a command.

use anyhow::anyhow;
use oculus_job::error::JobError;

/// Returns an error with the message and the hint of a failure.
pub(super) fn failure_error(failure: JobError) -> anyhow::Error {
    anyhow!("{failure}; {}", failure.hint)
}
