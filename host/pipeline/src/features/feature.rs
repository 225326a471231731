//! A feature: a kind with parameters. Each feature is one column of the table.

use oculus_plugin_api::FeatureRole;

use super::kind::{Computation, DEFAULT_BENCHMARK, FeatureKind};
use super::ohlcv::OhlcvView;

/// A kind of feature with parameters: one column of the table.
#[derive(Clone, Debug)]
pub struct Feature {
    pub(super) kind: &'static FeatureKind,
    pub(super) params: Vec<usize>,
    /// Symbol of the benchmark, for kinds that compare with one.
    pub(super) benchmark: Option<String>,
}

impl FeatureKind {
    /// Returns a feature of this kind.
    ///
    /// * `params`: first parameters; the remaining ones have the defaults of the kind.
    /// * `symbol`: symbol of the benchmark, for kinds that compare with one; `None` for the default
    ///   benchmark.
    pub(super) fn feature(&'static self, params: &[usize], symbol: Option<&str>) -> Feature {
        let defaults = self.defaults.iter().skip(params.len());
        let benchmark = self.has_benchmark.then(|| symbol.unwrap_or(DEFAULT_BENCHMARK).to_owned());
        Feature { kind: self, params: params.iter().chain(defaults).copied().collect(), benchmark }
    }
}

impl Feature {
    /// Returns the canonical name, such as `RSI_14`, `MACD_HIST` or `BETA_SPY_60`.
    pub fn name(&self) -> String {
        // Trailing parameters with their default values are omitted, so that a feature has only one
        // canonical name. Parameters that a name always contains are kept.
        let changed = self.params.iter().zip(self.kind.defaults).rposition(|(param, default)| param != default);
        let n_named = changed.map_or(0, |last| last + 1).max(self.kind.n_shown);
        let stem = match &self.benchmark {
            Some(symbol) => format!("{}_{symbol}", self.kind.stem),
            None => self.kind.stem.to_owned(),
        };
        (0..n_named).fold(stem, |name, idx| format!("{name}_{}", self.kind.format_param(idx, self.params[idx])))
    }

    /// Returns the name without parameters, such as `RSI`.
    pub fn stem(&self) -> &'static str {
        self.kind.stem
    }

    /// Returns the parameters. Each parameter is a whole number (mostly of bars) or a number of
    /// hundredths.
    pub fn params(&self) -> &[usize] {
        &self.params
    }

    /// Returns the users of the feature: models and rules, or rules only.
    pub fn role(&self) -> FeatureRole {
        self.kind.role
    }

    /// Returns the symbol of the benchmark, or `None` if the feature does not compare with one.
    pub fn benchmark(&self) -> Option<&str> {
        self.benchmark.as_deref()
    }

    /// Returns the number of bars before the first value.
    pub fn warm_up_bars(&self) -> usize {
        (self.kind.warm_up)(&self.params)
    }

    /// Computes one value per bar: NaN during the warm-up, finite afterwards.
    pub fn compute(&self, prices: &OhlcvView) -> Vec<f64> {
        match self.kind.computation {
            Computation::Alone(compute) => compute(prices, &self.params),
            Computation::Output(shared, idx) => (shared.compute)(prices, &self.params).swap_remove(idx),
        }
    }
}

/// Returns the largest number of bars that any of the features needs before its first value.
pub(super) fn longest_warm_up(features: &[Feature]) -> usize {
    features.iter().map(Feature::warm_up_bars).max().unwrap_or(0)
}

impl PartialEq for Feature {
    fn eq(&self, other: &Self) -> bool {
        // A kind contains function pointers, which cannot be compared reliably. Its stem is unique.
        self.kind.stem == other.kind.stem && self.params == other.params && self.benchmark == other.benchmark
    }
}
