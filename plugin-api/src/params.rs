//! Parameters, declared once: from the declaration come the checks, the search space and the documentation.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::{PluginError, Result};

/// One parameter of a plugin: name, type, default, what is allowed, what is searched.
///
/// ```
/// use oculus_plugin_api::Param;
///
/// let rate = Param::float("learning_rate", 0.03).range(1e-4, 1.0).search_log(0.01, 0.2).help("step of a round");
/// let tried = rate.at(0.5).as_f64().expect("a number");
/// assert!((tried - (0.01f64 * 0.2).sqrt()).abs() < 1e-12);
/// assert_eq!(rate.check(&7.5.into()).unwrap_err(), "learning_rate: found 7.5, needed a number from 0.0001 to 1");
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Param {
    /// Name without the manifest's prefix.
    pub name: String,
    /// What it does, in a few words.
    #[serde(default)]
    pub help: String,
    /// Type, default, range.
    #[serde(flatten)]
    pub kind: ParamKind,
    /// Where the config search looks; absent when it keeps the default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub search: Option<Search>,
}

/// Type, default and allowed values.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ParamKind {
    /// A whole number.
    Int {
        /// Taken when the job says nothing.
        default: i64,
        /// Smallest allowed.
        min: i64,
        /// Largest allowed.
        max: i64,
    },
    /// A number.
    Float {
        /// Taken when the job says nothing.
        default: f64,
        /// Smallest allowed.
        min: f64,
        /// Largest allowed.
        max: f64,
    },
    /// One of several words.
    Choice {
        /// Taken when the job says nothing.
        default: String,
        /// All of them.
        choices: Vec<String>,
    },
    /// On or off.
    Flag {
        /// Taken when the job says nothing.
        default: bool,
    },
    /// A list of whole numbers, such as the sizes of layers.
    Ints {
        /// Taken when the job says nothing.
        default: Vec<i64>,
        /// Smallest allowed entry.
        min: i64,
        /// Largest allowed entry.
        max: i64,
        /// Most entries allowed.
        max_len: usize,
    },
    /// A type of a later version of this API: passed on unchecked, the plugin checks it itself.
    #[serde(other)]
    Unknown,
}

/// Where the config search looks for a number. (Words and flags are searched over all that is allowed.)
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Search {
    /// Smallest value tried.
    pub from: f64,
    /// Largest value tried.
    pub to: f64,
    /// Whether equal ratios, not equal steps, are equally likely.
    pub log: bool,
}

impl Search {
    /// Whether there are places between the ends: both finite and in order, and above 0 for equal ratios.
    pub(crate) fn is_usable(&self) -> bool {
        (self.to - self.from).is_finite() && self.from <= self.to && (!self.log || self.from > 0.0)
    }
}

impl Param {
    /// A whole number; any non-negative one is allowed until [`Param::range`] says more.
    pub fn int(name: &str, default: i64) -> Self {
        Self::new(name, ParamKind::Int { default, min: 0, max: i64::from(i32::MAX) })
    }

    /// A number; any finite one is allowed until [`Param::range`] says more.
    pub fn float(name: &str, default: f64) -> Self {
        Self::new(name, ParamKind::Float { default, min: f64::MIN, max: f64::MAX })
    }

