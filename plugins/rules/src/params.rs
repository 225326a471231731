//! What can be set.

use oculus_plugin_api::prelude::*;

/// Who the extractor is and what it takes.
pub(crate) fn manifest() -> Manifest {
    Manifest::new("rules", env!("CARGO_PKG_VERSION"))
        .named(["RuleExtractor"])
        .role(Role::Rules)
        .prefixed("rules_")
        .param(Param::int("max_rules", 20).range(1, 100).help("rules at most"))
        .param(Param::int("n_subsamples", 20).range(2, 200).help("parts of the training time that trees are grown on"))
        .param(Param::int("n_columns", 5).range(2, 1000).help("columns that a tree sees"))
        .param(
            Param::float("min_support", 0.03).range(0.005, 0.5).help("share of the rows that a rule holds on at least"),
        )
        .param(
            Param::float("max_support", 0.5).range(0.05, 0.95).help("share of the rows that a rule holds on at most"),
        )
        .param(Param::int("min_occasions", 10).range(1, 1000).help("occasions, a label's memory apart, at least"))
        .param(
            Param::float("min_frequency", 0.05)
                .range(0.0, 1.0)
                .help("share of the parts that a rule comes up in at least"),
        )
}

/// The parameters of one call, each in its own type.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Recipe {
    /// Rules at most.
    pub(crate) max_rules: usize,
    /// Parts of the training time.
    pub(crate) n_subsamples: usize,
    /// Columns that a tree sees.
    pub(crate) n_columns: usize,
    /// Share of the rows that a rule holds on at least.
    pub(crate) min_support: f64,
    /// Share of the rows that a rule holds on at most.
    pub(crate) max_support: f64,
    /// Occasions at least.
    pub(crate) min_occasions: usize,
    /// Share of the parts that a rule comes up in at least.
    pub(crate) min_frequency: f64,
}

impl Recipe {
    /// Whether a rule may hold on this share of the rows.
    pub(crate) fn is_usual(&self, support: f64) -> bool {
        (self.min_support..=self.max_support).contains(&support)
    }

    /// Reads parameters of the [`manifest`].
    ///
    /// # Errors
    /// [`code::PARAMS`](oculus_plugin_api::code::PARAMS) where no support lies between the least and the most.
    pub(crate) fn new(params: &Params) -> Result<Self> {
        let min_support = params.float("min_support")?;
        let max_support = params.float("max_support")?;
        if min_support >= max_support {
            return Err(PluginError::params(format!(
                "min_support {min_support} needs to be below max_support {max_support}"
            )));
        }
        Ok(Self {
            max_rules: params.count("max_rules")?,
            n_subsamples: params.count("n_subsamples")?,
            n_columns: params.count("n_columns")?,
            min_support,
            max_support,
            min_occasions: params.count("min_occasions")?,
            min_frequency: params.float("min_frequency")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use oculus_plugin_api::code;

    use super::*;

    fn recipe(json: &str) -> Result<Recipe> {
        Recipe::new(&Params::from_json(&manifest().params, json)?)
    }

    #[test]
    fn parameters_that_leave_no_rule_are_refused_by_name() {
        assert_eq!(recipe("{}").unwrap().max_rules, 20);
        let refused = [
            (r#"{"min_support": 0.4, "max_support": 0.3}"#, "min_support 0.4"),
            (r#"{"max_rules": 0}"#, "max_rules"),
            (r#"{"n_columns": 1}"#, "n_columns"),
            (r#"{"min_frequency": 2}"#, "min_frequency"),
        ];
        for (json, named) in refused {
            let error = recipe(json).unwrap_err();
            assert_eq!(error.code, code::PARAMS, "{json}");
            assert!(error.message.contains(named), "{error:?}");
        }
    }
}
