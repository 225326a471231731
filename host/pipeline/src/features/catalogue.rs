//! The catalogue: all kinds of features, by group, in the order of the documentation. The lists of
//! kinds and default features are in the files of the groups, such as `groups/trend.rs`.

use super::feature::Feature;
use super::groups::{momentum, price, regime, trend, volatility, volume};
use super::kind::{Defaults, FeatureKind};

/// A group of related kinds of features.
#[derive(Debug)]
pub(super) struct Group {
    /// Name of the group in listings.
    pub(super) name: &'static str,
    /// Kinds of the group, in the order of the documentation.
    pub(super) kinds: &'static [FeatureKind],
    /// Default features of the group.
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

/// Returns all kinds, in the order of the catalogue.
pub(super) fn kinds() -> impl Iterator<Item = &'static FeatureKind> {
    GROUPS.iter().flat_map(|group| group.kinds)
}

/// Returns the kind with this stem, or `None` if the stem is unknown.
pub(super) fn kind(stem: &str) -> Option<&'static FeatureKind> {
    kinds().find(|kind| kind.stem == stem)
}

/// Returns the default features of every job, including those that need a benchmark's bars.
pub(super) fn default_features() -> impl Iterator<Item = Feature> {
    GROUPS.iter().flat_map(|group| group.features())
}

impl Group {
    /// Returns the default features of the group.
    pub(super) fn features(&self) -> impl Iterator<Item = Feature> {
        self.defaults.iter().filter_map(|&(stem, params)| Some(kind(stem)?.feature(params, None)))
    }
}

/// Returns the scale-free feature that models receive instead of a level, or `None` if the feature
/// has none.
///
/// The scale-free feature has the parameters of the level. If its kind has further parameters,
/// these have their defaults.
pub(super) fn scale_free(feature: &Feature) -> Option<Feature> {
    let kind = kind(feature.kind.scale_free?)?;
    let defaults = kind.defaults.iter().skip(feature.params.len());
    let params = feature.params.iter().chain(defaults).copied().collect();
    Some(Feature { kind, params, benchmark: feature.benchmark.clone() })
}
