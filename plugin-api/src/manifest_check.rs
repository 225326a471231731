//! The check of a manifest, which a host runs before it offers the plugin to any job.
//!
//! In: a [`Manifest`]. Out: all problems, one line per problem. Invariant: no manifest causes a
//! panic, because third parties write them.

use std::collections::BTreeSet;

use crate::{Manifest, Param, ParamKind, Search};

/// One line per problem of a manifest.
type Problems = Vec<String>;

impl Manifest {
    /// Checks the format of id and version, the names, and the declaration of every parameter.
    ///
    /// # Errors
    /// The error lists all problems, one line per problem.
    ///
    /// ```
    /// use oculus_plugin_api::{Manifest, Param};
    ///
    /// let manifest = Manifest::new("nearest", "1.2.0").param(Param::int("neighbours", 15).range(20, 500));
    /// assert_eq!(manifest.check().unwrap_err(), ["neighbours: default 15, expected a whole number from 20 to 500"]);
    /// ```
    pub fn check(&self) -> Result<(), Problems> {
        let mut problems = self.problems_of_names();
        let mut declared = BTreeSet::new();
        for param in &self.params {
            if !declared.insert(&param.name) {
                problems.push(format!("{}: declared more than once", param.name));
            }
            problems.extend(param.problems().into_iter().map(|problem| format!("{}: {problem}", param.name)));
        }
        let counts = [("rounds_param", &self.rounds_param), ("lookback_param", &self.lookback_param)];
        problems.extend(counts.into_iter().filter_map(|(field, name)| self.problem_of_count(field, name.as_deref()?)));
        if problems.is_empty() { Ok(()) } else { Err(problems) }
    }

    fn problems_of_names(&self) -> Problems {
        let mut problems = Vec::new();
        // The id becomes the name of a folder, so it must not contain path separators or `.`.
        let is_id = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if self.id.is_empty() || self.id.starts_with('-') || !self.id.chars().all(is_id) {
            problems.push(format!("id {:?}, expected lower-case letters, digits and `-`", self.id));
        }
        let numbers: Vec<_> = self.version.split('.').map(str::parse::<u64>).collect();
        if numbers.len() != 3 || numbers.iter().any(Result::is_err) {
            problems.push(format!("version {:?}, expected major.minor.patch, three whole numbers", self.version));
        }
        let texts = self.names.iter().chain(&self.devices).chain(&self.flag).chain(&self.prefix).chain(&self.saves_as);
        if texts.chain(self.params.iter().map(|param| &param.name)).any(|text| text.trim().is_empty()) {
            problems.push("an empty text among names, devices, flag, prefix, saves_as and parameters".to_owned());
        }
        // The extension becomes part of a file name.
        if let Some(extension) = self.saves_as.as_deref().filter(|it| !it.bytes().all(|b| b.is_ascii_alphanumeric())) {
            problems.push(format!("saves_as {extension:?}, expected letters and digits, such as txt"));
        }
        if self.devices.is_empty() {
            problems.push("no device, expected at least one, such as cpu".to_owned());
        }
        problems
    }

    /// Checks `rounds_param` or `lookback_param`, and returns the problem, if any. The field must
    /// name a whole-number parameter that is never negative.
    fn problem_of_count(&self, field: &str, name: &str) -> Option<String> {
        let declared = self.params.iter().find(|param| param.name == name);
        match declared.map(|param| &param.kind) {
            Some(ParamKind::Int { min, .. }) if *min >= 0 => None,
            Some(_) => Some(format!("{field} {name}: expected a whole number that is never below 0")),
            None => Some(format!("{field} {name}: the parameter is not declared")),
        }
    }
}

impl Param {
    fn problems(&self) -> Problems {
        let mut problems = self.problems_of_range();
        // An invalid range would reject every default, so the default is checked only if the range
        // is valid.
        if problems.is_empty() && self.check(&self.default()).is_err() {
            problems.push(format!("default {}, expected {}", self.default(), self.allowed()));
        }
        if let Some(search) = self.search {
            problems.extend(self.problem_of_search(search));
        }
        problems
    }

    fn problems_of_range(&self) -> Problems {
        let ordered = |is_ordered: bool, min: &dyn std::fmt::Display, max: &dyn std::fmt::Display| {
            (!is_ordered).then(|| format!("range from {min} to {max}, expected finite ends in order"))
        };
        let problem = match &self.kind {
            ParamKind::Int { min, max, .. } | ParamKind::Ints { min, max, .. } => ordered(min <= max, min, max),
            ParamKind::Float { min, max, .. } => ordered(min.is_finite() && max.is_finite() && min <= max, min, max),
            ParamKind::Choice { choices, .. } if choices.is_empty() => {
                Some("no choices, expected at least one".to_owned())
            }
            ParamKind::Choice { choices, .. } => {
                let distinct: BTreeSet<_> = choices.iter().collect();
                (distinct.len() < choices.len()).then(|| format!("choices {} repeat", choices.join(", ")))
            }
            ParamKind::Flag { .. } | ParamKind::Unknown => None,
        };
        problem.into_iter().collect()
    }

