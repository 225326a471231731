//! Finds conditions that recur in random halves of the training time.
//!
//! The method is stability selection (Meinshausen & Bühlmann 2010) with complementary pairs of
//! halves (Shah & Samworth 2013).
//!
//! In: the binned columns, the labels, and the blocks of dates. Out: conditions, each with the
//! share of the halves that list it; thresholds one decile apart are treated as equal. Each half
//! makes its list independently. For each side of a column, the half selects the condition with the
//! highest bound. From these conditions it lists the best ones that share less than half of their
//! rows.

use std::collections::BTreeMap;

use oculus_plugin_api::prelude::*;

use crate::binning::{Deciles, Side, Split};
use crate::blocks::Blocks;
use crate::distinct;
use crate::evidence::{Counts, Evaluator};

/// Number of conditions that a half lists.
const N_LISTED: usize = 5;
/// Number of halves. They form pairs, and the two halves of a pair share no date.
const N_HALVES: usize = 100;
/// Maximum number of bins of a column.
const N_BINS: usize = 10;

/// A condition and the share of the halves that list it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct StableCondition {
    /// The condition, with the median of the listed thresholds.
    pub(crate) split: Split,
    /// Share of the halves that list the condition, from 0 to 1.
    pub(crate) stability: f64,
}

/// Returns the conditions that at least one half lists, the most stable first.
///
/// # Errors
/// Returns [`code::CANCELLED`](oculus_plugin_api::code::CANCELLED) if the host cancelled the call.
pub(crate) fn stable_conditions(
    deciles: &Deciles,
    evaluator: &Evaluator<'_>,
    blocks: &Blocks,
    ctx: &Ctx<'_, '_>,
) -> Result<Vec<StableCondition>> {
    // A half is evaluated by adding the counts of its blocks, so its rows are not read again.
    let tables = CountsByBlock::from_columns(deciles, evaluator, blocks);
    let mut listed: BTreeMap<(usize, Side), Vec<usize>> = BTreeMap::new();
    for half in blocks.halves(N_HALVES) {
        ctx.check()?;
        let mut best: Vec<(f64, Split)> =
            tables.iter().flat_map(|table| table.best_per_side(&half, evaluator)).collect();
        // The sort is stable, so a tie of bounds keeps the order of the columns.
        best.sort_by(|a, b| b.0.total_cmp(&a.0));
        for split in without_overlap(&best, deciles) {
            listed.entry((split.column_idx, split.side)).or_default().push(split.edge_idx);
        }
    }
    let mut found: Vec<StableCondition> =
        listed.into_iter().map(|((column_idx, side), edges)| merge_edges(column_idx, side, edges)).collect();
    found.sort_by(|a, b| b.stability.total_cmp(&a.stability));
    Ok(found)
}

/// Returns the first [`N_LISTED`] conditions that each share less than half of their rows with
/// every condition before.
fn without_overlap(best: &[(f64, Split)], deciles: &Deciles) -> Vec<Split> {
    let mut kept: Vec<Split> = Vec::new();
    for &(_, split) in best {
        if kept.len() == N_LISTED {
            break;
        }
        if !kept.iter().any(|&other| deciles.rows(split).overlaps_mostly(deciles.rows(other))) {
            kept.push(split);
        }
    }
    kept
}

/// Merges the thresholds that the halves list for one side of a column: returns the median, and the
/// share of the halves whose threshold is at most one decile from the median.
fn merge_edges(column_idx: usize, side: Side, mut edges: Vec<usize>) -> StableCondition {
    edges.sort_unstable();
    // For an even number of thresholds, this is the upper median, so that the result is a listed
    // threshold.
    let edge_idx = edges[edges.len() / 2];
    let n_near = edges.iter().filter(|edge| edge.abs_diff(edge_idx) <= 1).count();
    StableCondition { split: Split { column_idx, side, edge_idx }, stability: n_near as f64 / N_HALVES as f64 }
}

/// Counts of each bin of a column in each block.
struct CountsByBlock {
    column_idx: usize,
    n_edges: usize,
    counts: Vec<[Counts; N_BINS]>,
}

impl CountsByBlock {
    /// Counts the rows of each distinct column.
    fn from_columns(deciles: &Deciles, evaluator: &Evaluator<'_>, blocks: &Blocks) -> Vec<Self> {
        let mut is_hit = vec![false; evaluator.n_rows()];
        evaluator.hits.indices().for_each(|idx| is_hit[idx] = true);
        let count = |column_idx: usize| {
            let column = &deciles.0[column_idx];
            let mut counts = vec![[Counts::default(); N_BINS]; blocks.n_blocks()];
            for ((&bin, &block), &hit) in column.bins.iter().zip(blocks.row_blocks()).zip(&is_hit) {
                counts[block][usize::from(bin)] += Counts { n_held: 1, n_hits: usize::from(hit) };
            }
            Self { column_idx, n_edges: column.edges.len(), counts }
        };
        distinct::columns(deciles).into_iter().map(count).collect()
    }

    /// Returns, for each side, the condition with the highest bound on the blocks of a half. A side
    /// has no result if no condition is above the base rate.
    fn best_per_side(&self, half: &[usize], evaluator: &Evaluator<'_>) -> Vec<(f64, Split)> {
        let mut bins = [Counts::default(); N_BINS];
        half.iter().for_each(|&block| bins.iter_mut().zip(self.counts[block]).for_each(|(bin, more)| *bin += more));
        let all = sum(&bins);
        let best = |side| {
            let conditions = (0..self.n_edges).filter_map(|edge_idx| {
                let (below, above) = bins.split_at(edge_idx + 1);
                let held = sum(if side == Side::AtMost { below } else { above });
                let bound = evaluator.bound_by_rows(held, all)?;
                Some((bound, Split { column_idx: self.column_idx, side, edge_idx }))
            });
            // `max_by` returns the last maximum, so the highest edge is selected if bounds are
            // equal.
            conditions.max_by(|a, b| a.0.total_cmp(&b.0))
        };
        [Side::AtMost, Side::Above].into_iter().filter_map(best).collect()
    }
}

fn sum(bins: &[Counts]) -> Counts {
    bins.iter().fold(Counts::default(), |mut sum, &bin| {
        sum += bin;
        sum
    })
}
