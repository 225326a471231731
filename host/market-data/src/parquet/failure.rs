//! Creates the failures for a Parquet file that is not a table of bars.
//!
//! In: the name of the file, and the problem. Out: a [`JobError`] with the code `bad_bars`.
//! Invariant: every `bad_bars` failure of a Parquet file has the same hint.

use oculus_job::code::ErrorCode;
use oculus_job::error::JobError;
use oculus_pipeline::bars::refused;

/// The remedy for a file that is rejected.
pub(super) const HINT: &str = "a Parquet file of bars has the columns date or timestamp, open, high, low, close, \
                               volume; write a damaged file again";

/// Returns the failure for a file on which the decoder panics.
pub(super) fn contradiction(file: &str) -> JobError {
    damaged(file, "the content of its pages is contradictory")
}

/// Returns the failure for a damaged file.
pub(super) fn damaged(file: &str, problem: &str) -> JobError {
    refused(ErrorCode::BadBars, format!("{file} is damaged: {problem}"), HINT)
}
