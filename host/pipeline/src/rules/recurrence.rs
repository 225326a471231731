//! Whether a rule came up again in a mining of other rows.
//!
//! Thresholds move a little with the rows, so two rules are the same where they put the same comparisons on the same
//! features and hold on mostly the same rows: a Jaccard similarity of at least a half.

use super::{
    book::{Clause, Conjunction},
    candidate::Candidate,
};
use crate::features::FeatureTable;

/// Rows on which both hold, as a share of those on which one does, from which on two rules are the same.
const MIN_JACCARD: f64 = 0.5;

/// The rule among those of a mining that is the same as `rule`; of several the one that holds on most of its rows.
///
/// * `rows`: what the mining learnt from, and what the likeness is counted on.
pub(super) fn found_again<'m>(
    table: &FeatureTable,
    rule: &Conjunction,
    among: &'m [Candidate],
    rows: &[u32],
) -> Option<&'m Conjunction> {
    let mut best: Option<(f64, &Conjunction)> = None;
    for other in among.iter().map(|candidate| &candidate.rule).filter(|other| comparisons(other) == comparisons(rule)) {
        let likeness = jaccard(table, rule, other, rows);
        if likeness >= MIN_JACCARD && best.is_none_or(|(most, _)| likeness > most) {
            best = Some((likeness, other));
        }
    }
    best.map(|(_, other)| other)
}

/// Whether two rules hold on mostly the same rows, whatever they compare.
pub(super) fn says_the_same(table: &FeatureTable, one: &Conjunction, other: &Conjunction, rows: &[u32]) -> bool {
    jaccard(table, one, other, rows) >= MIN_JACCARD
}

/// What is compared and how, whatever the thresholds and the order.
fn comparisons(rule: &Conjunction) -> Vec<(usize, &'static str)> {
    let comparison = |clause: &Clause| (clause.feature_idx, clause.operator.sign());
    let mut comparisons: Vec<_> = rule.0.iter().map(comparison).collect();
    comparisons.sort_unstable();
    comparisons
}

/// 0 where neither ever holds.
fn jaccard(table: &FeatureTable, one: &Conjunction, other: &Conjunction, rows: &[u32]) -> f64 {
    let (mut n_both, mut n_either) = (0_u32, 0_u32);
    for &row in rows {
        let holds = (one.holds(table, row), other.holds(table, row));
        n_both += u32::from(holds.0 && holds.1);
        n_either += u32::from(holds.0 || holds.1);
    }
    f64::from(n_both) / f64::from(n_either.max(1))
}
