//! Groups features into passes over the bars. Features with the same shared computation and equal
//! parameters are computed together.

use super::feature::Feature;
use super::kind::Computation;
use super::ohlcv::OhlcvView;

/// The features that one pass over the bars computes.
#[derive(Debug)]
pub(super) struct Pass<'a> {
    /// One feature of the pass. All features of the pass have the same computation, parameters and
    /// benchmark as this one.
    feature: &'a Feature,
    /// For each feature: its index in the list of all features, and the index of its output in the
    /// pass.
    outputs: Vec<(usize, usize)>,
}

impl Pass<'_> {
    /// Returns the benchmark of the features, or `None` if they do not compare with one.
    pub(super) fn benchmark(&self) -> Option<&str> {
        self.feature.benchmark()
    }

    /// Computes the features of the pass, and calls a callback with each feature.
    ///
    /// * `on_column`: receives the index of a feature in the list of all features, and its values,
    ///   one per bar.
    pub(super) fn compute(&self, prices: &OhlcvView, mut on_column: impl FnMut(usize, &[f64])) {
        let values = match self.feature.kind.computation {
            Computation::Alone(compute) => vec![compute(prices, &self.feature.params)],
            Computation::Output(shared, _) => (shared.compute)(prices, &self.feature.params),
        };
        self.outputs.iter().for_each(|&(feature_idx, output)| on_column(feature_idx, &values[output]));
    }
}

/// Returns the passes that compute these features.
pub(super) fn passes(features: &[Feature]) -> Vec<Pass<'_>> {
    let mut passes: Vec<Pass<'_>> = Vec::new();
    for (feature_idx, feature) in features.iter().enumerate() {
        let output = match feature.kind.computation {
            Computation::Alone(_) => 0,
            Computation::Output(_, output) => output,
        };
        match passes.iter_mut().find(|pass| share_a_pass(pass.feature, feature)) {
            Some(pass) => pass.outputs.push((feature_idx, output)),
            None => passes.push(Pass { feature, outputs: vec![(feature_idx, output)] }),
        }
    }
    passes
}

fn share_a_pass(one: &Feature, other: &Feature) -> bool {
    let (Computation::Output(left, _), Computation::Output(right, _)) = (one.kind.computation, other.kind.computation)
    else {
        return false;
    };
    // Each shared computation is one static, so its address identifies it.
    std::ptr::eq(left, right) && one.params == other.params && one.benchmark == other.benchmark
}
