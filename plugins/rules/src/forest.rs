//! Trees of two levels on subsamples, and the conditions on the way to their better nodes.
//!
//! In: columns in deciles, labels and scores, subsamples. Out: what was proposed, and in which subsamples. The
//! columns are shared out among the trees of a subsample anew each time, so that every column is seen once in each. Half of
//! the trees learn the label, half the scores, where there are enough.

use std::collections::BTreeMap;

use oculus_plugin_api::prelude::*;
use serde::Deserialize;
use smartcore::linalg::basic::matrix::DenseMatrix;
use smartcore::tree::decision_tree_regressor::{DecisionTreeRegressor, DecisionTreeRegressorParameters};

use crate::binning::{Deciles, Side, Split};
use crate::params::Recipe;
use crate::random::{self, Purpose};
use crate::row_set::RowSet;

/// Levels of nodes: the root, two and four.
const N_LEVELS: u16 = 3;
/// Rows that a tree is grown on at most: more hardly move a split at a decile.
const MOST_ROWS: usize = 4000;
/// Rows that a tree is grown on at least.
const LEAST_ROWS: usize = 100;

/// Conditions that hold together, one or two, ascending.
pub(crate) type Splits = Vec<Split>;

/// What trees are grown on.
pub(crate) struct Forest<'a> {
    deciles: &'a Deciles,
    /// Of each training row, the label and the score; NaN where there is none.
    targets: [Vec<f32>; 2],
    recipe: &'a Recipe,
    seed: u64,
}

impl<'a> Forest<'a> {
    /// Takes labels and scores of the training rows.
    pub(crate) fn new(deciles: &'a Deciles, task: &Task<'_>, scores: &[f32], recipe: &'a Recipe) -> Self {
        let of_rows = |values: &[f32]| task.train_rows.iter().map(|&row| values[row as usize]).collect();
        Self { deciles, targets: [of_rows(task.label), of_rows(scores)], recipe, seed: task.seed }
    }

    /// Grows all trees; the subsamples in which each conjunction was proposed, ascending.
    ///
    /// # Errors
    /// Cancellation, or what smartcore says.
    pub(crate) fn propose(&self, subsamples: &[RowSet], ctx: &Ctx<'_, '_>) -> Result<BTreeMap<Splits, Vec<usize>>> {
        let mut seen: BTreeMap<Splits, Vec<usize>> = BTreeMap::new();
        for (subsample_idx, subsample) in subsamples.iter().enumerate() {
            ctx.progress(subsample_idx as f64 / subsamples.len() as f64, "growing trees");
            let mut proposed = Vec::new();
            for target in &self.targets {
                let mut rows: Vec<usize> = subsample.places().filter(|&place| target[place].is_finite()).collect();
                if rows.len() < LEAST_ROWS {
                    continue;
                }
                random::draws(self.seed, Purpose::Rows, subsample_idx).shuffle(&mut rows);
                rows.truncate(MOST_ROWS);
                for columns in self.shares(subsample_idx) {
                    ctx.check()?;
                    proposed.extend(self.grow(&rows, target, &columns)?);
                }
            }
            proposed.sort_unstable();
            proposed.dedup();
            for splits in proposed {
                seen.entry(splits).or_default().push(subsample_idx);
            }
        }
        Ok(seen)
    }

    /// The columns of each tree of a subsample.
    fn shares(&self, subsample_idx: usize) -> Vec<Vec<usize>> {
        let mut columns: Vec<usize> = (0..self.deciles.0.len()).collect();
        random::draws(self.seed, Purpose::Columns, subsample_idx).shuffle(&mut columns);
        columns.chunks(self.recipe.n_columns).map(<[usize]>::to_vec).collect()
    }

    fn grow(&self, rows: &[usize], target: &[f32], columns: &[usize]) -> Result<Vec<Splits>> {
        let bins = |&column: &usize| rows.iter().map(move |&place| self.deciles.0[column].bins[place]);
        let values: Vec<u8> = columns.iter().flat_map(bins).collect();
        let x = DenseMatrix::new(rows.len(), columns.len(), values, true).map_err(PluginError::engine)?;
        let y: Vec<f32> = rows.iter().map(|&place| target[place]).collect();
        let least = ((self.recipe.min_support * rows.len() as f64) as usize).max(1);
        let parameters = DecisionTreeRegressorParameters {
            max_depth: Some(N_LEVELS),
            min_samples_leaf: least,
            min_samples_split: 2 * least,
            seed: Some(self.seed),
        };
        let tree = DecisionTreeRegressor::fit(&x, &y, parameters).map_err(PluginError::engine)?;
        Tree::from_fitted(&tree).map(|tree| tree.better_nodes(columns))
    }
}

/// What a tree of smartcore keeps to itself, as it writes it.
#[derive(Deserialize)]
struct Grown {
    tree_regressor: Tree,
}

#[derive(Deserialize)]
struct Tree {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    output: f64,
    split_feature: usize,
    split_value: Option<f64>,
    true_child: Option<usize>,
    false_child: Option<usize>,
}

impl Tree {
    fn from_fitted(tree: &impl serde::Serialize) -> Result<Self> {
        let written = serde_json::to_value(tree).map_err(PluginError::engine)?;
        serde_json::from_value(written).map(|grown: Grown| grown.tree_regressor).map_err(PluginError::engine)
    }

    /// The conditions on the way to each node whose mean is above the root's.
    fn better_nodes(&self, columns: &[usize]) -> Vec<Splits> {
        let mut better = Vec::new();
        let mut open: Vec<(usize, Splits)> = vec![(0, Vec::new())];
        while let Some((node_idx, way)) = open.pop() {
            let node = &self.nodes[node_idx];
            if !way.is_empty() && node.output > self.nodes[0].output {
                better.push(way.clone());
            }
            let Some(value) = node.split_value else { continue };
            let split = |side| Split { column_idx: columns[node.split_feature], side, edge_idx: value as usize };
            let children = [(node.true_child, Side::AtMost), (node.false_child, Side::Above)];
            open.extend(children.iter().filter_map(|&(child, side)| Some((child?, narrowed(&way, split(side))))));
        }
        better
    }
}

/// One condition more; of two on the same side of a column the narrower one stays.
fn narrowed(way: &[Split], split: Split) -> Splits {
    let is_wider = |other: &&Split| (other.column_idx, other.side) != (split.column_idx, split.side);
    let mut splits: Splits = way.iter().filter(is_wider).copied().chain([split]).collect();
    splits.sort_unstable();
    splits
}
