//! Which proposals become rules, in which order, and how stable each is.
//!
//! A rule's stability is the share of the subsamples whose trees proposed it, thresholds a decile apart at most. Half of
//! the rules are those of the highest bound, half those of the highest stability: what promises most is rarely what
//! comes up again.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use oculus_plugin_api::prelude::*;

use crate::binning::{Deciles, Split};
use crate::evidence::{Counts, Judge, standard_error, wilson_lower};
use crate::forest::Splits;
use crate::row_set::RowSet;

/// Share of common rows, of those that either rule holds on, from which two rules say the same.
const SAME_ROWS: f64 = 0.5;

/// A proposal that may become a rule.
pub struct Rule {
    splits: Splits,
    rows: RowSet,
    /// Lower bound of the precision.
    bound: f64,
    stability: f64,
    /// Subsamples that proposed exactly this.
    n_exact: usize,
}

impl Rule {
    /// The rule in words that a host understands.
    pub fn spoken(&self, table: &Table<'_>, deciles: &Deciles) -> MinedRule {
        let conditions = self.splits.iter().map(|&split| deciles.condition(split, table)).collect();
        MinedRule { conditions, stability: Some(self.stability) }
    }

    fn says_the_same(&self, other: &Self) -> bool {
        let n_common = self.rows.n_common(&other.rows);
        let n_either = self.rows.len() + other.rows.len() - n_common;
        n_common as f64 >= SAME_ROWS * n_either as f64 || is_same(&self.splits, &other.splits)
    }
}

/// Keeps, ranks and thins out proposals; the highest bound first.
///
/// # Errors
/// Cancellation.
pub fn select(
    proposals: &BTreeMap<Splits, Vec<usize>>,
    deciles: &Deciles,
    judge: &Judge<'_>,
    ctx: &Ctx<'_, '_>,
) -> Result<Vec<Rule>> {
    let recipe = judge.recipe;
    let mut rules = Vec::new();
    for (splits, seen) in proposals {
        ctx.check()?;
        let stability = n_near(splits, proposals) as f64 / recipe.n_subsamples as f64;
        if stability < recipe.min_frequency {
            continue;
        }
        let sides: Vec<RowSet> = splits.iter().map(|&split| deciles.rows(split)).collect();
        let rows = sides[1..].iter().fold(sides[0].clone(), |rows, side| rows.and(side));
        let bound = bound(&rows, &sides, judge);
        rules.extend(bound.map(|bound| Rule { splits: splits.clone(), rows, bound, stability, n_exact: seen.len() }));
    }
    // Stable: of equal rules the first columns'.
    rules.sort_by(|a, b| b.bound.total_cmp(&a.bound));
    let strongest: Vec<usize> = (0..rules.len()).collect();
    let mut steadiest = strongest.clone();
    steadiest.sort_by(|&a, &b| {
        let exact = |idx: usize| Reverse(rules[idx].n_exact);
        rules[b].stability.total_cmp(&rules[a].stability).then(exact(a).cmp(&exact(b)))
    });
    let n_strong = recipe.max_rules.div_ceil(2);
    let mut chosen: BTreeSet<usize> = thinned(&rules, &strongest, n_strong).into_iter().collect();
    chosen.extend(thinned(&rules, &steadiest, recipe.max_rules - n_strong));
    let chosen_rules = rules.into_iter().enumerate().filter(|(idx, _)| chosen.contains(idx));
    Ok(chosen_rules.map(|(_, rule)| rule).collect())
}

/// Subsamples that proposed these conditions, thresholds a decile apart at most.
fn n_near(splits: &Splits, proposals: &BTreeMap<Splits, Vec<usize>>) -> usize {
    let near = proposals.iter().filter(|(other, _)| is_same(splits, other));
    near.flat_map(|(_, seen)| seen).collect::<BTreeSet<_>>().len()
}

/// Lower bound of the precision on all training rows; `None` for what is no rule.
fn bound(rows: &RowSet, sides: &[RowSet], judge: &Judge<'_>) -> Option<f64> {
    let (n_rows, recipe) = (judge.n_rows() as f64, judge.recipe);
    let counts = |held: &RowSet| Counts { n_held: held.len(), n_hits: held.n_common(&judge.hits) };
    let own = counts(rows);
    let n_occasions = judge.n_occasions(rows);
    let is_usual = (recipe.min_support..=recipe.max_support).contains(&(own.n_held as f64 / n_rows));
    if !is_usual || n_occasions < recipe.min_occasions {
        return None;
    }
    let (precision, n) = (own.precision(), n_occasions as f64);
    let is_beaten = |parent: &RowSet| precision - counts(parent).precision() >= standard_error(precision, n);
    if sides.len() > 1 && !sides.iter().all(is_beaten) {
        return None;
    }
    Some(wilson_lower(precision, n)).filter(|&bound| bound > judge.hits.len() as f64 / n_rows)
}

/// The first so many, without those that say the same as one before.
fn thinned(rules: &[Rule], order: &[usize], n_rules: usize) -> Vec<usize> {
    let mut kept: Vec<usize> = Vec::new();
    for &idx in order {
        if kept.len() < n_rules && !kept.iter().any(|&other| rules[idx].says_the_same(&rules[other])) {
            kept.push(idx);
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
