//! Conditions that halves of the training time choose again and again (stability selection:
//! Meinshausen & Bühlmann 2010, in complementary pairs of halves by Shah & Samworth 2013).
//!
//! In: columns in deciles, labels, blocks of dates. Out: conditions with the share of the halves
//! whose own list has them, thresholds a decile apart counting as the same. Each half makes its
//! list as if there were no other: of each side of a column the threshold of the highest bound, of
//! these the best few that share less than half of their rows.

use std::collections::BTreeMap;

use oculus_plugin_api::prelude::*;

use crate::binning::{Deciles, Side, Split};
use crate::blocks::Blocks;
use crate::distinct;
use crate::evidence::{Counts, Judge};

/// Conditions that a half lists.
const N_LISTED: usize = 5;
/// Halves, in pairs that share no date.
const N_HALVES: usize = 100;
/// Bins of a column at most.
const N_BINS: usize = 10;

/// A condition and the share of the halves that list it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Steady {
    /// The condition; its threshold is the median of those listed.
    pub(crate) split: Split,
    /// From 0 to 1.
    pub(crate) stability: f64,
}

/// The conditions that any half lists, the steadiest first.
///
/// # Errors
/// Cancellation.
pub(crate) fn steady(deciles: &Deciles, judge: &Judge<'_>, blocks: &Blocks, ctx: &Ctx<'_, '_>) -> Result<Vec<Steady>> {
    let tables = CountsByBlock::all(deciles, judge, blocks);
    let mut listed: BTreeMap<(usize, Side), Vec<usize>> = BTreeMap::new();
    for half in blocks.halves(N_HALVES) {
        ctx.check()?;
        let mut best: Vec<(f64, Split)> = tables.iter().flat_map(|table| table.best_of_sides(&half, judge)).collect();
        // Stable: of equal bounds the first column's.
        best.sort_by(|a, b| b.0.total_cmp(&a.0));
        for split in unlike(&best, deciles) {
            listed.entry((split.column_idx, split.side)).or_default().push(split.edge_idx);
        }
    }
    let mut found: Vec<Steady> =
        listed.into_iter().map(|((column_idx, side), edges)| agreed(column_idx, side, edges)).collect();
    found.sort_by(|a, b| b.stability.total_cmp(&a.stability));
    Ok(found)
}

/// The first few that share less than half of their rows.
fn unlike(best: &[(f64, Split)], deciles: &Deciles) -> Vec<Split> {
    let mut kept: Vec<Split> = Vec::new();
    for &(_, split) in best {
        if kept.len() == N_LISTED {
            break;
        }
        if !kept.iter().any(|&other| deciles.rows(split).is_mostly(deciles.rows(other))) {
            kept.push(split);
        }
    }
    kept
}

/// The median threshold, and how many halves list one a decile from it at most.
fn agreed(column_idx: usize, side: Side, mut edges: Vec<usize>) -> Steady {
    edges.sort_unstable();
    let edge_idx = edges[edges.len() / 2];
    let n_near = edges.iter().filter(|edge| edge.abs_diff(edge_idx) <= 1).count();
    Steady { split: Split { column_idx, side, edge_idx }, stability: n_near as f64 / N_HALVES as f64 }
}

/// What each bin of a column holds in each block.
struct CountsByBlock {
    column_idx: usize,
    n_edges: usize,
    counts: Vec<[Counts; N_BINS]>,
}

impl CountsByBlock {
    /// Counts each distinct column.
    fn all(deciles: &Deciles, judge: &Judge<'_>, blocks: &Blocks) -> Vec<Self> {
        let mut is_hit = vec![false; judge.n_rows()];
        judge.hits.places().for_each(|place| is_hit[place] = true);
        let of_column = |column_idx: usize| {
            let column = &deciles.0[column_idx];
            let mut counts = vec![[Counts::default(); N_BINS]; blocks.n_blocks()];
            for ((&bin, &block), &hit) in column.bins.iter().zip(blocks.of_rows()).zip(&is_hit) {
                counts[block][usize::from(bin)] += Counts { n_held: 1, n_hits: usize::from(hit) };
            }
            Self { column_idx, n_edges: column.edges.len(), counts }
        };
        distinct::columns(deciles).into_iter().map(of_column).collect()
    }

    /// Of each side the condition of the highest bound in some blocks, where one is better than the base rate.
    fn best_of_sides(&self, half: &[usize], judge: &Judge<'_>) -> Vec<(f64, Split)> {
        let mut bins = [Counts::default(); N_BINS];
        half.iter().for_each(|&block| bins.iter_mut().zip(self.counts[block]).for_each(|(bin, more)| *bin += more));
        let all = sum(&bins);
        let best = |side| {
            let conditions = (0..self.n_edges).filter_map(|edge_idx| {
                let (below, above) = bins.split_at(edge_idx + 1);
                let held = sum(if side == Side::AtMost { below } else { above });
                let bound = judge.bound_by_rows(held, all)?;
                Some((bound, Split { column_idx: self.column_idx, side, edge_idx }))
            });
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
