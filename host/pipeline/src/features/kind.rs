//! Defines a kind of feature: its name, parameters, warm-up, role, description and computation.
//!
//! The kinds themselves are listed in the files of the groups, such as `groups/trend.rs`.

use std::ops::RangeInclusive;

use oculus_plugin_api::FeatureRole;

use super::ohlcv::OhlcvView;

/// Largest stored value of a parameter: it denotes 2000 for a whole number, and 20.00 for a
/// decimal, because decimals are stored in hundredths.
pub(super) const MAX_PARAM: usize = 2000;

/// The benchmark of features whose name does not contain one.
pub(super) const DEFAULT_BENCHMARK: &str = "SPY";

/// The stems and parameters of default features. If the parameters are empty, all have the defaults
/// of the kind.
pub(super) type Defaults = &'static [(&'static str, &'static [usize])];

/// A kind of feature, without its parameters.
#[derive(Debug)]
pub(super) struct FeatureKind {
    /// Name without parameters.
    pub(super) stem: &'static str,
    /// Defaults of the parameters, which a name may omit. Each default is a whole number (mostly of
    /// bars) or a number of hundredths.
    pub(super) defaults: &'static [usize],
    /// Index of the first parameter that is stored in hundredths. All later parameters are also
    /// stored in hundredths.
    pub(super) first_decimal: usize,
    /// Number of parameters that a canonical name always contains. The other parameters are omitted
    /// if they have their defaults.
    pub(super) n_shown: usize,
    /// Smallest value of a parameter that is a whole number.
    pub(super) min_param: usize,
    /// Whether a name contains the symbol of a benchmark between stem and parameters.
    pub(super) has_benchmark: bool,
    /// Users of the feature: models and rules, or rules only.
    pub(super) role: FeatureRole,
    /// Stem of the kind that models receive instead of this kind, if this kind is a level.
    pub(super) scale_free: Option<&'static str>,
    /// Description in one line.
    pub(super) about: &'static str,
    /// Value of the feature where its formula divides by zero; empty if the formula never does.
    pub(super) fallback: &'static str,
    /// Formula of the values, with the parameters n, m, k of the name. `x[n]` is the value of x n
    /// bars earlier.
    pub(super) formula: &'static str,
    /// Unit of the values, such as `%` or `price`.
    pub(super) unit: &'static str,
    /// Computes the number of bars before the first value.
    pub(super) warm_up: WarmUp,
    /// Computation of the values.
    pub(super) computation: Computation,
}

/// The computation of a kind.
#[derive(Clone, Copy, Debug)]
pub(super) enum Computation {
    /// A function of this kind only: one value per bar, NaN during the warm-up.
    Alone(fn(&OhlcvView, &[usize]) -> Vec<f64>),
    /// A pass over the bars that several kinds share, and the index of this kind's output in it.
    Output(&'static Shared, usize),
}

/// A pass over the bars that computes several kinds at once.
#[derive(Debug)]
pub(super) struct Shared {
    /// Computes all outputs. Each output has one value per bar, NaN during the warm-up.
    pub(super) compute: fn(&OhlcvView, &[usize]) -> Vec<Vec<f64>>,
}

/// Defines a scale-free kind whose canonical names contain every parameter.
pub(super) const fn model(
    stem: &'static str,
    defaults: &'static [usize],
    about: &'static str,
    warm_up: WarmUp,
    compute: fn(&OhlcvView, &[usize]) -> Vec<f64>,
) -> FeatureKind {
    output(stem, defaults, about, warm_up, Computation::Alone(compute))
}

/// Defines a scale-free kind with any computation, whose canonical names contain every parameter.
pub(super) const fn output(
    stem: &'static str,
    defaults: &'static [usize],
    about: &'static str,
    warm_up: WarmUp,
    computation: Computation,
) -> FeatureKind {
    FeatureKind {
        stem,
        defaults,
        first_decimal: defaults.len(),
        n_shown: defaults.len(),
        min_param: 2,
        has_benchmark: false,
        role: FeatureRole::Model,
        scale_free: None,
        about,
        fallback: "",
        formula: "",
        unit: "",
        warm_up,
        computation,
    }
}

/// Computes, from the parameters, the number of bars before the first value.
type WarmUp = fn(&[usize]) -> usize;

impl FeatureKind {
    /// Formats a parameter as in names.
    pub(super) fn format_param(&self, idx: usize, param: usize) -> String {
        if idx < self.first_decimal { param.to_string() } else { (param as f64 / 100.0).to_string() }
    }

    /// Returns the range of valid values of a parameter, as stored: whole numbers or hundredths.
    pub(super) fn range(&self, idx: usize) -> RangeInclusive<usize> {
        (if idx < self.first_decimal { self.min_param } else { 1 })..=MAX_PARAM
    }

    /// Sets the description of the value that replaces a division by zero.
    pub(super) const fn fallback(mut self, fallback: &'static str) -> Self {
        self.fallback = fallback;
        self
    }

    /// Sets the formula and the unit of the values.
    pub(super) const fn defined(mut self, formula: &'static str, unit: &'static str) -> Self {
        self.formula = formula;
        self.unit = unit;
        self
    }

    /// Makes the kind a level, which only rules use, and sets the kind that models receive instead.
    pub(super) const fn level(mut self, scale_free: Option<&'static str>) -> Self {
        self.role = FeatureRole::Rule;
        self.scale_free = scale_free;
        self
    }

    /// Sets the number of parameters that a canonical name always contains.
    pub(super) const fn shown(mut self, n_shown: usize) -> Self {
        self.n_shown = n_shown;
        self
    }

    /// Sets the first parameter that is a decimal in names and is stored in hundredths.
    pub(super) const fn in_hundredths(mut self, first_decimal: usize) -> Self {
        self.first_decimal = first_decimal;
        self
    }

    /// Allows the value 1 for whole parameters. Without this call, their smallest value is 2.
    pub(super) const fn down_to_one(mut self) -> Self {
        self.min_param = 1;
        self
    }

    /// Makes the symbol of the benchmark a part of the name.
    pub(super) const fn with_benchmark(mut self) -> Self {
        self.has_benchmark = true;
        self
    }
}

/// Warm-up of a value that depends on its own bar only.
pub(super) const NONE: WarmUp = |_| 0;
/// Warm-up of a value that depends on the previous bar.
pub(super) const ONE: WarmUp = |_| 1;
/// Warm-up of a window of bars.
pub(super) const WINDOW: WarmUp = |p| p[0] - 1;
/// Warm-up of a window of changes from bar to bar.
pub(super) const CHANGES: WarmUp = |p| p[0];
/// Warm-up of the longer of two windows of bars.
pub(super) const LONGER: WarmUp = |p| if p[0] > p[1] { p[0] - 1 } else { p[1] - 1 };
/// Warm-up of the longer of two windows of changes.
pub(super) const LONGEST_CHANGES: WarmUp = |p| if p[0] > p[1] { p[0] } else { p[1] };
