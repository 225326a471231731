//! Draws configurations at random from the ranges that a family declares for its search.

use oculus_plugin_api::Param;
use serde_json::{Map, Value};

use super::context::Family;
use crate::metrics::Random;

/// An endless list of configurations that depends only on the seed, the family's manifest and the
/// job's parameters.
pub(super) struct Proposals<'a> {
    random: Random,
    fixed: &'a Map<String, Value>,
    searched: Vec<&'a Param>,
}

impl<'a> Proposals<'a> {
    /// Creates the list; parameters that the job fixes are not searched.
    pub(super) fn new(seed: u64, family: &Family<'a>) -> Self {
        let is_free = |param: &&Param| param.search.is_some() && !family.params.contains_key(&param.name);
        let searched = family.fitter.manifest().params.iter().filter(is_free).collect();
        Self { random: Random::new(seed, "config search"), fixed: family.params, searched }
    }

    /// Returns whether there is a parameter to search.
    pub(super) fn has_choice(&self) -> bool {
        !self.searched.is_empty()
    }

    /// Returns the next configuration: each searched parameter is drawn uniformly from its range.
    pub(super) fn draw(&mut self) -> Map<String, Value> {
        let mut params = self.fixed.clone();
        for param in &self.searched {
            // Every parameter uses exactly one draw, in the order of the manifest, so the list
            // depends on nothing else.
            params.insert(param.name.clone(), param.at(self.random.unit()));
        }
        params
    }
}
