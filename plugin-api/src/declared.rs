//! Whether a plugin's account of itself can be worked with: a host asks before it offers the plugin to any job.
//!
//! In: a [`Manifest`]. Out: every problem, a line each. No panic, whatever it says: a third party wrote it.

use std::collections::BTreeSet;

use crate::{Manifest, Param, ParamKind, Search};

type Problems = Vec<String>;

impl Manifest {
    /// Whether a host can work with this: the form of id and version, names, and every parameter's declaration.
    ///
    /// # Errors
    /// All problems at once, a line each.
    ///
    /// ```
    /// use oculus_plugin_api::{Manifest, Param};
    ///
    /// let manifest = Manifest::new("nearest", "1.2.0").param(Param::int("neighbours", 15).range(20, 500));
    /// assert_eq!(manifest.check().unwrap_err(), ["neighbours: default 15, needed a whole number from 20 to 500"]);
    /// ```
    pub fn check(&self) -> Result<(), Problems> {
        let mut problems = self.problems_of_names();
        let mut seen = BTreeSet::new();
        for param in &self.params {
            if !seen.insert(&param.name) {
                problems.push(format!("{}: declared more than once", param.name));
            }
            problems.extend(param.problems().into_iter().map(|problem| format!("{}: {problem}", param.name)));
        }
        let roles = [("rounds_param", &self.rounds_param), ("lookback_param", &self.lookback_param)];
        problems.extend(roles.into_iter().filter_map(|(role, name)| self.problem_of_count(role, name.as_deref()?)));
        if problems.is_empty() { Ok(()) } else { Err(problems) }
    }

    fn problems_of_names(&self) -> Problems {
        let mut problems = Vec::new();
        let is_id = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if self.id.is_empty() || self.id.starts_with('-') || !self.id.chars().all(is_id) {
            problems.push(format!("id {:?}, needed lower-case letters, digits and `-`", self.id));
        }
        let numbers: Vec<_> = self.version.split('.').map(str::parse::<u64>).collect();
        if numbers.len() != 3 || numbers.iter().any(Result::is_err) {
            problems.push(format!("version {:?}, needed major.minor.patch, three whole numbers", self.version));
        }
        let words = self.names.iter().chain(&self.devices).chain(&self.flag).chain(&self.prefix).chain(&self.saves_as);
        if words.chain(self.params.iter().map(|param| &param.name)).any(|word| word.trim().is_empty()) {
            problems.push("an empty word among names, devices, flag, prefix and parameters".to_owned());
        }
        if let Some(extension) = self.saves_as.as_deref().filter(|it| !it.bytes().all(|b| b.is_ascii_alphanumeric())) {
            problems.push(format!("saves_as {extension:?}, needed letters and digits, such as txt"));
        }
        if self.devices.is_empty() {
            problems.push("no device, needed at least one, such as cpu".to_owned());
        }
        problems
    }

    /// What the host sets or reads as a count must be one.
    fn problem_of_count(&self, role: &str, name: &str) -> Option<String> {
        let declared = self.params.iter().find(|param| param.name == name);
        match declared.map(|param| &param.kind) {
            Some(ParamKind::Int { min, .. }) if *min >= 0 => None,
            Some(_) => Some(format!("{role} {name}: needed a whole number that is never below 0")),
            None => Some(format!("{role} {name}: no such parameter is declared")),
        }
    }
}

impl Param {
    fn problems(&self) -> Problems {
        let mut problems = self.problems_of_range();
        // A default against ends that make no sense would only repeat them.
        if problems.is_empty() && self.check(&self.default()).is_err() {
            problems.push(format!("default {}, needed {}", self.default(), self.allowed()));
        }
        if let Some(search) = self.search {
            problems.extend(self.problem_of_search(search));
        }
        problems
    }

