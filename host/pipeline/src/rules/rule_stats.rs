//! Scores of rules as the result shows them.
//!
//! Leaf types of the rule stage. Invariant: a null figure has its reason next to it.

use serde::{Deserialize, Serialize};

use crate::metrics::{Finite, Interval, Reasons, Undefined};

/// What followed a condition. A null figure has its reason in `reasons`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RuleStats {
    /// Labelled rows; of several rules together, pairs of a rule and a row.
    pub n_rows: usize,
    /// Rows on which the condition held.
    pub support: usize,
    /// Groups of such rows more than the horizon apart, counted per symbol: occasions that share no
    /// bar of a symbol.
    pub episodes: usize,
    /// Share of hits among the rows on which it held.
    pub precision: Option<Finite>,
    /// Share of hits among all rows.
    pub base_rate: Option<Finite>,
    /// Precision divided by base rate.
    pub lift: Option<Finite>,
    /// 95 % interval of the lift: circular blocks of 2h whole dates, 1,000 draws.
    pub lift_ci95: Option<Interval>,
    /// Mean return over the horizon after such rows, in percent.
    pub mean_forward_return_pct: Option<Finite>,
    /// The symbols on which it held, in table order.
    pub per_symbol: Vec<SymbolRuleStats>,
    /// Why figures are null.
    #[serde(default, skip_serializing_if = "Reasons::is_empty")]
    pub reasons: Reasons,
}

/// What followed a condition on the rows of one symbol.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SymbolRuleStats {
    /// Ticker.
    pub symbol: String,
    /// Rows on which the condition held; at least one.
    pub support: usize,
    /// Share of hits among those rows.
    pub precision: Option<Finite>,
    /// Precision divided by the symbol's own base rate.
    pub lift: Option<Finite>,
    /// Why figures are null.
    #[serde(default, skip_serializing_if = "Reasons::is_empty")]
    pub reasons: Reasons,
}

/// The scores of both lists of one side.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SideListStats {
    /// Scores of the stable list.
    pub stable: RuleListStats,
    /// Scores of the high-lift list.
    pub high_lift: RuleListStats,
    /// Summary of each fold's run.
    pub folds: Vec<FoldMining>,
}

/// The scores of a list: figures over pairs of a rule and a row.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RuleListStats {
    /// Rules of the final list.
    pub n_rules: usize,
    /// Stats of every rule of every fold's list on the fold's validation rows: the value of the
    /// procedure.
    pub walk_forward: Option<RuleStats>,
    /// Stats of the final list on the rows that it was mined from.
    pub in_sample: Option<RuleStats>,
    /// Stats of the final list in the test period.
    pub test: Option<RuleStats>,
    /// Why something is null.
    #[serde(default, skip_serializing_if = "Reasons::is_empty")]
    pub reasons: Reasons,
}

/// Summary of the run on one fold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FoldMining {
    /// Number of rules found.
    pub n_rules: usize,
    /// Why no rule was found, if the extractor cannot learn from the fold's rows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl RuleListStats {
    /// Returns a list without figures, each with the reason.
    pub(super) fn unavailable(reason: &Undefined) -> Self {
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
