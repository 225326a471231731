//! A feature: a kind with its parameters, one column of the table.

use oculus_plugin_api::FeatureRole;

use super::kind::{Computation, DEFAULT_BENCHMARK, Kind};
use super::prices::Prices;

/// A kind with its parameters: one column.
#[derive(Clone, Debug)]
pub struct Feature {
    pub(super) kind: &'static Kind,
    pub(super) params: Vec<usize>,
    /// The symbol that it compares with, for kinds that have one.
    pub(super) benchmark: Option<String>,
}

impl Kind {
    /// Returns the kind with these first parameters and its defaults for the others.
    pub(super) fn feature(&'static self, given: &[usize], symbol: Option<&str>) -> Feature {
        let defaults = self.defaults.iter().skip(given.len());
        let benchmark = self.has_benchmark.then(|| symbol.unwrap_or(DEFAULT_BENCHMARK).to_owned());
        Feature { kind: self, params: given.iter().chain(defaults).copied().collect(), benchmark }
    }
}

impl Feature {
    /// The name in the table, such as `RSI_14`, `MACD_HIST` or `BETA_SPY_60`.
    pub fn name(&self) -> String {
        let changed = self.params.iter().zip(self.kind.defaults).rposition(|(param, default)| param != default);
        let n_named = changed.map_or(0, |last| last + 1).max(self.kind.n_shown);
        let stem = match &self.benchmark {
            Some(symbol) => format!("{}_{symbol}", self.kind.stem),
            None => self.kind.stem.to_owned(),
        };
        (0..n_named).fold(stem, |name, idx| format!("{name}_{}", self.kind.written(idx, self.params[idx])))
    }

    /// The name without parameters, such as `RSI`.
    pub fn stem(&self) -> &'static str {
        self.kind.stem
    }

    /// Its parameters: whole numbers, mostly bars, or hundredths.
    pub fn params(&self) -> &[usize] {
        &self.params
    }

    /// Who reads it: models and rules, or rules alone.
    pub fn role(&self) -> FeatureRole {
        self.kind.role
    }

    /// The symbol that it compares with.
    pub fn benchmark(&self) -> Option<&str> {
        self.benchmark.as_deref()
    }

    /// Bars before the first value.
    pub fn warm_up_bars(&self) -> usize {
        (self.kind.warm_up)(&self.params)
    }

    /// Computes one value per bar: NaN during the warm-up, finite from then on.
    pub fn compute(&self, prices: &Prices) -> Vec<f64> {
        match self.kind.computation {
            Computation::Alone(compute) => compute(prices, &self.params),
            Computation::Output(shared, idx) => (shared.compute)(prices, &self.params).swap_remove(idx),
        }
    }
}

/// Returns the most bars that one of the features needs before its first value.
pub(super) fn longest_warm_up(features: &[Feature]) -> usize {
    features.iter().map(Feature::warm_up_bars).max().unwrap_or(0)
}

impl PartialEq for Feature {
    fn eq(&self, other: &Self) -> bool {
        self.kind.stem == other.kind.stem && self.params == other.params && self.benchmark == other.benchmark
    }
}
