//! Rules as a strategy follows them: conditions on columns of the feature table, per side and per
//! period.
//!
//! These types depend on no other module of the rule stage. Invariant of [`RuleSet`]: the lists of
//! a fold were mined from that fold's training rows alone, so they may be followed on the fold's
//! validation rows. The final lists were mined from all development rows, so they may be followed
//! in the test period only.

use oculus_plugin_api::Operator;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::features::FeatureTable;

/// The decision that a rule supports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RuleSide {
    /// Open a position. The target is the label: a rise of `threshold_pct`.
    Entry,
    /// Close a position. The target is a fall of `threshold_pct` at the end of the label's
    /// horizon.
    Exit,
}

/// One value for entry rules and one for exit rules.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PerSide<T> {
    /// Value of the entry side.
    pub entry: T,
    /// Value of the exit side.
    pub exit: T,
}

impl<T> PerSide<T> {
    /// Calls `make` once per side, entry first.
    pub fn from_fn(mut make: impl FnMut(RuleSide) -> T) -> Self {
        let entry = make(RuleSide::Entry);
        let exit = make(RuleSide::Exit);
        Self { entry, exit }
    }

    /// Converts the value of each side, entry first.
    pub fn map<U>(self, mut convert: impl FnMut(RuleSide, T) -> U) -> PerSide<U> {
        let entry = convert(RuleSide::Entry, self.entry);
        let exit = convert(RuleSide::Exit, self.exit);
        PerSide { entry, exit }
    }

    /// Returns the value of one side.
    pub fn get(&self, side: RuleSide) -> &T {
        match side {
            RuleSide::Entry => &self.entry,
            RuleSide::Exit => &self.exit,
        }
    }
}

/// A comparison of one column with a threshold.
///
/// Features are `f32`, so the threshold is an `f32` too: as `f64`, 0.1 would differ from the
/// feature value 0.1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RuleCondition {
    /// Column of the feature table.
    pub feature_idx: usize,
    /// Comparison operator.
    pub operator: Operator,
    /// Value that the column is compared with.
    pub threshold: f32,
}

impl RuleCondition {
    /// Returns whether a value meets the condition; NaN never does.
    pub fn holds(&self, value: f32) -> bool {
        self.operator.holds(f64::from(value), f64::from(self.threshold))
    }
}

/// One or more conditions, all of which must hold.
#[derive(Clone, Debug, PartialEq)]
pub struct Conjunction(pub Vec<RuleCondition>);

impl Conjunction {
    /// Returns whether all conditions hold on a row; a NaN value never meets a condition.
    pub fn holds(&self, table: &FeatureTable, row: u32) -> bool {
        self.0.iter().all(|condition| condition.holds(table.column(condition.feature_idx)[row as usize]))
    }
}

/// A list of mined rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RuleListName {
    /// The rules that recur most often across samples of the rows.
    Stable,
    /// The first rules of the extractor, which have the highest lift.
    HighLift,
}

/// The ranked rules of one mining run, best first; a rule may be in both lists.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RuleLists {
    /// The rules that recur most often across samples of the rows.
    pub stable: Vec<Conjunction>,
    /// The first rules of the extractor, which have the highest lift.
    pub high_lift: Vec<Conjunction>,
}

impl RuleLists {
    /// Returns one list.
    pub fn get(&self, name: RuleListName) -> &[Conjunction] {
        match name {
            RuleListName::Stable => &self.stable,
            RuleListName::HighLift => &self.high_lift,
        }
    }
}

/// All rules that a strategy may follow.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RuleSet {
    /// The job's own rules whose feature exists.
    pub job: PerSide<Vec<Conjunction>>,
    /// Lists mined from the training rows of each fold, in fold order.
    pub folds: Vec<PerSide<RuleLists>>,
    /// Lists mined from all development rows.
    pub last: PerSide<RuleLists>,
}
