//! Grows trees of two levels on subsamples, and reads conditions from the paths to nodes whose mean
//! is above the mean of the root.
//!
//! In: the binned columns, the labels, the scores, and the subsamples. Out: the proposed
//! conditions, each with the subsamples that proposed it. In each subsample, the columns are
//! distributed randomly among the trees, so that each column is used by exactly one tree. Half of
//! the trees predict the label. The other half predict the scores, if enough rows have a score.

use std::collections::BTreeMap;

use oculus_plugin_api::prelude::*;
use serde::Deserialize;
use smartcore::linalg::basic::matrix::DenseMatrix;
use smartcore::tree::decision_tree_regressor::{DecisionTreeRegressor, DecisionTreeRegressorParameters};

use crate::binning::{Deciles, Side, Split};
use crate::params::Settings;
use crate::random::{self, Purpose};
use crate::row_set::RowSet;

/// Number of levels of nodes, as smartcore counts them: the root, its two children and its four
/// grandchildren.
const N_LEVELS: u16 = 3;
/// Maximum number of rows for a tree: more rows hardly change which decile a split uses.
const MAX_ROWS: usize = 4000;
/// Minimum number of rows for a tree.
const MIN_ROWS: usize = 100;

/// A conjunction of one or two splits, in ascending order.
pub(crate) type Splits = Vec<Split>;

/// The inputs of the trees.
pub(crate) struct Forest<'a> {
    deciles: &'a Deciles,
    /// The labels and the scores of the training rows. NaN marks a row without a score.
    targets: [Vec<f32>; 2],
    settings: &'a Settings,
    seed: u64,
}

impl<'a> Forest<'a> {
    /// Copies labels and scores of the training rows.
    pub(crate) fn new(deciles: &'a Deciles, task: &Task<'_>, scores: &[f32], settings: &'a Settings) -> Self {
        let train_values = |values: &[f32]| task.train_rows.iter().map(|&row| values[row as usize]).collect();
        Self { deciles, targets: [train_values(task.label), train_values(scores)], settings, seed: task.seed }
    }

    /// Grows all trees. Returns, for each proposed conjunction, the indices of the subsamples that
    /// proposed it, ascending.
    ///
    /// # Errors
    /// Returns [`code::CANCELLED`](oculus_plugin_api::code::CANCELLED) if the host cancelled the
    /// call, and [`code::ENGINE`](oculus_plugin_api::code::ENGINE) if smartcore fails.
    pub(crate) fn propose(&self, subsamples: &[RowSet], ctx: &Ctx<'_, '_>) -> Result<BTreeMap<Splits, Vec<usize>>> {
        // A `BTreeMap` is used because the order is part of the result, and `selection` searches by
        // range.
        let mut proposals: BTreeMap<Splits, Vec<usize>> = BTreeMap::new();
        for (subsample_idx, subsample) in subsamples.iter().enumerate() {
            ctx.progress(subsample_idx as f64 / subsamples.len() as f64, "growing trees");
            let mut proposed = Vec::new();
            for target in &self.targets {
                let mut rows: Vec<usize> = subsample.indices().filter(|&idx| target[idx].is_finite()).collect();
                if rows.len() < MIN_ROWS {
                    continue;
                }
                random::draws(self.seed, Purpose::Rows, subsample_idx).shuffle(&mut rows);
                rows.truncate(MAX_ROWS);
                for columns in self.columns_per_tree(subsample_idx) {
                    ctx.check()?;
                    proposed.extend(self.grow(&rows, target, &columns)?);
                }
            }
            // A subsample counts once per conjunction, even if several of its trees propose this
            // conjunction.
            proposed.sort_unstable();
            proposed.dedup();
            for splits in proposed {
                proposals.entry(splits).or_default().push(subsample_idx);
            }
        }
        Ok(proposals)
    }

    /// Distributes the columns among the trees of a subsample.
    fn columns_per_tree(&self, subsample_idx: usize) -> Vec<Vec<usize>> {
        let mut columns: Vec<usize> = (0..self.deciles.0.len()).collect();
        random::draws(self.seed, Purpose::Columns, subsample_idx).shuffle(&mut columns);
        columns.chunks(self.settings.n_columns).map(<[usize]>::to_vec).collect()
    }

    /// Grows one tree and returns the conditions of its better nodes.
    fn grow(&self, rows: &[usize], target: &[f32], columns: &[usize]) -> Result<Vec<Splits>> {
        let bins = |&column: &usize| rows.iter().map(move |&idx| self.deciles.0[column].bins[idx]);
        let values: Vec<u8> = columns.iter().flat_map(bins).collect();
        let x = DenseMatrix::new(rows.len(), columns.len(), values, true).map_err(PluginError::engine)?;
        let y: Vec<f32> = rows.iter().map(|&idx| target[idx]).collect();
        let min_leaf_rows = ((self.settings.min_support * rows.len() as f64) as usize).max(1);
        let parameters = DecisionTreeRegressorParameters {
            max_depth: Some(N_LEVELS),
            min_samples_leaf: min_leaf_rows,
            min_samples_split: 2 * min_leaf_rows,
            seed: Some(self.seed),
        };
        let tree = DecisionTreeRegressor::fit(&x, &y, parameters).map_err(PluginError::engine)?;
        Tree::from_fitted(&tree).map(|tree| tree.better_nodes(columns))
    }
}

/// A fitted tree in smartcore's serialised form. The fields of smartcore's own type are private, so
/// its JSON is the only access to the nodes.
#[derive(Deserialize)]
struct SerialisedTree {
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
    /// Reads the nodes of a fitted tree of smartcore.
    fn from_fitted(tree: &impl serde::Serialize) -> Result<Self> {
        let written = serde_json::to_value(tree).map_err(PluginError::engine)?;
        serde_json::from_value(written).map(|fitted: SerialisedTree| fitted.tree_regressor).map_err(PluginError::engine)
    }

    /// Returns the conditions on the path to each node whose mean is above the root's.
    fn better_nodes(&self, columns: &[usize]) -> Vec<Splits> {
        let mut better = Vec::new();
        let mut open: Vec<(usize, Splits)> = vec![(0, Vec::new())];
        // The order of the nodes does not matter, because `propose` sorts the conjunctions.
        while let Some((node_idx, path)) = open.pop() {
            let node = &self.nodes[node_idx];
            if !path.is_empty() && node.output > self.nodes[0].output {
                better.push(path.clone());
            }
            let Some(value) = node.split_value else { continue };
            // smartcore's threshold is between two bins. The truncated threshold is the index of
            // the lower bin, and also of that bin's upper edge.
            let split = |side| Split { column_idx: columns[node.split_feature], side, edge_idx: value as usize };
            let children = [(node.true_child, Side::AtMost), (node.false_child, Side::Above)];
            open.extend(children.iter().filter_map(|&(child, side)| Some((child?, narrowed(&path, split(side))))));
        }
        better
    }
}

/// Adds a condition to a path. If the path already has a condition on the same side of the column,
/// the new condition replaces it. The new condition is deeper in the tree, so it is narrower.
fn narrowed(path: &[Split], split: Split) -> Splits {
    let is_kept = |other: &&Split| (other.column_idx, other.side) != (split.column_idx, split.side);
    let mut splits: Splits = path.iter().filter(is_kept).copied().chain([split]).collect();
    splits.sort_unstable();
    splits
}
