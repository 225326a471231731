//! Selects and orders the rules. One half of the rules are the strongest proposals of the trees.
//! The other half are the most stable conditions.
//!
//! Both kinds of rules are needed, because the strongest proposals rarely recur in other periods.
//!
//! The stability of a single condition is the share of the halves of the training time that list
//! it. The stability of a pair is the share of the subsamples whose trees propose it, with
//! thresholds at most one decile apart.

use std::collections::{BTreeMap, BTreeSet};

use oculus_plugin_api::prelude::*;

use crate::binning::{Deciles, Split};
use crate::evidence::{Evaluator, standard_error};
use crate::forest::Splits;
use crate::row_set::RowSet;
use crate::stability::StableCondition;

/// A proposal that satisfies the limits on rules.
pub(crate) struct Rule {
    splits: Splits,
    rows: RowSet,
    /// Mean lower bound of the precision, over the rule and the rules with neighbouring thresholds.
    bound: f64,
    stability: f64,
}

impl Rule {
    /// Converts the rule to the type of the plugin API.
    pub(crate) fn to_mined_rule(&self, table: &Table<'_>, deciles: &Deciles) -> MinedRule {
        let conditions = self.splits.iter().map(|&split| deciles.condition(split, table)).collect();
        MinedRule { conditions, stability: Some(self.stability) }
    }

    /// Returns whether two rules are similar: they hold on mostly the same rows, or they have
    /// nearly the same conditions.
    fn duplicates(&self, other: &Self) -> bool {
        self.rows.overlaps_mostly(&other.rows) || is_same(&self.splits, &other.splits)
    }
}

/// Selects rules from proposals.
pub(crate) struct Selection<'a> {
    /// Binned columns.
    pub(crate) deciles: &'a Deciles,
    /// Evaluates rules on the training rows.
    pub(crate) evaluator: &'a Evaluator<'a>,
}

