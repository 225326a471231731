//! A lenient reader at one place of the job's JSON, which notes problems.
//!
//! In: a parsed value. Out: typed values, `None` where a field is absent, null or wrong.
//! Invariant: a wrong value is noted with its path, what was found and what was needed, so that one
//! refusal names every problem of a job.

use std::cell::RefCell;
use std::ops::{RangeBounds, RangeInclusive};

use serde_json::{Map, Value};

const ABSENT: &Value = &Value::Null;
/// Characters of a wrong value that a problem quotes.
const QUOTED_CHARS: usize = 40;

/// The problems found so far, in the order of reading.
#[derive(Debug, Default)]
pub(super) struct Problems(RefCell<Vec<String>>);

impl Problems {
    /// Returns the problems, after all fields have been read.
    pub(super) fn into_vec(self) -> Vec<String> {
        self.0.into_inner()
    }
}

/// A value and the way to it from the job's root.
#[derive(Clone, Debug)]
pub(super) struct Cursor<'a> {
    value: &'a Value,
    path: String,
    problems: &'a Problems,
}

impl<'a> Cursor<'a> {
    /// Creates a cursor at the root of a job.
    pub(super) fn root(value: &'a Value, problems: &'a Problems) -> Self {
        Self { value, path: String::new(), problems }
    }

    /// Returns a field of an object; absent if this is not an object or has no such field.
    pub(super) fn at(&self, name: &str) -> Self {
        let path = if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) };
        Self { value: self.value.get(name).unwrap_or(ABSENT), path, problems: self.problems }
    }

    /// Returns whether the field is absent or null.
    pub(super) fn is_absent(&self) -> bool {
        self.value.is_null()
    }

    /// Reads the fields of an object.
    pub(super) fn object(&self) -> Option<&'a Map<String, Value>> {
        self.read("an object", Value::as_object)
    }

    /// Reads the entries of a list.
    pub(super) fn list(&self, n_entries: RangeInclusive<usize>) -> Option<Vec<Cursor<'a>>> {
        let needed = format!("a list of {} to {} entries", n_entries.start(), n_entries.end());
        let entries = self.read(&needed, |value| value.as_array().filter(|list| n_entries.contains(&list.len())))?;
        let entry = |(idx, value)| Self { value, path: format!("{}[{idx}]", self.path), problems: self.problems };
        Some(entries.iter().enumerate().map(entry).collect())
    }

    /// Reads a text that `check` accepts.
    pub(super) fn text(&self, needed: &str, check: impl Fn(&str) -> bool) -> Option<&'a str> {
        self.read(needed, |value| value.as_str().filter(|text| check(text)))
    }

    /// Reads a boolean.
    pub(super) fn flag(&self) -> Option<bool> {
        self.read("true or false", Value::as_bool)
    }

    /// Reads a finite number within a range, also if it is written as a text.
    pub(super) fn number(&self, range: impl RangeBounds<f64>, needed: &str) -> Option<f64> {
        self.read(needed, |value| as_number(value).filter(|number| range.contains(number)))
    }

    /// Reads a whole number within a range, also if it is written as `2.0` or as a text.
    pub(super) fn whole(&self, range: RangeInclusive<u64>) -> Option<u64> {
        let needed = format!("a whole number from {} to {}", range.start(), range.end());
        self.read(&needed, |value| as_whole(value).filter(|number| range.contains(number)))
    }

    /// Notes that this required field is missing.
    pub(super) fn missing(&self, needed: &str) {
        self.note(format!("missing, needed {needed}"));
    }

    fn read<T>(&self, needed: &str, read: impl FnOnce(&'a Value) -> Option<T>) -> Option<T> {
        if self.is_absent() {
            return None;
        }
        let found = read(self.value);
        if found.is_none() {
            self.note(format!("found {}, needed {needed}", quote(self.value)));
        }
        found
    }

    fn note(&self, problem: String) {
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
    number.filter(|number| number.is_finite())
}

fn as_whole(value: &Value) -> Option<u64> {
    let exact = match value {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    let integral = |number: &f64| number.fract() == 0.0 && (0.0..=9_007_199_254_740_992.0).contains(number);
    exact.or_else(|| as_number(value).filter(integral).map(|number| number as u64))
}

/// Returns a value as it was written, or its kind and size if the text would be long.
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
