//! Parameters: one declaration yields the checks, the search space and the documentation.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::{PluginError, Result};

/// The declaration of one parameter: name, type, default, allowed values and searched values.
///
/// ```
/// use oculus_plugin_api::Param;
///
/// let rate = Param::float("learning_rate", 0.03).range(1e-4, 1.0).search_log(0.01, 0.2).help("step per round");
/// let middle = rate.at(0.5).as_f64().expect("a number");
/// assert!((middle - (0.01f64 * 0.2).sqrt()).abs() < 1e-12);
/// assert_eq!(rate.check(&7.5.into()).unwrap_err(), "learning_rate: found 7.5, expected a number from 0.0001 to 1");
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Param {
    /// Name without the manifest's prefix.
    pub name: String,
    /// A short description of the parameter's effect.
    #[serde(default)]
    pub help: String,
    /// Type, default and allowed values.
    #[serde(flatten)]
    pub kind: ParamKind,
    /// Values that the search tries. They are absent if the search keeps the default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub search: Option<Search>,
}

/// Type, default and allowed values of a parameter.
///
/// ```
/// use oculus_plugin_api::{Param, ParamKind};
///
/// let depth = Param::int("depth", 6).range(1, 16);
/// assert_eq!(depth.kind, ParamKind::Int { default: 6, min: 1, max: 16 });
/// assert_eq!(depth.allowed(), "a whole number from 1 to 16");
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ParamKind {
    /// A whole number.
    Int {
        /// Value that is used if a job does not set the parameter.
        default: i64,
        /// Smallest allowed value.
        min: i64,
        /// Largest allowed value.
        max: i64,
    },
    /// A number.
    Float {
        /// Value that is used if a job does not set the parameter.
        default: f64,
        /// Smallest allowed value.
        min: f64,
        /// Largest allowed value.
        max: f64,
    },
    /// One of several texts.
    Choice {
        /// Value that is used if a job does not set the parameter.
        default: String,
        /// The allowed texts.
        choices: Vec<String>,
    },
    /// True or false.
    Flag {
        /// Value that is used if a job does not set the parameter.
        default: bool,
    },
    /// A list of whole numbers, such as the sizes of layers.
    Ints {
        /// Value that is used if a job does not set the parameter.
        default: Vec<i64>,
        /// Smallest allowed element.
        min: i64,
        /// Largest allowed element.
        max: i64,
        /// Largest allowed number of elements.
        max_len: usize,
    },
    /// A type of a later version of this API. The host passes its values on unchecked, and the
    /// plugin checks them.
    #[serde(other)]
    Unknown,
}

/// The range of numbers that the search tries. For a choice or a flag, the search ignores the range
/// and tries every allowed value.
///
/// ```
/// use oculus_plugin_api::{Param, Search};
///
/// let rate = Param::float("learning_rate", 0.03).range(1e-4, 1.0).search_log(0.01, 0.2);
/// assert_eq!(rate.search, Some(Search { from: 0.01, to: 0.2, log: true }));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Search {
    /// Smallest searched value.
    pub from: f64,
    /// Largest searched value.
    pub to: f64,
    /// Whether the search draws uniformly on a logarithmic scale instead of a linear one.
    pub log: bool,
}

impl Search {
    /// Returns whether both ends are finite and in order, and above 0 on a logarithmic scale.
    pub(crate) fn is_usable(&self) -> bool {
        (self.to - self.from).is_finite() && self.from <= self.to && (!self.log || self.from > 0.0)
    }
}

impl Param {
    /// Declares a whole number. Without [`Param::range`], every whole number from 0 to 2³¹ − 1 is
    /// allowed.
    pub fn int(name: &str, default: i64) -> Self {
        Self::new(name, ParamKind::Int { default, min: 0, max: i64::from(i32::MAX) })
    }

    /// Declares a number. Without [`Param::range`], every finite number is allowed.
    pub fn float(name: &str, default: f64) -> Self {
        Self::new(name, ParamKind::Float { default, min: f64::MIN, max: f64::MAX })
    }

