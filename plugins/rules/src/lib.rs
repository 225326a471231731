//! A rule extractor (smartcore): it proposes the splits that recur in many small decision trees as
//! readable conditions.
//!
//! `params` declares the parameters. `binning` sorts the values of each column into deciles, and
//! `blocks` draws parts of the training time. `forest` grows trees on each part and reads
//! conditions from them. `evidence` evaluates a rule on some rows. `stability` finds the conditions
//! that recur in halves of the training time, among the columns that `distinct` keeps. `selection`
//! merges the conditions of `forest` and `stability` into one list. `row_set` and `random` are
//! helpers.
//!
//! Invariant: rules depend only on the training rows, their labels and scores, the parameters and
//! the seed.

mod binning;
mod blocks;
mod distinct;
mod evidence;
mod forest;
mod params;
mod random;
mod row_set;
mod selection;
mod stability;

use oculus_plugin_api::prelude::*;

use crate::binning::Deciles;
use crate::blocks::Blocks;
use crate::evidence::Evaluator;
use crate::forest::Forest;
use crate::params::Settings;
use crate::selection::Selection;

/// The rule extractor.
pub struct RuleExtractor;

impl Extractor for RuleExtractor {
    fn manifest() -> Manifest {
        params::manifest()
    }

    fn extract(
        table: &Table<'_>,
        task: &Task<'_>,
        scores: &[f32],
        params: &Params,
        ctx: &Ctx<'_, '_>,
    ) -> Result<Vec<MinedRule>> {
        task.needs_both_classes()?;
        let settings = Settings::new(params)?;
        let deciles = Deciles::new(table, task.train_rows, ctx)?;
        let blocks = Blocks::new(table, task);
        let forest = Forest::new(&deciles, task, scores, &settings);
        let proposals = forest.propose(&blocks.subsamples(settings.n_subsamples), ctx)?;
        let evaluator = Evaluator::new(table, task, &settings);
        let stable = stability::stable_conditions(&deciles, &evaluator, &blocks, ctx)?;
        let rules = Selection { deciles: &deciles, evaluator: &evaluator }.select(&proposals, &stable, ctx)?;
        Ok(rules.into_iter().map(|rule| rule.to_mined_rule(table, &deciles)).collect())
    }
}

oculus_plugin_api::export_extractor!(RuleExtractor);
