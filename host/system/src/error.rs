//! Formats errors for people.
//!
//! In: an error with its chain of sources. Out: one line. Invariant: the line is the text of the
//! innermost source, which names the cause.

use std::error::Error;

/// Returns the message of the innermost source of an error, such as `connection refused` instead of
/// `error sending request`.
pub fn root_cause(error: &dyn Error) -> String {
    std::iter::successors(Some(error), |&error| error.source()).last().map_or_else(String::new, ToString::to_string)
}
