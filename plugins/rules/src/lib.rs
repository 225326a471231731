//! A rule extractor (smartcore): what small trees split at again and again, said as conditions that a trader can read.
//!
//! `params` declares what can be set. `binning` puts every column into deciles, `blocks` draws parts of the training
//! time, `forest` grows trees on each and reads conditions off them, `evidence` counts what a rule is worth on some rows,
//! `selection` keeps the good ones and says in how many parts they came up. `row_set` and `random` serve them.
//!
//! Invariant: rules depend on nothing but the training rows, their labels and scores, the parameters and the seed.

mod binning;
mod blocks;
mod evidence;
mod forest;
mod params;
mod random;
mod row_set;
mod selection;

use oculus_plugin_api::prelude::*;

use crate::binning::Deciles;
use crate::evidence::Judge;
use crate::forest::Forest;
use crate::params::Recipe;

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
        let subsamples = blocks::draw(table, task, recipe.n_subsamples);
        let forest = Forest::new(&deciles, task, scores, &recipe);
        let proposals = forest.propose(&subsamples, ctx)?;
        let judge = Judge::new(table, task, &recipe);
        let rules = selection::select(&proposals, &deciles, &judge, ctx)?;
        Ok(rules.into_iter().map(|rule| rule.spoken(table, &deciles)).collect())
    }
}

oculus_plugin_api::export_extractor!(RuleExtractor);
