//! All kinds of features, by group, in the order of the documentation.

use super::feature::Feature;
use super::groups::{momentum, price, regime, trend, volatility, volume};
use super::kind::{Defaults, Kind};

/// Kinds that belong together.
#[derive(Debug)]
pub(super) struct Group {
    /// Name for people.
    pub(super) name: &'static str,
    /// Its kinds.
    pub(super) kinds: &'static [Kind],
    /// Its default features.
    pub(super) defaults: Defaults,
}

/// All groups, in the order of the catalogue.
pub(super) static GROUPS: [Group; 6] = [
    Group { name: "trend", kinds: trend::KINDS, defaults: trend::DEFAULTS },
    Group { name: "momentum", kinds: momentum::KINDS, defaults: momentum::DEFAULTS },
    Group { name: "volatility", kinds: volatility::KINDS, defaults: volatility::DEFAULTS },
    Group { name: "volume", kinds: volume::KINDS, defaults: volume::DEFAULTS },
    Group { name: "price", kinds: price::KINDS, defaults: price::DEFAULTS },
    Group { name: "regime", kinds: regime::KINDS, defaults: regime::DEFAULTS },
];

/// All kinds, in the order of the catalogue.
pub(super) fn kinds() -> impl Iterator<Item = &'static Kind> {
    GROUPS.iter().flat_map(|group| group.kinds)
}

/// Returns the kind of a stem.
pub(super) fn kind(stem: &str) -> Option<&'static Kind> {
    kinds().find(|kind| kind.stem == stem)
}

/// Returns the default features of every job, including those that need a benchmark's bars.
pub(super) fn default_features() -> impl Iterator<Item = Feature> {
    GROUPS.iter().flat_map(|group| group.features())
}

impl Group {
    /// Returns its default features.
    pub(super) fn features(&self) -> impl Iterator<Item = Feature> {
        self.defaults.iter().filter_map(|&(stem, params)| Some(kind(stem)?.feature(params, None)))
    }
}

/// Returns the feature that models get in place of a level: the scale-free kind with the same parameters, as far as the
/// level has them.
pub(super) fn scale_free(feature: &Feature) -> Option<Feature> {
    let kind = kind(feature.kind.scale_free?)?;
    let own = kind.defaults.iter().skip(feature.params.len());
    let params = feature.params.iter().chain(own).copied().collect();
    Some(Feature { kind, params, benchmark: feature.benchmark.clone() })
}
