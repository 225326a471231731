//! Which proposals become rules, in which order, and how stable each is.
//!
//! The same selection runs on all training rows and on each subsample; the share of the subsamples whose selection has a
//! rule, thresholds a decile apart at most, is the rule's stability (stability selection: Meinshausen and Bühlmann 2010).

use std::collections::BTreeMap;

use oculus_plugin_api::prelude::*;

use crate::binning::{Deciles, Split};
use crate::evidence::{Counts, Judge, standard_error, wilson_lower};
use crate::forest::Splits;
use crate::row_set::RowSet;

/// Share of common rows, of those that either rule holds on, from which two rules say the same.
const SAME_ROWS: f64 = 0.5;

/// A rule with its stability.
pub struct Rule {
    splits: Splits,
    stability: f64,
}

impl Rule {
    /// The rule in words that a host understands.
    pub fn spoken(&self, table: &Table<'_>, deciles: &Deciles) -> MinedRule {
        let conditions = self.splits.iter().map(|&split| deciles.condition(split, table)).collect();
        MinedRule { conditions, stability: Some(self.stability) }
    }
}

/// A proposal with all that does not depend on the subsample.
struct Candidate {
    splits: Splits,
    /// Its conditions, by their place among all.
    parts: Vec<usize>,
    rows: RowSet,
    /// Occasions a row.
    occasions_a_row: f64,
}

/// Keeps, ranks and thins out proposals; the best first.
///
/// # Errors
/// Cancellation.
pub fn select(
    proposals: &BTreeMap<Splits, usize>,
    deciles: &Deciles,
    judge: &Judge<'_>,
    subsamples: &[RowSet],
    ctx: &Ctx<'_, '_>,
) -> Result<Vec<Rule>> {
    let mut conditions: Vec<Split> = proposals.keys().flatten().copied().collect();
    conditions.sort_unstable();
    conditions.dedup();
    let sides: Vec<RowSet> = conditions.iter().map(|&split| deciles.rows(split)).collect();
    let candidates = candidates(proposals, &conditions, &sides, judge);
    let mut lists = Vec::new();
    for subsample in subsamples {
        ctx.check()?;
        lists.push(selected(&candidates, &sides, judge, subsample));
    }
    let all = RowSet::of(deciles.0[0].bins.len(), |_| true);
    let rules = selected(&candidates, &sides, judge, &all).into_iter().map(|idx| {
        let splits = candidates[idx].splits.clone();
        let comes_up = |list: &&Vec<usize>| list.iter().any(|&other| is_same(&splits, &candidates[other].splits));
        let stability = lists.iter().filter(comes_up).count() as f64 / lists.len() as f64;
        Rule { splits, stability }
    });
    Ok(rules.filter(|rule| rule.stability >= judge.recipe.min_frequency).collect())
}

fn candidates(
    proposals: &BTreeMap<Splits, usize>,
    conditions: &[Split],
    sides: &[RowSet],
    judge: &Judge<'_>,
) -> Vec<Candidate> {
    let candidate = |splits: &Splits| {
        let parts: Vec<usize> = splits.iter().filter_map(|split| conditions.binary_search(split).ok()).collect();
        let rows = parts[1..].iter().fold(sides[parts[0]].clone(), |rows, &part| rows.and(&sides[part]));
        let n_occasions = judge.n_occasions(&rows);
        let occasions_a_row = n_occasions as f64 / rows.len().max(1) as f64;
        let enough = n_occasions >= judge.recipe.min_occasions;
        enough.then(|| Candidate { splits: splits.clone(), parts, rows, occasions_a_row })
    };
    proposals.keys().filter_map(candidate).collect()
}

/// The rules of some rows, the best first.
fn selected(candidates: &[Candidate], sides: &[RowSet], judge: &Judge<'_>, rows: &RowSet) -> Vec<usize> {
    let hits = rows.and(&judge.hits);
    let counts = |held: &RowSet| Counts { n_held: held.n_common(rows), n_hits: held.n_common(&hits) };
    let all = Counts { n_held: rows.len(), n_hits: hits.len() };
    let parents: Vec<Counts> = sides.iter().map(counts).collect();
    let mut ranked: Vec<(f64, usize)> = Vec::new();
    for (idx, candidate) in candidates.iter().enumerate() {
        let own = counts(&candidate.rows);
        let parents: Vec<Counts> = candidate.parts.iter().map(|&part| parents[part]).collect();
        ranked.extend(rank(candidate, own, &parents, (all, judge)).map(|rank| (rank, idx)));
    }
    ranked.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    let mut kept: Vec<usize> = Vec::new();
    for (_, idx) in ranked {
        if kept.len() == judge.recipe.max_rules {
            break;
        }
        if !kept.iter().any(|&other| says_the_same(&candidates[idx].rows, &candidates[other].rows)) {
            kept.push(idx);
        }
    }
    kept
}

/// Lower bound of the precision; `None` for what is no rule.
fn rank(candidate: &Candidate, own: Counts, parents: &[Counts], (all, judge): (Counts, &Judge<'_>)) -> Option<f64> {
    let support = own.n_held as f64 / all.n_held as f64;
    let recipe = judge.recipe;
    if !(recipe.min_support..=recipe.max_support).contains(&support) {
        return None;
    }
    let n = own.n_held as f64 * candidate.occasions_a_row;
    let precision = own.precision();
    let better = |parent: &Counts| precision - parent.precision() >= standard_error(precision, n);
    if parents.len() > 1 && !parents.iter().all(better) {
        return None;
    }
    Some(wilson_lower(precision, n)).filter(|&bound| bound > all.precision())
}

fn says_the_same(rows: &RowSet, others: &RowSet) -> bool {
    let n_common = rows.n_common(others);
    let n_either = rows.len() + others.len() - n_common;
    n_common as f64 >= SAME_ROWS * n_either as f64
}

/// Whether two rules have the same conditions with thresholds a decile apart at most.
fn is_same(splits: &Splits, others: &Splits) -> bool {
    let is_near = |(a, b): (&Split, &Split)| {
        (a.column_idx, a.side) == (b.column_idx, b.side) && a.edge_idx.abs_diff(b.edge_idx) <= 1
    };
    splits.len() == others.len() && splits.iter().zip(others).all(is_near)
}
