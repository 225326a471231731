//! Reads one value of the job's JSON leniently, and collects the problems that it finds.
//!
//! In: parsed JSON. Out: typed values, or `None` if a field is absent, null or invalid. Invariant:
//! each invalid value adds a problem with its path, the found value and the expected one. One
//! failure can therefore name every problem of a job.

use std::cell::RefCell;
use std::ops::{RangeBounds, RangeInclusive};

use serde_json::{Map, Value};

use crate::json::REPLACEMENT;

const ABSENT: &Value = &Value::Null;
/// An invalid value is quoted with at most this number of characters.
const QUOTED_CHARS: usize = 40;

/// The problems found so far, in the order in which the fields were read.
///
/// The list is a `RefCell`, because cursors of several fields share it.
#[derive(Debug, Default)]
pub(super) struct Problems(RefCell<Vec<String>>);

impl Problems {
    /// Returns all problems.
    pub(super) fn into_vec(self) -> Vec<String> {
        self.0.into_inner()
    }
}

/// A value in the JSON, with its path from the root of the job.
#[derive(Clone, Debug)]
pub(super) struct Cursor<'a> {
    value: &'a Value,
    path: String,
    problems: &'a Problems,
}

impl<'a> Cursor<'a> {
    /// Creates a cursor for the root of a job.
    pub(super) fn root(value: &'a Value, problems: &'a Problems) -> Self {
        Self { value, path: String::new(), problems }
    }

    /// Returns the cursor of a field. The field is absent if this value is not an object or has no
    /// such field.
    pub(super) fn field(&self, name: &str) -> Self {
        let path = if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) };
        Self { value: self.value.get(name).unwrap_or(ABSENT), path, problems: self.problems }
    }

    /// Returns whether the field is absent or null.
    pub(super) fn is_absent(&self) -> bool {
        self.value.is_null()
    }

    /// Reads the value as an object.
    pub(super) fn object(&self) -> Option<&'a Map<String, Value>> {
        self.read("an object", Value::as_object)
    }

    /// Reads the value as a list and returns one cursor per element.
    pub(super) fn list(&self, n_entries: RangeInclusive<usize>) -> Option<Vec<Cursor<'a>>> {
        let expected = format!("a list of {} to {} entries", n_entries.start(), n_entries.end());
        let entries = self.read(&expected, |value| value.as_array().filter(|list| n_entries.contains(&list.len())))?;
        let entry = |(idx, value)| Self { value, path: format!("{}[{idx}]", self.path), problems: self.problems };
        Some(entries.iter().enumerate().map(entry).collect())
    }

    /// Reads the value as a string that satisfies `is_valid` and has no U+FFFD, which stands for a
    /// part that could not be decoded.
    pub(super) fn text(&self, expected: &str, is_valid: impl Fn(&str) -> bool) -> Option<&'a str> {
        let is_broken = self.value.as_str().is_some_and(|text| text.contains(REPLACEMENT));
        let broken = format!("{expected}, whose Unicode escapes are complete (U+FFFD marks a lone surrogate)");
        let expected = if is_broken { &broken } else { expected };
        self.read(expected, |value| value.as_str().filter(|text| !is_broken && is_valid(text)))
    }

    /// Reads the value as a string that has no effect on the job.
    pub(super) fn echoed_text(&self) -> Option<&'a str> {
        self.read("a text", Value::as_str)
    }

    /// Reads the value as a boolean.
    pub(super) fn boolean(&self) -> Option<bool> {
        self.read("true or false", Value::as_bool)
    }

    /// Reads the value as a finite number within a range. A number in a string is accepted.
    pub(super) fn number(&self, range: impl RangeBounds<f64>, expected: &str) -> Option<f64> {
        self.read(expected, |value| as_number(value).filter(|number| range.contains(number)))
    }

    /// Reads the value as a whole number within a range. `2.0` and a number in a string are
    /// accepted.
    pub(super) fn integer(&self, range: RangeInclusive<u64>) -> Option<u64> {
        let expected = format!("a whole number from {} to {}", range.start(), range.end());
        self.read(&expected, |value| as_integer(value).filter(|number| range.contains(number)))
    }

    /// Adds the problem that this required field is missing.
    pub(super) fn report_missing(&self, expected: &str) {
        self.report(format!("missing, expected {expected}"));
    }

    fn read<T>(&self, expected: &str, read: impl FnOnce(&'a Value) -> Option<T>) -> Option<T> {
        if self.is_absent() {
            return None;
        }
        let found = read(self.value);
        if found.is_none() {
            self.report(format!("found {}, expected {expected}", quote(self.value)));
        }
        found
    }

    fn report(&self, problem: String) {
        // The root has an empty path, but a message must name the root.
        let path = if self.path.is_empty() { "job" } else { &self.path };
        self.problems.0.borrow_mut().push(format!("{path}: {problem}"));
    }
}

fn as_number(value: &Value) -> Option<f64> {
    let number = match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    // Parsing a string also accepts `NaN` and `inf`, which are rejected here.
    number.filter(|number| number.is_finite())
}

fn as_integer(value: &Value) -> Option<u64> {
    let exact = match value {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    // Up to 2^53 every whole number is exact as a 64-bit float. A larger one may have been rounded
    // when the text was parsed.
    let integral = |number: &f64| number.fract() == 0.0 && (0.0..=9_007_199_254_740_992.0).contains(number);
    exact.or_else(|| as_number(value).filter(integral).map(|number| number as u64))
}

/// Formats an invalid value for a problem. A short value is formatted as JSON; a long one is
/// shortened or described by its size.
fn quote(value: &Value) -> String {
    match value {
        Value::Array(list) => format!("a list of {}", list.len()),
        Value::Object(fields) => format!("an object of {} fields", fields.len()),
        Value::String(text) if text.chars().count() > QUOTED_CHARS => {
            let start: String = text.chars().take(QUOTED_CHARS).collect();
            format!("{start:?}… ({} characters)", text.chars().count())
        }
        short => short.to_string(),
    }
}
