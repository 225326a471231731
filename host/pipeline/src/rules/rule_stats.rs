//! Scores of rules, as the result shows them.
//!
//! Invariant: a null figure has its reason next to it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::rule_set::RuleListName;
use crate::metrics::{Finite, Interval, Reasons, UndefinedError};

/// Figures of the returns that followed a condition. A null figure has its reason in `reasons`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RuleStats {
    /// Number of labelled rows; for several rules together, the number of pairs of a rule and a
    /// row.
    pub n_rows: usize,
    /// Number of rows on which the condition held.
    pub support: usize,
    /// Number of groups of rows on which the condition held. Groups are more than the horizon
    /// apart, and are counted per symbol. Two groups of one condition do not share a bar of a
    /// symbol; for a list, the number is the sum over its conditions.
    pub episodes: usize,
    /// Share of hits among the rows on which the condition held, 0 to 1; null if there are none.
    pub precision: Option<Finite>,
    /// Share of hits among all rows, 0 to 1; null without labelled rows.
    pub base_rate: Option<Finite>,
    /// Precision divided by base rate; null if one of them is null, or if the base rate is 0.
    pub lift: Option<Finite>,
    /// 95 % interval of the lift. It is never a single value, and its upper end is at most 1 / base
    /// rate; null if there are fewer dates than two blocks of twice the horizon, or if the
    /// condition held on every row.
    pub lift_ci95: Option<Interval>,
    /// Mean return over the horizon after the rows on which the condition held, in percent; null if
    /// there are none.
    pub mean_forward_return_pct: Option<Finite>,
    /// The symbols on which the condition held, in table order.
    pub per_symbol: Vec<SymbolRuleStats>,
    /// Reason for each null figure, by field name.
    #[serde(default, skip_serializing_if = "Reasons::is_empty")]
    pub reasons: Reasons,
}

/// Figures of the returns that followed a condition on the rows of one symbol.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SymbolRuleStats {
    /// Ticker of the symbol.
    pub symbol: String,
    /// Number of rows on which the condition held; at least one.
    pub support: usize,
    /// Share of hits among those rows; null without labelled rows.
    pub precision: Option<Finite>,
    /// Precision divided by the symbol's own base rate; null if the symbol has no hit.
    pub lift: Option<Finite>,
    /// Reason for each null figure, by field name.
    #[serde(default, skip_serializing_if = "Reasons::is_empty")]
    pub reasons: Reasons,
}

/// The scores of both lists of one side.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SideListStats {
    /// Scores of the stable list.
    pub stable: RuleListStats,
    /// Scores of the high-lift list.
    pub high_lift: RuleListStats,
    /// Summary of each fold's run.
    pub folds: Vec<FoldMining>,
}

/// The scores of a list, computed over pairs of a rule and a row.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RuleListStats {
    /// Number of rules in the final list.
    pub n_rules: usize,
    /// Stats of every rule in every fold's list, each computed on the validation rows of its fold.
    /// They measure the procedure that makes the lists. Null if the list is empty in every fold.
    pub walk_forward: Option<RuleStats>,
    /// Stats of the final list on the rows that it was mined from; null if the list is empty.
    pub in_sample: Option<RuleStats>,
    /// Stats of the final list in the test period; null if the list is empty.
    pub test: Option<RuleStats>,
    /// Reason for each null stat, by field name.
    #[serde(default, skip_serializing_if = "Reasons::is_empty")]
    pub reasons: Reasons,
}

/// Summary of the run on one fold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FoldMining {
    /// Number of rules that the extractor found, before the lists are shortened.
    pub n_rules: usize,
    /// Reason why no rule was found, if the fold's rows are too few or unsuitable for mining.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl SideListStats {
    /// Returns one list.
    pub fn get(&self, name: RuleListName) -> &RuleListStats {
        match name {
            RuleListName::Stable => &self.stable,
            RuleListName::HighLift => &self.high_lift,
        }
    }

    /// Returns the walk-forward stats of the first of some lists that has them, with its name. They
    /// are unselected: they contain every rule of every fold's list.
    ///
    /// # Errors
    /// Returns the reason of the first list if none of the lists has walk-forward stats.
    pub fn unselected(&self, names: &[RuleListName]) -> Result<(RuleListName, &RuleStats), UndefinedError> {
        let stats = |name: &RuleListName| Some((*name, self.get(*name).walk_forward.as_ref()?));
        let reason = || names.first().and_then(|name| self.get(*name).reasons.get("walk_forward"));
        names
            .iter()
            .find_map(stats)
            .ok_or_else(|| UndefinedError::because(reason().unwrap_or("the rule is not in a list")))
    }
}

impl RuleListStats {
    /// Returns a list whose figures are all null, with the reason.
    pub(super) fn unavailable(reason: &UndefinedError) -> Self {
        let mut reasons = Reasons::default();
        Self {
            n_rules: 0,
            walk_forward: reasons.value("walk_forward", Err(reason.clone())),
            in_sample: reasons.value("in_sample", Err(reason.clone())),
            test: reasons.value("test", Err(reason.clone())),
            reasons,
        }
    }
}