    fn problems_of_range(&self) -> Problems {
        let ordered = |is_ordered: bool, min: &dyn std::fmt::Display, max: &dyn std::fmt::Display| {
            (!is_ordered).then(|| format!("range from {min} to {max}, needed finite ends in order"))
        };
        let problem = match &self.kind {
            ParamKind::Int { min, max, .. } | ParamKind::Ints { min, max, .. } => ordered(min <= max, min, max),
            ParamKind::Float { min, max, .. } => ordered(min.is_finite() && max.is_finite() && min <= max, min, max),
            ParamKind::Choice { choices, .. } if choices.is_empty() => {
                Some("no choices, needed at least one".to_owned())
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
        let (min, max, is_whole) = match &self.kind {
            ParamKind::Int { min, max, .. } => (*min as f64, *max as f64, from.fract() == 0.0 && to.fract() == 0.0),
            ParamKind::Float { min, max, .. } => (*min, *max, true),
            ParamKind::Ints { .. } => return Some("a list is never searched".to_owned()),
            ParamKind::Choice { .. } | ParamKind::Flag { .. } | ParamKind::Unknown => return None,
        };
        let searched = format!("searched from {from} to {to}");
        if !search.is_usable() {
            let above = if log { ", above 0" } else { "" };
            return Some(format!("{searched}, needed finite ends in order{above}"));
        }
        if from < min || to > max || !is_whole {
            return Some(format!("{searched}, needed ends that are {}", self.allowed()));
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

    fn broken() -> Vec<(Param, &'static str)> {
        let float = || Param::float("rate", 0.7).range(0.0, 5.0);
        vec![
            (float().search(2.0, 0.5), "rate: searched from 2 to 0.5, needed finite ends in order"),
            (float().search_log(0.0, 2.0), "rate: searched from 0 to 2, needed finite ends in order, above 0"),
            (float().search(f64::NAN, 2.0), "rate: searched from NaN to 2, needed finite ends in order"),
            (float().search(0.5, 6.0), "rate: searched from 0.5 to 6, needed ends that are a number from 0 to 5"),
            (Param::float("rate", 0.7).search(-1e308, 1e308), "rate: searched from -1000"),
            (Param::float("rate", 7.0).range(0.0, 5.0), "rate: default 7.0, needed a number from 0 to 5"),
            (Param::float("rate", 1.0).range(5.0, 0.0), "rate: range from 5 to 0, needed finite ends in order"),
            (Param::float("rate", 1.0).range(0.0, f64::INFINITY), "rate: range from 0 to inf, needed finite"),
            (Param::int("n", 3).range(9, 1), "n: range from 9 to 1, needed finite ends in order"),
            (Param::int("n", 3).range(1, 9).search(0.5, 4.5), "n: searched from 0.5 to 4.5, needed ends that are"),
            (Param::choice("kind", "a", []), "kind: no choices, needed at least one"),
            (Param::choice("kind", "a", []).search_all(), "kind: no choices, needed at least one"),
            (Param::choice("kind", "c", ["a", "b"]), "kind: default \"c\", needed one of a, b"),
            (Param::choice("kind", "a", ["a", "a"]), "kind: choices a, a repeat"),
            (Param::ints("sizes", [1, 99], (1, 50), 4), "sizes: default [1,99], needed at most 4 whole numbers"),
            (Param::ints("sizes", [1], (1, 50), 4).search_all(), "sizes: a list is never searched"),
        ]
    }

    #[test]
    fn a_declaration_that_makes_no_sense_is_named() {
        for (param, needed) in broken() {
            let found = problem(param);
            assert!(found.starts_with(needed), "{found}");
        }
    }

    #[test]
    fn no_declaration_makes_a_search_panic() {
        for (param, _) in broken() {
            for unit in [0.0, 0.3, 1.0, -1.0, f64::NAN, f64::INFINITY] {
                assert_eq!(param.at(unit).is_null(), param.default().is_null(), "{param:?} at {unit}");
            }
        }
        let sound = Param::float("rate", 0.7).range(0.0, 5.0).search(1.0, 2.0);
        assert_eq!(sound.at(f64::NAN), json!(1.0));
    }

    #[test]
    fn who_it_is_must_be_well_formed() {
        let problems = Manifest {
            id: "../Up".to_owned(),
            names: vec![" ".to_owned()],
            devices: vec![],
            ..Manifest::new("x", "one.2")
        };
        let problems = problems.check().unwrap_err();
        assert_eq!(problems.len(), 4, "{problems:?}");
        assert!(
            problems[0].starts_with("id \"../Up\", needed") && problems[1].starts_with("version \"one.2\", needed")
        );
    }

    #[test]
    fn counts_that_the_host_sets_are_declared_as_whole_numbers() {
        let rates = manifest([Param::float("rate", 0.5), Param::int("back", 3).range(-3, 9)]);
        let problems = rates.rounds_param("rate").lookback_param("back").check().unwrap_err();
        let needed = "needed a whole number that is never below 0";
        assert_eq!(problems, [format!("rounds_param rate: {needed}"), format!("lookback_param back: {needed}")]);
        let absent = manifest([]).rounds_param("epochs").check().unwrap_err();
        assert_eq!(absent, ["rounds_param epochs: no such parameter is declared"]);
        let counts = manifest([Param::int("epochs", 30).range(1, 99)]);
        assert_eq!(counts.rounds_param("epochs").check(), Ok(()));
    }

    #[test]
    fn one_name_is_declared_once() {
        let twice = manifest([Param::flag("balanced", false), Param::int("balanced", 1)]);
        assert_eq!(twice.check().unwrap_err(), ["balanced: declared more than once"]);
    }

    #[test]
    fn a_parameter_type_of_a_later_version_is_no_problem() {
        let later: Param = serde_json::from_str(r#"{"name": "kernel", "type": "matrix", "shape": [2]}"#).unwrap();
        assert_eq!(manifest([later]).check(), Ok(()));
    }
}
