//! Parses JSON that a language model or a script may have written, and describes what is wrong with
//! it in terms of the job's fields.
//!
//! In: a text. Out: a JSON value, or a [`JsonError`]. Invariant: a message never contains the words
//! of the JSON library, which name neither the field nor the cause.

mod scan;
mod surrogates;
#[cfg(test)]
mod tests;

use std::fmt;

use serde_json::Value;

pub use self::surrogates::{REPLACEMENT, replace_lone_surrogates};

/// The reason why a text is not the JSON that is expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonError {
    /// The path of the field that contains the error, such as `design.years`; empty at the root.
    path: String,
    /// Line and column of the error, from 1. The column counts characters.
    position: (usize, usize),
    found: String,
    expected: &'static str,
    hint: &'static str,
}

impl JsonError {
    /// Returns the remedy, for people.
    pub fn hint(&self) -> &'static str {
        self.hint
    }
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, position: (line, column), found, expected, .. } = self;
        let path = if path.is_empty() { String::new() } else { format!("{path}: ") };
        write!(f, "{path}found {found} in line {line}, column {column}, expected {expected}")
    }
}

/// Parses a text as JSON. A lone surrogate in a string becomes U+FFFD.
///
/// # Errors
/// Returns the first error of the text.
pub fn parse(text: &str) -> Result<Value, JsonError> {
    serde_json::from_str(&replace_lone_surrogates(text)).map_err(|_| describe(text))
}

/// Returns the first error of a text that is not a JSON object.
pub fn describe(text: &str) -> JsonError {
    scan::first_error(text)
}
