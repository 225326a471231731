//! Texts of errors for people.
//!
//! In: an error with its sources. Out: one line. Invariant: the innermost source decides, since it
//! names the cause.

use std::error::Error;

/// Returns the message of the innermost source of an error: `connection refused` rather than `error sending request`.
pub fn root_cause(error: &dyn Error) -> String {
    std::iter::successors(Some(error), |&error| error.source()).last().map_or_else(String::new, ToString::to_string)
}