    fn problem_of_search(&self, search: Search) -> Option<String> {
        let Search { from, to, log } = search;
        // If the ends of an integer's searched range had fractions, rounding could yield integers
        // outside the range.
        let (min, max, is_whole) = match &self.kind {
            ParamKind::Int { min, max, .. } => (*min as f64, *max as f64, from.fract() == 0.0 && to.fract() == 0.0),
            ParamKind::Float { min, max, .. } => (*min, *max, true),
            ParamKind::Ints { .. } => return Some("a list cannot be searched".to_owned()),
            ParamKind::Choice { .. } | ParamKind::Flag { .. } | ParamKind::Unknown => return None,
        };
        let searched = format!("searched from {from} to {to}");
        if !search.is_usable() {
            let above = if log { ", above 0" } else { "" };
            return Some(format!("{searched}, expected finite ends in order{above}"));
        }
        if from < min || to > max || !is_whole {
            return Some(format!("{searched}, expected ends that are {}", self.allowed()));
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn manifest(params: impl IntoIterator<Item = Param>) -> Manifest {
        params.into_iter().fold(Manifest::new("third-party", "1.0.0"), Manifest::param)
    }

    fn problem(param: Param) -> String {
        let mut problems = manifest([param]).check().unwrap_err();
        assert_eq!(problems.len(), 1, "{problems:?}");
        problems.remove(0)
    }

    fn invalid() -> Vec<(Param, &'static str)> {
        let float = || Param::float("rate", 0.7).range(0.0, 5.0);
        vec![
            (float().search(2.0, 0.5), "rate: searched from 2 to 0.5, expected finite ends in order"),
            (float().search_log(0.0, 2.0), "rate: searched from 0 to 2, expected finite ends in order, above 0"),
            (float().search(f64::NAN, 2.0), "rate: searched from NaN to 2, expected finite ends in order"),
            (float().search(0.5, 6.0), "rate: searched from 0.5 to 6, expected ends that are a number from 0 to 5"),
            (Param::float("rate", 0.7).search(-1e308, 1e308), "rate: searched from -1000"),
            (Param::float("rate", 7.0).range(0.0, 5.0), "rate: default 7.0, expected a number from 0 to 5"),
            (Param::float("rate", 1.0).range(5.0, 0.0), "rate: range from 5 to 0, expected finite ends in order"),
            (Param::float("rate", 1.0).range(0.0, f64::INFINITY), "rate: range from 0 to inf, expected finite"),
            (Param::int("n", 3).range(9, 1), "n: range from 9 to 1, expected finite ends in order"),
            (Param::int("n", 3).range(1, 9).search(0.5, 4.5), "n: searched from 0.5 to 4.5, expected ends that are"),
            (Param::choice("kind", "a", []), "kind: no choices, expected at least one"),
            (Param::choice("kind", "a", []).search_all(), "kind: no choices, expected at least one"),
            (Param::choice("kind", "c", ["a", "b"]), "kind: default \"c\", expected one of a, b"),
            (Param::choice("kind", "a", ["a", "a"]), "kind: choices a, a repeat"),
            (Param::ints("sizes", [1, 99], (1, 50), 4), "sizes: default [1,99], expected at most 4 whole numbers"),
            (Param::ints("sizes", [1], (1, 50), 4).search_all(), "sizes: a list cannot be searched"),
        ]
    }

    #[test]
    fn an_invalid_declaration_is_reported_with_its_parameter() {
        for (param, expected) in invalid() {
            let found = problem(param);
            assert!(found.starts_with(expected), "{found}");
        }
    }

    #[test]
    fn no_declaration_causes_a_panic_in_the_search() {
        for (param, _) in invalid() {
            for unit in [0.0, 0.3, 1.0, -1.0, f64::NAN, f64::INFINITY] {
                assert_eq!(param.at(unit).is_null(), param.default().is_null(), "{param:?} at {unit}");
            }
        }
        let valid = Param::float("rate", 0.7).range(0.0, 5.0).search(1.0, 2.0);
        assert_eq!(valid.at(f64::NAN), json!(1.0));
    }

    #[test]
    fn id_version_names_and_devices_are_checked() {
        let problems = Manifest {
            id: "../Up".to_owned(),
            names: vec![" ".to_owned()],
            devices: vec![],
            ..Manifest::new("x", "one.2")
        };
        let problems = problems.check().unwrap_err();
        assert_eq!(problems.len(), 4, "{problems:?}");
        assert!(
            problems[0].starts_with("id \"../Up\", expected") && problems[1].starts_with("version \"one.2\", expected")
        );
    }

    #[test]
    fn rounds_and_lookback_must_be_declared_as_counts() {
        let rates = manifest([Param::float("rate", 0.5), Param::int("back", 3).range(-3, 9)]);
        let problems = rates.rounds_param("rate").lookback_param("back").check().unwrap_err();
        let expected = "expected a whole number that is never below 0";
        assert_eq!(problems, [format!("rounds_param rate: {expected}"), format!("lookback_param back: {expected}")]);
        let absent = manifest([]).rounds_param("epochs").check().unwrap_err();
        assert_eq!(absent, ["rounds_param epochs: the parameter is not declared"]);
        let counts = manifest([Param::int("epochs", 30).range(1, 99)]);
        assert_eq!(counts.rounds_param("epochs").check(), Ok(()));
    }

    #[test]
    fn a_name_declared_twice_is_reported() {
        let twice = manifest([Param::flag("balanced", false), Param::int("balanced", 1)]);
        assert_eq!(twice.check().unwrap_err(), ["balanced: declared more than once"]);
    }

    #[test]
    fn a_parameter_type_of_a_later_version_is_accepted() {
        let later: Param = serde_json::from_str(r#"{"name": "kernel", "type": "matrix", "shape": [2]}"#).unwrap();
        assert_eq!(manifest([later]).check(), Ok(()));
    }
}
