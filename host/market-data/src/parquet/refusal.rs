//! Failures for a file that is not a table of bars.
//!
//! In: the name of the file, and what is wrong with it. Out: a [`Failure`] with the code `bad_bars`. Invariant: every
//! `bad_bars` of a Parquet file has the same hint.

use oculus_job::code::ErrorCode;
use oculus_job::failure::Failure;
use oculus_pipeline::bars::refused;

/// The remedy for a file that is refused.
pub(super) const HINT: &str = "a Parquet file of bars has the columns date or timestamp, open, high, low, close, \
                               volume; a damaged one has to be written anew";

/// Returns the failure for a file whose decoder panics.
pub(super) fn contradiction(file: &str) -> Failure {
    damaged(file, "its pages contradict themselves")
}

/// Returns the failure for a damaged file.
pub(super) fn damaged(file: &str, what: &str) -> Failure {
    refused(ErrorCode::BadBars, format!("{file} is damaged: {what}"), HINT)
}
