//! Rules as a strategy uses them: conditions on columns of the feature table, of each side and each part of the time.
//!
//! Invariant: what stands under a fold was mined from that fold's training rows alone, so it may be followed on the
//! rows that the fold holds back; what was mined from all development rows may be followed on the test only.

use oculus_plugin_api::Operator;
use serde::Serialize;

use super::truth::RuleSide;
use crate::features::FeatureTable;

/// One condition on one column. Features are `f32`, so the threshold is taken as one too: what equals it as written
/// would else lie beside it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Clause {
    /// Column of the feature table.
    pub feature_idx: usize,
    /// How its value is compared.
    pub operator: Operator,
    /// With what.
    pub threshold: f32,
}

impl Clause {
    /// Whether a value meets the condition; NaN meets none.
    pub fn holds(&self, value: f32) -> bool {
        self.operator.holds(f64::from(value), f64::from(self.threshold))
    }
}

/// Conditions that hold together; at least one.
#[derive(Clone, Debug, PartialEq)]
pub struct Conjunction(pub Vec<Clause>);

impl Conjunction {
    /// Whether all conditions hold on a row; NaN meets none.
    pub fn holds(&self, table: &FeatureTable, row: u32) -> bool {
        self.0.iter().all(|clause| clause.holds(table.column(clause.feature_idx)[row as usize]))
    }
}

/// Something of entries and the same of exits.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Sides<T> {
    /// Of entries.
    pub entry: T,
    /// Of exits.
    pub exit: T,
}

impl<T> Sides<T> {
    /// Makes it of each side, entries first.
    pub fn of(mut make: impl FnMut(RuleSide) -> T) -> Self {
        Self { entry: make(RuleSide::Entry), exit: make(RuleSide::Exit) }
    }

    /// That of one side.
    pub fn get(&self, side: RuleSide) -> &T {
        match side {
            RuleSide::Entry => &self.entry,
            RuleSide::Exit => &self.exit,
        }
    }
}

/// Mined rules, the best of each list first; a rule may be in both.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Lists {
    /// Those that come up again and again.
    pub stable: Vec<Conjunction>,
    /// Those that promise most.
    pub high_lift: Vec<Conjunction>,
}

/// All rules of a job.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RuleBook {
    /// The job's own that resolve.
    pub job: Sides<Vec<Conjunction>>,
    /// Mined from the training rows of each fold, in the folds' order.
    pub folds: Vec<Sides<Lists>>,
    /// Mined from all development rows.
    pub last: Sides<Lists>,
}
