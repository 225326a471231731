//! Failures of the bars' stage.

use oculus_job::code::ErrorCode;
use oculus_job::failure::Failure;
use oculus_job::progress::Phase;

/// Creates the refusal of a job whose bars cannot be used.
pub fn refused(code: ErrorCode, message: String, hint: &str) -> Failure {
    Failure::refused(Phase::DataFetch, code, message, hint)
}

/// Lists symbols for a message: the first few, and how many more.
pub fn listed(symbols: &[String]) -> String {
    const MOST: usize = 10;
    let more = symbols.len().saturating_sub(MOST);
    let names = symbols[..symbols.len() - more].join(", ");
    if more > 0 { format!("{names} and {more} more") } else { names }
}