    /// One of several words.
    pub fn choice<'c>(name: &str, default: &str, choices: impl IntoIterator<Item = &'c str>) -> Self {
        let choices = choices.into_iter().map(str::to_owned).collect();
        Self::new(name, ParamKind::Choice { default: default.to_owned(), choices })
    }

    /// On or off.
    pub fn flag(name: &str, default: bool) -> Self {
        Self::new(name, ParamKind::Flag { default })
    }

    /// A list of at most `max_len` whole numbers from `min` to `max`.
    pub fn ints(name: &str, default: impl Into<Vec<i64>>, (min, max): (i64, i64), max_len: usize) -> Self {
        Self::new(name, ParamKind::Ints { default: default.into(), min, max, max_len })
    }

    fn new(name: &str, kind: ParamKind) -> Self {
        Self { name: name.to_owned(), help: String::new(), kind, search: None }
    }

    /// What a job may say, ends included. Has no meaning for words, flags and lists.
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

    /// What the config search tries, equal steps equally likely.
    #[must_use]
    pub fn search(self, from: impl Into<f64>, to: impl Into<f64>) -> Self {
        Self { search: Some(Search { from: from.into(), to: to.into(), log: false }), ..self }
    }

    /// What the config search tries, equal ratios equally likely. Both ends are above 0.
    #[must_use]
    pub fn search_log(self, from: impl Into<f64>, to: impl Into<f64>) -> Self {
        Self { search: Some(Search { from: from.into(), to: to.into(), log: true }), ..self }
    }

    /// What it does, in a few words.
    #[must_use]
    pub fn help(self, help: &str) -> Self {
        Self { help: help.to_owned(), ..self }
    }

    /// The value when a job says nothing.
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

    /// What is allowed, in words: `a number from 0.0001 to 1`.
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

    /// The value in its own type. Whole floats serve as whole numbers, numbers in quotes as numbers.
    ///
    /// # Errors
    /// A line that names the parameter, what was found and what was needed.
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
        checked.ok_or_else(|| format!("{}: found {value}, needed {}", self.name, self.allowed()))
    }

    /// The value at a place of the searched range, `unit` from 0 to 1; the default where nothing is searched, or where
    /// the declaration makes no sense ([`Manifest::check`](crate::Manifest::check)).
    pub fn at(&self, unit: f64) -> Value {
        let Some(search) = self.search.filter(Search::is_usable) else { return self.default() };
        let unit = if unit.is_nan() { 0.0 } else { unit.clamp(0.0, 1.0) };
        let between = |from: f64, to: f64| from + (to - from) * unit;
        let value = |from: f64, to: f64| {
            let inner = if search.log { between(from.ln(), to.ln()).exp() } else { between(from, to) };
            inner.clamp(from, to)
        };
        match &self.kind {
            // Half a step more on both ends, so that each whole number is as likely as the next.
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

    /// Marks a word or a flag as searched over all that is allowed.
    #[must_use]
    pub fn search_all(self) -> Self {
        self.search(0.0, 1.0)
    }
}

fn position(unit: f64, len: usize) -> usize {
    ((unit * len as f64) as usize).min(len.saturating_sub(1))
}

fn number(value: &Value) -> Option<f64> {
    let number = value.as_f64().or_else(|| value.as_str().and_then(|text| text.trim().parse().ok()))?;
    number.is_finite().then_some(number)
}

fn whole(value: &Value) -> Option<i64> {
    if let Some(whole) = value.as_i64() {
        return Some(whole);
    }
    // Beyond 2^53 a float does not say which whole number it is.
    number(value).filter(|v| v.fract() == 0.0 && v.abs() < 9.0e15).map(|v| v as i64)
}

/// Checked parameters of one fit: all that are declared, each in its type and range.
#[derive(Clone, Debug, PartialEq)]
pub struct Params(BTreeMap<String, Value>);

impl Params {
    /// Checks given values against the declared parameters, and fills in the defaults.
    ///
    /// # Errors
    /// All problems at once, a line each: unknown names, wrong types, values out of range.
    pub fn check(declared: &[Param], given: &Map<String, Value>) -> std::result::Result<Self, Vec<String>> {
        let mut problems = Vec::new();
        let mut values: BTreeMap<_, _> = declared.iter().map(|param| (param.name.clone(), param.default())).collect();
        for (name, value) in given {
            match declared.iter().find(|param| param.name == *name).map(|param| param.check(value)) {
                Some(Ok(value)) => _ = values.insert(name.clone(), value),
                Some(Err(problem)) => problems.push(problem),
                None => {
                    let known: Vec<_> = declared.iter().map(|param| param.name.as_str()).collect();
                    problems.push(format!("{name}: no such parameter, needed one of {}", known.join(", ")));
                }
            }
        }
        if problems.is_empty() { Ok(Self(values)) } else { Err(problems) }
    }

    /// Checks a JSON object as it crosses the boundary.
    ///
    /// # Errors
    /// [`code::PARAMS`](crate::code::PARAMS) with all problems.
    pub fn from_json(declared: &[Param], json: &str) -> Result<Self> {
        let given = if json.is_empty() { Ok(Map::new()) } else { serde_json::from_str(json) };
        let given = given.map_err(|error| PluginError::params(format!("parameters are no JSON object: {error}")))?;
        Self::check(declared, &given).map_err(|problems| PluginError::params(problems.join("; ")))
    }

    /// All values by name.
    pub fn values(&self) -> &BTreeMap<String, Value> {
        &self.0
    }

    /// A number.
    ///
    /// # Errors
    /// [`code::PARAMS`](crate::code::PARAMS) when no number of that name is declared.
    pub fn float(&self, name: &str) -> Result<f64> {
        self.get(name, Value::as_f64)
    }

    /// A whole number.
    ///
    /// # Errors
    /// [`code::PARAMS`](crate::code::PARAMS) when no whole number of that name is declared.
    pub fn int(&self, name: &str) -> Result<i64> {
        self.get(name, Value::as_i64)
    }

    /// A whole number that counts something.
    ///
    /// # Errors
    /// [`code::PARAMS`](crate::code::PARAMS) when no whole number of that name is declared, or it is negative.
    pub fn count(&self, name: &str) -> Result<usize> {
        self.get(name, |value| value.as_u64().and_then(|count| usize::try_from(count).ok()))
    }

    /// On or off.
    ///
    /// # Errors
    /// [`code::PARAMS`](crate::code::PARAMS) when no flag of that name is declared.
    pub fn flag(&self, name: &str) -> Result<bool> {
        self.get(name, Value::as_bool)
    }

    /// A word.
    ///
    /// # Errors
    /// [`code::PARAMS`](crate::code::PARAMS) when no word of that name is declared.
    pub fn choice(&self, name: &str) -> Result<&str> {
        self.0
            .get(name)
            .and_then(Value::as_str)
            .ok_or_else(|| PluginError::params(format!("{name} is declared as no word")))
    }

    /// A list of whole numbers.
    ///
    /// # Errors
    /// [`code::PARAMS`](crate::code::PARAMS) when no list of that name is declared.
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
    fn numbers_of_a_language_model_are_read_as_what_they_are() {
        let params = check(json!({"leaves": 31.0, "rate": "0.1"})).unwrap();
        assert_eq!((params.int("leaves").unwrap(), params.float("rate").unwrap()), (31, 0.1));
    }

    #[test]
    fn all_problems_are_named_at_once() {
        let problems = check(json!({"leaves": 1.5, "rate": 2, "depth": 3, "kind": "rf", "layers": [0]})).unwrap_err();
        assert_eq!(
            problems,
            [
                "depth: no such parameter, needed one of leaves, rate, kind, balanced, layers",
                "kind: found \"rf\", needed one of gbdt, dart",
                "layers: found [0], needed at most 4 whole numbers from 1 to 4096",
                "leaves: found 1.5, needed a whole number from 2 to 255",
                "rate: found 2, needed a number from 0.0001 to 1",
            ]
        );
    }

    #[test]
    fn every_place_of_the_search_is_allowed() {
        for param in declared() {
            for step in 0..=1000 {
                let value = param.at(f64::from(step) / 1000.0);
                assert_eq!(param.check(&value), Ok(value.clone()), "{}", param.name);
            }
        }
    }

    #[test]
    fn a_declaration_survives_the_boundary() {
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