    /// Declares one of several texts.
    pub fn choice<'c>(name: &str, default: &str, choices: impl IntoIterator<Item = &'c str>) -> Self {
        let choices = choices.into_iter().map(str::to_owned).collect();
        Self::new(name, ParamKind::Choice { default: default.to_owned(), choices })
    }

    /// Declares a value that is true or false.
    pub fn flag(name: &str, default: bool) -> Self {
        Self::new(name, ParamKind::Flag { default })
    }

    /// Declares a list of at most `max_len` whole numbers from `min` to `max`.
    pub fn ints(name: &str, default: impl Into<Vec<i64>>, (min, max): (i64, i64), max_len: usize) -> Self {
        Self::new(name, ParamKind::Ints { default: default.into(), min, max, max_len })
    }

    fn new(name: &str, kind: ParamKind) -> Self {
        Self { name: name.to_owned(), help: String::new(), kind, search: None }
    }

    /// Sets the allowed range, ends included. It has no effect on choices, flags and lists.
    #[must_use]
    pub fn range(mut self, from: impl Into<f64>, to: impl Into<f64>) -> Self {
        let from = from.into();
        let to = to.into();
        match &mut self.kind {
            ParamKind::Int { min, max, .. } => (*min, *max) = (from as i64, to as i64),
            ParamKind::Float { min, max, .. } => (*min, *max) = (from, to),
            _ => {}
        }
        self
    }

    /// Sets the searched range, on a linear scale.
    #[must_use]
    pub fn search(self, from: impl Into<f64>, to: impl Into<f64>) -> Self {
        Self { search: Some(Search { from: from.into(), to: to.into(), log: false }), ..self }
    }

    /// Sets the searched range, on a logarithmic scale. Both ends must be above 0.
    #[must_use]
    pub fn search_log(self, from: impl Into<f64>, to: impl Into<f64>) -> Self {
        Self { search: Some(Search { from: from.into(), to: to.into(), log: true }), ..self }
    }

    /// Sets a short description of the parameter's effect.
    #[must_use]
    pub fn help(self, help: &str) -> Self {
        Self { help: help.to_owned(), ..self }
    }

    /// Returns the value that is used if a job does not set the parameter.
    pub fn default(&self) -> Value {
        match &self.kind {
            ParamKind::Int { default, .. } => json!(default),
            ParamKind::Float { default, .. } => json!(default),
            ParamKind::Choice { default, .. } => json!(default),
            ParamKind::Flag { default } => json!(default),
            ParamKind::Ints { default, .. } => json!(default),
            ParamKind::Unknown => Value::Null,
        }
    }

    /// Describes the allowed values: `a number from 0.0001 to 1`.
    pub fn allowed(&self) -> String {
        match &self.kind {
            ParamKind::Int { min, max, .. } => format!("a whole number from {min} to {max}"),
            ParamKind::Float { min, max, .. } if (*min, *max) == (f64::MIN, f64::MAX) => "a number".to_owned(),
            ParamKind::Float { min, max, .. } => format!("a number from {min} to {max}"),
            ParamKind::Choice { choices, .. } => format!("one of {}", choices.join(", ")),
            ParamKind::Flag { .. } => "true or false".to_owned(),
            ParamKind::Ints { min, max, max_len, .. } => {
                format!("at most {max_len} whole numbers from {min} to {max}")
            }
            ParamKind::Unknown => "a type of a newer plugin API".to_owned(),
        }
    }

    /// Converts a value to the parameter's type and checks that it is allowed.
    ///
    /// A float without a fraction is accepted as a whole number, and a number in quotes as a
    /// number. The language model that writes jobs uses both forms.
    ///
    /// # Errors
    /// The error is one line with the parameter's name, the value and the allowed values.
    pub fn check(&self, value: &Value) -> std::result::Result<Value, String> {
        let checked = match &self.kind {
            ParamKind::Int { min, max, .. } => whole(value).filter(|v| (min..=max).contains(&v)).map(Value::from),
            ParamKind::Float { min, max, .. } => number(value).filter(|v| (min..=max).contains(&v)).map(Value::from),
            ParamKind::Choice { choices, .. } => {
                value.as_str().filter(|v| choices.iter().any(|choice| choice == v)).map(Value::from)
            }
            ParamKind::Flag { .. } => value.as_bool().map(Value::from),
            ParamKind::Ints { min, max, max_len, .. } => value
                .as_array()
                .filter(|list| list.len() <= *max_len)
                .and_then(|list| list.iter().map(|v| whole(v).filter(|v| (min..=max).contains(&v))).collect())
                .map(|list: Vec<i64>| json!(list)),
            ParamKind::Unknown => Some(value.clone()),
        };
        checked.ok_or_else(|| format!("{}: found {value}, expected {}", self.name, self.allowed()))
    }

    /// Returns the value at a relative position in the searched range. The position is from 0 to 1.
    /// Returns the default if the parameter is not searched, or if
    /// [`Manifest::check`](crate::Manifest::check) rejects its declaration.
    pub fn at(&self, unit: f64) -> Value {
        let Some(search) = self.search.filter(Search::is_usable) else { return self.default() };
        // NaN is handled first, because `clamp` returns NaN for NaN.
        let unit = if unit.is_nan() { 0.0 } else { unit.clamp(0.0, 1.0) };
        let between = |from: f64, to: f64| from + (to - from) * unit;
        let value = |from: f64, to: f64| {
            let inner = if search.log { between(from.ln(), to.ln()).exp() } else { between(from, to) };
            // `exp` of `ln` can round to a value just outside the range, which the check would
            // reject.
            inner.clamp(from, to)
        };
        match &self.kind {
            // Each end is widened by half a step. Otherwise, rounding would make the first and the
            // last whole number half as likely as the others.
            ParamKind::Int { .. } if !search.log => {
                json!(between(search.from - 0.5, search.to + 0.5).round().clamp(search.from, search.to) as i64)
            }
            ParamKind::Int { .. } => json!(value(search.from, search.to).round() as i64),
            ParamKind::Float { .. } => json!(value(search.from, search.to)),
            ParamKind::Choice { choices, .. } => {
                choices.get(position(unit, choices.len())).map_or_else(|| self.default(), |choice| json!(choice))
            }
            ParamKind::Flag { .. } => json!(position(unit, 2) == 1),
            ParamKind::Ints { .. } | ParamKind::Unknown => self.default(),
        }
    }

    /// Makes the search try every allowed value of a choice or a flag.
    #[must_use]
    pub fn search_all(self) -> Self {
        self.search(0.0, 1.0)
    }
}