impl Selection<'_> {
    /// Filters the proposals, removes duplicates, and ranks the rest by their bounds, the highest
    /// first.
    ///
    /// # Errors
    /// Returns [`code::CANCELLED`](oculus_plugin_api::code::CANCELLED) if the host cancelled the
    /// call.
    pub(crate) fn select(
        &self,
        proposals: &BTreeMap<Splits, Vec<usize>>,
        stable: &[StableCondition],
        ctx: &Ctx<'_, '_>,
    ) -> Result<Vec<Rule>> {
        let settings = self.evaluator.settings;
        let shares: BTreeMap<Split, f64> = stable.iter().map(|found| (found.split, found.stability)).collect();
        let mut proposed = Vec::new();
        for splits in proposals.keys() {
            ctx.check()?;
            let frequency = n_near(splits, proposals) as f64 / settings.n_subsamples as f64;
            if frequency >= settings.min_frequency {
                let stability =
                    if let [split] = splits[..] { shares.get(&split).copied().unwrap_or(0.0) } else { frequency };
                proposed.extend(self.rule(splits.clone(), stability));
            }
        }
        let recurring = stable.iter().filter(|found| found.stability >= settings.min_frequency);
        let most_stable = recurring.filter_map(|found| self.rule(vec![found.split], found.stability)).collect();
        // If the maximum number of rules is odd, the list has one more strong proposal than it has
        // stable conditions.
        let n_strong = settings.max_rules.div_ceil(2);
        // Duplicates are removed after sorting, so that the better one of two similar rules is
        // kept.
        let mut rules = without_duplicates(by_bound(proposed), n_strong);
        for rule in without_duplicates(most_stable, settings.max_rules - n_strong) {
            // A condition that is both strong and stable is listed once. A strong rule and a
            // similar stable rule are both kept.
            if rules.iter().all(|other| other.splits != rule.splits) {
                rules.push(rule);
            }
        }
        Ok(by_bound(rules))
    }

    /// Builds a rule from a conjunction; `None` if the conjunction does not satisfy the limits on
    /// rules.
    fn rule(&self, splits: Splits, stability: f64) -> Option<Rule> {
        let sides: Vec<&RowSet> = splits.iter().map(|&split| self.deciles.rows(split)).collect();
        let rows = sides[1..].iter().fold(sides[0].clone(), |rows, side| rows.and(side));
        let bound = self.is_rule(&rows, &sides).then(|| self.bound_around(&splits))?;
        Some(Rule { splits, rows, bound, stability })
    }

    /// Returns whether a conjunction satisfies all limits on rules.
    ///
    /// Its support and its number of occasions are in range, and its bound is above the base rate.
    /// The precision of a pair also exceeds the precision of each of its conditions by at least one
    /// standard error.
    fn is_rule(&self, rows: &RowSet, sides: &[&RowSet]) -> bool {
        let evaluator = self.evaluator;
        let n_rows = self.evaluator.n_rows() as f64;
        let precision = evaluator.counts(rows).precision();
        let n_occasions = evaluator.n_occasions(rows);
        let error = standard_error(precision, n_occasions as f64);
        let is_improved = |parent: &&RowSet| precision - evaluator.counts(parent).precision() >= error;
        evaluator.settings.allows_support(rows.len() as f64 / n_rows)
            && n_occasions >= evaluator.settings.min_occasions
            && (sides.len() == 1 || sides.iter().all(is_improved))
            && evaluator.bound(rows) > evaluator.hits.len() as f64 / n_rows
    }

    /// Computes the mean bound of a rule and of the rules with neighbouring thresholds.
    ///
    /// The mean is low for a good threshold with bad neighbours, because such a threshold is
    /// probably good only by chance.
    fn bound_around(&self, splits: &Splits) -> f64 {
        let neighbours = |split: &Split| {
            let n_edges = self.deciles.0[split.column_idx].edges.len();
            let edges = split.edge_idx.saturating_sub(1)..(split.edge_idx + 2).min(n_edges);
            edges.map(|edge_idx| self.deciles.rows(Split { edge_idx, ..*split }).clone()).collect::<Vec<_>>()
        };
        let mut around = neighbours(&splits[0]);
        for split in &splits[1..] {
            let sides = neighbours(split);
            around = around.iter().flat_map(|rows| sides.iter().map(|side| rows.and(side))).collect();
        }
        let bounds: Vec<f64> =
            around.iter().filter(|rows| rows.len() > 0).map(|rows| self.evaluator.bound(rows)).collect();
        // The rule itself is one of its neighbours and holds on some rows, so the list is not
        // empty.
        bounds.iter().sum::<f64>() / bounds.len() as f64
    }
}

/// Sorts rules by their bounds, the highest first. The sort is stable, so rules with equal bounds
/// keep their order.
fn by_bound(mut rules: Vec<Rule>) -> Vec<Rule> {
    rules.sort_by(|a, b| b.bound.total_cmp(&a.bound));
    rules
}

/// Counts the subsamples that proposed these conditions with thresholds at most one decile apart.
fn n_near(splits: &Splits, proposals: &BTreeMap<Splits, Vec<usize>>) -> usize {
    let first = splits[0];
    let from = Split { edge_idx: first.edge_idx.saturating_sub(1), ..first };
    let to = Split { edge_idx: first.edge_idx + 2, ..first };
    // The map is ordered by the first condition, so this range contains every conjunction with a
    // near first threshold.
    let near = proposals.range(vec![from]..vec![to]).filter(|(other, _)| is_same(splits, other));
    near.flat_map(|(_, subsamples)| subsamples).collect::<BTreeSet<_>>().len()
}

/// Returns the first `n_rules` rules that are not a duplicate of an earlier rule.
fn without_duplicates(rules: Vec<Rule>, n_rules: usize) -> Vec<Rule> {
    let mut kept: Vec<Rule> = Vec::new();
    for rule in rules {
        if kept.len() < n_rules && !kept.iter().any(|other| rule.duplicates(other)) {
            kept.push(rule);
        }
    }
    kept
}

/// Returns whether two rules have equal conditions; thresholds at most one decile apart count as
/// equal.
fn is_same(splits: &Splits, others: &Splits) -> bool {
    let is_near = |(a, b): (&Split, &Split)| {
        (a.column_idx, a.side) == (b.column_idx, b.side) && a.edge_idx.abs_diff(b.edge_idx) <= 1
    };
    splits.len() == others.len() && splits.iter().zip(others).all(is_near)
}
