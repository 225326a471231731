//! The extractor's parameters.

use oculus_plugin_api::prelude::*;

/// Returns the manifest of the extractor.
pub(crate) fn manifest() -> Manifest {
    Manifest::new("rules", env!("CARGO_PKG_VERSION"))
        .named(["RuleExtractor"])
        .role(Role::Rules)
        .prefixed("rules_")
        .param(Param::int("max_rules", 20).range(1, 100).help("maximum number of rules"))
        .param(
            Param::int("n_subsamples", 20)
                .range(2, 200)
                .help("number of subsamples of the training dates; trees are grown on each subsample"),
        )
        .param(Param::int("n_columns", 5).range(2, 1000).help("number of columns per tree"))
        .param(
            Param::float("min_support", 0.03).range(0.005, 0.5).help("minimum share of the rows on which a rule holds"),
        )
        .param(
            Param::float("max_support", 0.5).range(0.05, 0.95).help("maximum share of the rows on which a rule holds"),
        )
        .param(
            Param::int("min_occasions", 10)
                .range(1, 1000)
                .help("minimum number of occasions on which a rule holds; occasions are so far apart that their labels are independent"),
        )
        .param(
            Param::float("min_frequency", 0.05)
                .range(0.0, 1.0)
                .help("minimum share of the subsamples that propose a rule"),
        )
}

/// The parameters of one call, as typed values.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Settings {
    /// Maximum number of rules.
    pub(crate) max_rules: usize,
    /// Number of subsamples of the training time.
    pub(crate) n_subsamples: usize,
    /// Number of columns per tree.
    pub(crate) n_columns: usize,
    /// Minimum share of the rows on which a rule holds.
    pub(crate) min_support: f64,
    /// Maximum share of the rows on which a rule holds.
    pub(crate) max_support: f64,
    /// Minimum number of occasions.
    pub(crate) min_occasions: usize,
    /// Minimum share of the subsamples that propose a rule, or of the halves that list a condition.
    pub(crate) min_frequency: f64,
}

impl Settings {
    /// Returns whether a rule may hold on this share of the rows.
    pub(crate) fn allows_support(&self, support: f64) -> bool {
        (self.min_support..=self.max_support).contains(&support)
    }

    /// Reads parameters of the [`manifest`].
    ///
    /// # Errors
    /// Returns [`code::PARAMS`](oculus_plugin_api::code::PARAMS) if the minimum support is not
    /// below the maximum.
    pub(crate) fn new(params: &Params) -> Result<Self> {
        let min_support = params.float("min_support")?;
        let max_support = params.float("max_support")?;
        if min_support >= max_support {
            return Err(PluginError::params(format!(
                "invalid min_support: found {min_support}, expected less than max_support {max_support}"
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

    fn settings(json: &str) -> Result<Settings> {
        Settings::new(&Params::from_json(&manifest().params, json)?)
    }

    #[test]
    fn parameters_that_allow_no_rule_are_rejected_by_name() {
        assert_eq!(settings("{}").unwrap().max_rules, 20);
        let invalid = [
            (r#"{"min_support": 0.4, "max_support": 0.3}"#, "min_support: found 0.4"),
            (r#"{"max_rules": 0}"#, "max_rules"),
            (r#"{"n_columns": 1}"#, "n_columns"),
            (r#"{"min_frequency": 2}"#, "min_frequency"),
        ];
        for (json, part) in invalid {
            let error = settings(json).unwrap_err();
            assert_eq!(error.code, code::PARAMS, "{json}");
            assert!(error.message.contains(part), "{error:?}");
        }
    }
}