/// Returns the index of the list element at a relative position from 0 to 1.
fn position(unit: f64, len: usize) -> usize {
    // The position 1.0 would be one element past the end.
    ((unit * len as f64) as usize).min(len.saturating_sub(1))
}

fn number(value: &Value) -> Option<f64> {
    let number = value.as_f64().or_else(|| value.as_str().and_then(|text| text.trim().parse().ok()))?;
    // A text such as `inf` parses as a number, too.
    number.is_finite().then_some(number)
}

fn whole(value: &Value) -> Option<i64> {
    if let Some(whole) = value.as_i64() {
        return Some(whole);
    }
    // From 2^53 on, several whole numbers share one float, so the intended one is unknown.
    number(value).filter(|v| v.fract() == 0.0 && v.abs() < 9.0e15).map(|v| v as i64)
}

/// The checked parameters of one fit: every declared parameter, with a value of its type and range.
///
/// ```
/// use oculus_plugin_api::{Param, Params, code};
///
/// let declared = [Param::int("depth", 6).range(1, 16), Param::float("rate", 0.1)];
/// let params = Params::from_json(&declared, r#"{"depth": 8}"#)?;
/// assert_eq!((params.count("depth")?, params.float("rate")?), (8, 0.1));
/// assert_eq!(Params::from_json(&declared, r#"{"depth": 99}"#).unwrap_err().code, code::PARAMS);
/// # Ok::<(), oculus_plugin_api::PluginError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Params(BTreeMap<String, Value>);

impl Params {
    /// Checks values against the declared parameters, and adds the defaults.
    ///
    /// # Errors
    /// The error lists all problems, one line per problem: unknown names, wrong types and values
    /// out of range.
    pub fn check(declared: &[Param], given: &Map<String, Value>) -> std::result::Result<Self, Vec<String>> {
        let mut problems = Vec::new();
        // Problems are collected, so that a user can correct all of them at once.
        let mut values: BTreeMap<_, _> = declared.iter().map(|param| (param.name.clone(), param.default())).collect();
        for (name, value) in given {
            match declared.iter().find(|param| param.name == *name).map(|param| param.check(value)) {
                Some(Ok(value)) => _ = values.insert(name.clone(), value),
                Some(Err(problem)) => problems.push(problem),
                None => {
                    let known: Vec<_> = declared.iter().map(|param| param.name.as_str()).collect();
                    problems.push(format!("{name}: no such parameter, expected one of {}", known.join(", ")));
                }
            }
        }
        if problems.is_empty() { Ok(Self(values)) } else { Err(problems) }
    }

    /// Checks the values of a JSON object, and adds the defaults. An empty text is an empty object.
    ///
    /// # Errors
    /// [`code::PARAMS`](crate::code::PARAMS) if a value is invalid. The message lists all problems.
    pub fn from_json(declared: &[Param], json: &str) -> Result<Self> {
        let given = if json.is_empty() { Ok(Map::new()) } else { serde_json::from_str(json) };
        let given = given
            .map_err(|error| PluginError::params(format!("invalid parameters, expected a JSON object: {error}")))?;
        Self::check(declared, &given).map_err(|problems| PluginError::params(problems.join("; ")))
    }

    /// Returns all values by name.
    pub fn values(&self) -> &BTreeMap<String, Value> {
        &self.0
    }

    /// Returns a number.
    ///
    /// # Errors
    /// [`code::PARAMS`](crate::code::PARAMS) if a number with this name is not declared.
    pub fn float(&self, name: &str) -> Result<f64> {
        self.get(name, Value::as_f64)
    }

