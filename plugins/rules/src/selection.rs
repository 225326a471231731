//! Which proposals become rules, and in which order: half of them the strongest of what trees propose, half the conditions
//! that halves of the time agree on. What promises most is rarely what comes up again.
//!
//! A single condition's stability is the share of the halves that list it, none where none does; a pair's is the share of
//! the subsamples whose trees propose it, thresholds a decile apart at most.

use std::collections::{BTreeMap, BTreeSet};

use oculus_plugin_api::prelude::*;

use crate::binning::{Deciles, Split};
use crate::evidence::{Judge, standard_error};
use crate::forest::Splits;
use crate::row_set::RowSet;
use crate::stability::Steady;

/// A proposal that may become a rule.
pub(crate) struct Rule {
    splits: Splits,
    rows: RowSet,
    /// Lower bound of the precision: the mean of the rule's own and of those beside it.
    bound: f64,
    stability: f64,
}

impl Rule {
    /// The rule in words that a host understands.
    pub(crate) fn to_mined_rule(&self, table: &Table<'_>, deciles: &Deciles) -> MinedRule {
        let conditions = self.splits.iter().map(|&split| deciles.condition(split, table)).collect();
        MinedRule { conditions, stability: Some(self.stability) }
    }

    fn duplicates(&self, other: &Self) -> bool {
        self.rows.is_mostly(&other.rows) || is_same(&self.splits, &other.splits)
    }
}

/// Makes a list of rules.
pub(crate) struct Selection<'a> {
    /// Columns in deciles.
    pub(crate) deciles: &'a Deciles,
    /// Who judges.
    pub(crate) judge: &'a Judge<'a>,
}

impl Selection<'_> {
    /// Keeps, thins out and ranks; the highest bound first.
    ///
    /// # Errors
    /// Cancellation.
    pub(crate) fn select(
        &self,
        proposals: &BTreeMap<Splits, Vec<usize>>,
        steady: &[Steady],
        ctx: &Ctx<'_, '_>,
    ) -> Result<Vec<Rule>> {
        let recipe = self.judge.recipe;
        let shares: BTreeMap<Split, f64> = steady.iter().map(|found| (found.split, found.stability)).collect();
        let mut proposed = Vec::new();
        for splits in proposals.keys() {
            ctx.check()?;
            let frequency = n_near(splits, proposals) as f64 / recipe.n_subsamples as f64;
            if frequency >= recipe.min_frequency {
                let stability =
                    if let [split] = splits[..] { shares.get(&split).copied().unwrap_or(0.0) } else { frequency };
                proposed.extend(self.rule(splits.clone(), stability));
            }
        }
        let recurring = steady.iter().filter(|found| found.stability >= recipe.min_frequency);
        let steadiest = recurring.filter_map(|found| self.rule(vec![found.split], found.stability)).collect();
        let n_strong = recipe.max_rules.div_ceil(2);
        let mut rules = thinned(by_bound(proposed), n_strong);
        for rule in thinned(steadiest, recipe.max_rules - n_strong) {
            if rules.iter().all(|other| other.splits != rule.splits) {
                rules.push(rule);
            }
        }
        Ok(by_bound(rules))
    }

    /// These conditions as a rule; `None` for what is none.
    fn rule(&self, splits: Splits, stability: f64) -> Option<Rule> {
        let sides: Vec<&RowSet> = splits.iter().map(|&split| self.deciles.rows(split)).collect();
        let rows = sides[1..].iter().fold(sides[0].clone(), |rows, side| rows.and(side));
        let bound = self.is_rule(&rows, &sides).then(|| self.bound_around(&splits))?;
        Some(Rule { splits, rows, bound, stability })
    }

    /// Whether a rule holds neither rarely nor always, is better than chance and, of two conditions, than each.
    fn is_rule(&self, rows: &RowSet, sides: &[&RowSet]) -> bool {
        let judge = self.judge;
        let n_rows = self.judge.n_rows() as f64;
        let precision = judge.counts(rows).precision();
        let n_occasions = judge.n_occasions(rows);
        let error = standard_error(precision, n_occasions as f64);
        let is_beaten = |parent: &&RowSet| precision - judge.counts(parent).precision() >= error;
        judge.recipe.is_usual(rows.len() as f64 / n_rows)
            && n_occasions >= judge.recipe.min_occasions
            && (sides.len() == 1 || sides.iter().all(is_beaten))
            && judge.bound(rows) > judge.hits.len() as f64 / n_rows
    }

    /// Mean bound of the rule and of those with thresholds a decile beside: one good threshold among bad ones is luck.
    fn bound_around(&self, splits: &Splits) -> f64 {
        let beside = |split: &Split| {
            let n_edges = self.deciles.0[split.column_idx].edges.len();
            let edges = split.edge_idx.saturating_sub(1)..(split.edge_idx + 2).min(n_edges);
            edges.map(|edge_idx| self.deciles.rows(Split { edge_idx, ..*split }).clone()).collect::<Vec<_>>()
        };
        let mut around = beside(&splits[0]);
        for split in &splits[1..] {
            let sides = beside(split);
            around = around.iter().flat_map(|rows| sides.iter().map(|side| rows.and(side))).collect();
        }
        let bounds: Vec<f64> = around.iter().filter(|rows| rows.len() > 0).map(|rows| self.judge.bound(rows)).collect();
        bounds.iter().sum::<f64>() / bounds.len() as f64
    }
}

/// Stable: of equal bounds what came first.
fn by_bound(mut rules: Vec<Rule>) -> Vec<Rule> {
    rules.sort_by(|a, b| b.bound.total_cmp(&a.bound));
    rules
}

/// Subsamples that proposed these conditions, thresholds a decile apart at most.
fn n_near(splits: &Splits, proposals: &BTreeMap<Splits, Vec<usize>>) -> usize {
    let first = splits[0];
    let from = Split { edge_idx: first.edge_idx.saturating_sub(1), ..first };
    let to = Split { edge_idx: first.edge_idx + 2, ..first };
    let near = proposals.range(vec![from]..vec![to]).filter(|(other, _)| is_same(splits, other));
    near.flat_map(|(_, seen)| seen).collect::<BTreeSet<_>>().len()
}

/// The first so many, without those that say the same as one before.
fn thinned(rules: Vec<Rule>, n_rules: usize) -> Vec<Rule> {
    let mut kept: Vec<Rule> = Vec::new();
    for rule in rules {
        if kept.len() < n_rules && !kept.iter().any(|other| rule.duplicates(other)) {
            kept.push(rule);
        }
    }
    kept
}

/// Whether two rules have the same conditions with thresholds a decile apart at most.
fn is_same(splits: &Splits, others: &Splits) -> bool {
    let is_near = |(a, b): (&Split, &Split)| {
        (a.column_idx, a.side) == (b.column_idx, b.side) && a.edge_idx.abs_diff(b.edge_idx) <= 1
    };
    splits.len() == others.len() && splits.iter().zip(others).all(is_near)
}
