//! Passes over the bars: features of one computation and equal parameters are computed together.

use super::feature::Feature;
use super::kind::Computation;
use super::prices::Prices;

/// Features that one pass over the bars computes, by their place in a list.
#[derive(Debug)]
pub(super) struct Pass<'a> {
    /// Any one of them.
    feature: &'a Feature,
    /// Place in the list, and output of the pass.
    outputs: Vec<(usize, usize)>,
}

impl Pass<'_> {
    /// The symbol that its features compare with.
    pub(super) fn benchmark(&self) -> Option<&str> {
        self.feature.benchmark()
    }

    /// Computes each feature of the pass and hands it over with its place in the list.
    pub(super) fn compute(&self, prices: &Prices, mut take: impl FnMut(usize, &[f64])) {
        let values = match self.feature.kind.computation {
            Computation::Alone(compute) => vec![compute(prices, &self.feature.params)],
            Computation::Output(shared, _) => (shared.compute)(prices, &self.feature.params),
        };
        self.outputs.iter().for_each(|&(place, output)| take(place, &values[output]));
    }
}

/// The passes that compute all of these features; features of one computation share a pass.
pub(super) fn passes(features: &[Feature]) -> Vec<Pass<'_>> {
    let mut passes: Vec<Pass<'_>> = Vec::new();
    for (place, feature) in features.iter().enumerate() {
        let output = match feature.kind.computation {
            Computation::Alone(_) => 0,
            Computation::Output(_, output) => output,
        };
        match passes.iter_mut().find(|pass| share_a_pass(pass.feature, feature)) {
            Some(pass) => pass.outputs.push((place, output)),
            None => passes.push(Pass { feature, outputs: vec![(place, output)] }),
        }
    }
    passes
}

fn share_a_pass(one: &Feature, other: &Feature) -> bool {
    let (Computation::Output(left, _), Computation::Output(right, _)) = (one.kind.computation, other.kind.computation)
    else {
        return false;
    };
    std::ptr::eq(left, right) && one.params == other.params && one.benchmark == other.benchmark
}
