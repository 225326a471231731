//! Figures of a result: finite, or absent with a reason. A number that is neither cannot be written
//! down.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A number that is neither infinite nor NaN; the only kind of computed number that result blocks
/// hold.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Finite(f64);

impl Finite {
    /// Returns the number, unless it is infinite or NaN.
    pub fn new(value: f64) -> Option<Self> {
        value.is_finite().then_some(Self(value))
    }

    /// Nothing.
    pub fn zero() -> Self {
        Self(0.0)
    }

    /// The number.
    pub fn get(self) -> f64 {
        self.0
    }
}

/// Why a figure does not exist.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Undefined(pub String);

impl Undefined {
    /// A reason in words: what was found and what was needed.
    pub fn because(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }
}

/// Why figures of a block are null, by field name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Reasons(BTreeMap<Cow<'static, str>, String>);

impl Reasons {
    /// A figure for the field `name`; where there is none the reason is noted.
    pub fn figure(&mut self, name: &'static str, value: Result<f64, Undefined>) -> Option<Finite> {
        let finite = value.and_then(|value| {
            Finite::new(value).ok_or_else(|| Undefined::because(format!("the computation gave {value}")))
        });
        self.value(name, finite)
    }

    /// A value for the field `name`; where there is none the reason is noted.
    pub fn value<T>(&mut self, name: &'static str, value: Result<T, Undefined>) -> Option<T> {
        value.map_err(|reason| self.0.insert(Cow::Borrowed(name), reason.0)).ok()
    }

    /// Whether nothing is null.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The reason for a field.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}

/// Returns the shortest decimal number that equals an `f32`: 34.6, not 34.599998474121094.
///
/// A job that sends a reported threshold back selects the same rows.
pub fn shortest_decimal(value: f32) -> f64 {
    value.to_string().parse().unwrap_or_else(|_| f64::from(value))
}