    /// Returns a whole number.
    ///
    /// # Errors
    /// [`code::PARAMS`](crate::code::PARAMS) if a whole number with this name is not declared.
    pub fn int(&self, name: &str) -> Result<i64> {
        self.get(name, Value::as_i64)
    }

    /// Returns a whole number that is a count.
    ///
    /// # Errors
    /// [`code::PARAMS`](crate::code::PARAMS) if a whole number with this name is not declared, or
    /// if it is negative.
    pub fn count(&self, name: &str) -> Result<usize> {
        self.get(name, |value| value.as_u64().and_then(|count| usize::try_from(count).ok()))
    }

    /// Returns a flag.
    ///
    /// # Errors
    /// [`code::PARAMS`](crate::code::PARAMS) if a flag with this name is not declared.
    pub fn flag(&self, name: &str) -> Result<bool> {
        self.get(name, Value::as_bool)
    }

    /// Returns a choice.
    ///
    /// # Errors
    /// [`code::PARAMS`](crate::code::PARAMS) if a choice with this name is not declared.
    pub fn choice(&self, name: &str) -> Result<&str> {
        self.0
            .get(name)
            .and_then(Value::as_str)
            .ok_or_else(|| PluginError::params(format!("{name} is not declared as a choice")))
    }

    /// Returns a list of whole numbers.
    ///
    /// # Errors
    /// [`code::PARAMS`](crate::code::PARAMS) if a list with this name is not declared.
    pub fn ints(&self, name: &str) -> Result<Vec<i64>> {
        self.get(name, |value| value.as_array()?.iter().map(Value::as_i64).collect())
    }

    fn get<T>(&self, name: &str, read: impl Fn(&Value) -> Option<T>) -> Result<T> {
        let value = self.0.get(name).and_then(read);
        value.ok_or_else(|| PluginError::params(format!("{name} is not declared with that type")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn declared() -> Vec<Param> {
        vec![
            Param::int("leaves", 7).range(2, 255).search_log(4, 64),
            Param::float("rate", 0.03).range(1e-4, 1.0),
            Param::choice("kind", "gbdt", ["gbdt", "dart"]).search_all(),
            Param::flag("balanced", false),
            Param::ints("layers", [64, 32], (1, 4096), 4),
        ]
    }

    fn check(given: Value) -> std::result::Result<Params, Vec<String>> {
        Params::check(&declared(), given.as_object().unwrap())
    }

    #[test]
    fn absent_parameters_take_their_defaults() {
        let params = check(json!({"rate": 0.5})).unwrap();
        assert_eq!(params.float("rate").unwrap(), 0.5);
        assert_eq!(params.count("leaves").unwrap(), 7);
        assert_eq!(params.choice("kind").unwrap(), "gbdt");
        assert_eq!(params.ints("layers").unwrap(), [64, 32]);
        assert!(!params.flag("balanced").unwrap());
    }

    #[test]
    fn whole_floats_and_quoted_numbers_are_accepted() {
        let params = check(json!({"leaves": 31.0, "rate": "0.1"})).unwrap();
        assert_eq!((params.int("leaves").unwrap(), params.float("rate").unwrap()), (31, 0.1));
    }

    #[test]
    fn all_problems_are_reported_together() {
        let problems = check(json!({"leaves": 1.5, "rate": 2, "depth": 3, "kind": "rf", "layers": [0]})).unwrap_err();
        assert_eq!(
            problems,
            [
                "depth: no such parameter, expected one of leaves, rate, kind, balanced, layers",
                "kind: found \"rf\", expected one of gbdt, dart",
                "layers: found [0], expected at most 4 whole numbers from 1 to 4096",
                "leaves: found 1.5, expected a whole number from 2 to 255",
                "rate: found 2, expected a number from 0.0001 to 1",
            ]
        );
    }

    #[test]
    fn every_searched_value_is_allowed() {
        for param in declared() {
            for step in 0..=1000 {
                let value = param.at(f64::from(step) / 1000.0);
                assert_eq!(param.check(&value), Ok(value.clone()), "{}", param.name);
            }
        }
    }

    #[test]
    fn a_declaration_survives_a_round_trip_through_json() {
        for param in declared() {
            let json = serde_json::to_string(&param).unwrap();
            assert_eq!(serde_json::from_str::<Param>(&json).unwrap(), param);
        }
    }

    #[test]
    fn a_parameter_type_of_a_later_version_is_passed_on() {
        let json = r#"{"name": "kernel", "type": "matrix", "shape": [2, 2]}"#;
        let param: Param = serde_json::from_str(json).unwrap();
        assert_eq!(param.check(&json!([1, 2])), Ok(json!([1, 2])));
    }
}
