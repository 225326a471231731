//! A rule extractor (smartcore): what small trees split at again and again, said as conditions that a trader can read.
//!
//! `params` declares what can be set. `binning` puts every column into deciles, `blocks` draws parts of the training
//! time, `forest` grows trees on each and reads conditions off them, `evidence` counts what a rule is worth on some rows.
//! `stability` finds the conditions that halves of the time agree on, of the columns that `distinct` keeps. `selection` makes
//! one list of both. `row_set` and `random` serve them.
//!
//! Invariant: rules depend on nothing but the training rows, their labels and scores, the parameters and the seed.

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
use crate::evidence::Judge;
use crate::forest::Forest;
use crate::params::Recipe;
use crate::selection::Selection;

/// The extractor.
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
        let recipe = Recipe::new(params)?;
        let deciles = Deciles::new(table, task.train_rows, ctx)?;
        let blocks = Blocks::new(table, task);
        let forest = Forest::new(&deciles, task, scores, &recipe);
        let proposals = forest.propose(&blocks.subsamples(recipe.n_subsamples), ctx)?;
        let judge = Judge::new(table, task, &recipe);
        let steady = stability::steady(&deciles, &judge, &blocks, ctx)?;
        let rules = Selection { deciles: &deciles, judge: &judge }.select(&proposals, &steady, ctx)?;
        Ok(rules.into_iter().map(|rule| rule.to_mined_rule(table, &deciles)).collect())
    }
}

oculus_plugin_api::export_extractor!(RuleExtractor);
