//! Constructs the failures of the stage that reads bars, and formats the lists of symbols in their
//! messages.

use oculus_job::code::ErrorCode;
use oculus_job::error::JobError;
use oculus_job::progress::Phase;

/// Creates the failure that refuses a job because its bars cannot be used.
pub fn refused(code: ErrorCode, message: String, hint: &str) -> JobError {
    JobError::refused(Phase::DataFetch, code, message, hint)
}

/// Formats symbols for a message: the first ten, and the number of the others.
pub fn listed(symbols: &[String]) -> String {
    const MAX_LISTED: usize = 10;
    let more = symbols.len().saturating_sub(MAX_LISTED);
    let names = symbols[..symbols.len() - more].join(", ");
    if more > 0 { format!("{names} and {more} more") } else { names }
}
