//! Figures of a result: a figure is finite, or absent with a reason. JSON cannot represent NaN or
//! infinity.

use std::borrow::Cow;
use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A number that is neither infinite nor NaN. All computed numbers in a result have this type.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Finite(f64);

impl Finite {
    /// Returns the number, unless it is infinite or NaN.
    pub fn new(value: f64) -> Option<Self> {
        value.is_finite().then_some(Self(value))
    }

    /// Returns 0.
    pub fn zero() -> Self {
        Self(0.0)
    }

    /// Returns the number.
    pub fn get(self) -> f64 {
        self.0
    }
}

/// The reason why a figure is undefined.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct UndefinedError(pub String);

impl UndefinedError {
    /// Creates a reason, in the form "found X, expected Y" where that applies.
    pub fn because(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }
}

/// The reasons of the null figures of a result section, by field name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
// The names are static when a result is computed, and owned when it is deserialised.
#[serde(transparent)]
pub struct Reasons(BTreeMap<Cow<'static, str>, String>);

impl Reasons {
    /// Returns the figure for the field `name`; if it is undefined or not finite, records the
    /// reason and returns `None`.
    pub fn figure(&mut self, name: &'static str, value: Result<f64, UndefinedError>) -> Option<Finite> {
        let finite = value.and_then(|value| {
            Finite::new(value).ok_or_else(|| UndefinedError::because(format!("the computation returned {value}")))
        });
        self.value(name, finite)
    }

    /// Returns the value for the field `name`; if it is undefined, records the reason and returns
    /// `None`.
    pub fn value<T>(&mut self, name: &'static str, value: Result<T, UndefinedError>) -> Option<T> {
        value.map_err(|reason| self.0.insert(Cow::Borrowed(name), reason.0)).ok()
    }

    /// Returns the figure for the field `name`; if it is undefined, records the reason and returns
    /// 0, like scikit-learn with `zero_division=0`. The field is then a number in every result.
    pub fn figure_or_zero(&mut self, name: &'static str, value: Result<f64, UndefinedError>) -> Finite {
        let zero = |UndefinedError(reason)| UndefinedError(format!("0, because the ratio is undefined: {reason}"));
        self.figure(name, value.map_err(zero)).unwrap_or(Finite::zero())
    }

    /// Returns whether no reason is recorded.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the names of the fields with a reason, sorted.
    pub fn names(&self) -> Vec<&str> {
        self.0.keys().map(AsRef::as_ref).collect()
    }

    /// Returns the reason of a null field.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}

/// Returns the shortest decimal number that parses to the given `f32`: 34.6, not
/// 34.599998474121094.
///
/// So a later job that contains a reported threshold selects the same rows.
pub fn shortest_decimal(value: f32) -> f64 {
    // `Display` of `f32` writes the shortest decimal that parses to the same `f32`.
    value.to_string().parse().unwrap_or_else(|_| f64::from(value))
}
