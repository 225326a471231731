//! A kind of feature: its name, parameters, warm-up, role, definition and computation.

use std::ops::RangeInclusive;

use oculus_plugin_api::FeatureRole;

use super::prices::Prices;

/// Largest whole parameter that a name may carry, and the largest hundredths.
pub(super) const MAX_PARAM: usize = 2000;

/// The benchmark of features that name none.
pub(super) const DEFAULT_BENCHMARK: &str = "SPY";

/// Stems with their parameters; an empty list means the kind's own defaults.
pub(super) type Defaults = &'static [(&'static str, &'static [usize])];

/// A kind of feature, without its parameters.
#[derive(Debug)]
pub(super) struct Kind {
    /// Name without parameters.
    pub(super) stem: &'static str,
    /// Parameters where the name carries none: whole numbers, mostly bars, or hundredths.
    pub(super) defaults: &'static [usize],
    /// The first parameter that is one of hundredths; those after it are, too.
    pub(super) first_decimal: usize,
    /// Parameters that the name always carries; the others only where they are not the default.
    pub(super) n_shown: usize,
    /// Least value of an integer parameter.
    pub(super) least: usize,
    /// Whether its name carries a benchmark's symbol between stem and parameters.
    pub(super) has_benchmark: bool,
    /// Who reads it: models and rules, or rules alone.
    pub(super) role: FeatureRole,
    /// The kind that models get instead of a level.
    pub(super) scale_free: Option<&'static str>,
    /// Description in one line.
    pub(super) about: &'static str,
    /// Value where its definition divides by zero; empty where it never does.
    pub(super) without: &'static str,
    /// Its definition, in the parameters n, m, k of its name; `x[n]` is x of n bars before.
    pub(super) formula: &'static str,
    /// Unit of its values, such as `%` or `price`.
    pub(super) unit: &'static str,
    /// Bars before the first value.
    pub(super) warm_up: WarmUp,
    /// How it is computed.
    pub(super) computation: Computation,
}

/// How a kind is computed.
#[derive(Clone, Copy, Debug)]
pub(super) enum Computation {
    /// On its own: one value per bar, NaN during the warm-up.
    Alone(fn(&Prices, &[usize]) -> Vec<f64>),
    /// As one of the outputs of a pass over the bars that several kinds share.
    Output(&'static Shared, usize),
}

/// A pass over the bars with several outputs: one value per bar each, NaN during the warm-up.
#[derive(Debug)]
pub(super) struct Shared {
    /// Computes all outputs.
    pub(super) compute: fn(&Prices, &[usize]) -> Vec<Vec<f64>>,
}

/// A scale-free kind with every parameter in its name.
pub(super) const fn model(
    stem: &'static str,
    defaults: &'static [usize],
    about: &'static str,
    warm_up: WarmUp,
    compute: fn(&Prices, &[usize]) -> Vec<f64>,
) -> Kind {
    output(stem, defaults, about, warm_up, Computation::Alone(compute))
}

/// A scale-free kind that is one output of a shared pass, with every parameter in its name.
pub(super) const fn output(
    stem: &'static str,
    defaults: &'static [usize],
    about: &'static str,
    warm_up: WarmUp,
    computation: Computation,
) -> Kind {
    Kind {
        stem,
        defaults,
        first_decimal: defaults.len(),
        n_shown: defaults.len(),
        least: 2,
        has_benchmark: false,
        role: FeatureRole::Model,
        scale_free: None,
        about,
        without: "",
        formula: "",
        unit: "",
        warm_up,
        computation,
    }
}

/// Computes from the parameters how many bars come before the first value.
type WarmUp = fn(&[usize]) -> usize;

impl Kind {
    /// A parameter as a name carries it.
    pub(super) fn written(&self, idx: usize, param: usize) -> String {
        if idx < self.first_decimal { param.to_string() } else { (param as f64 / 100.0).to_string() }
    }

    /// Values that a parameter may have, in its own unit.
    pub(super) fn range(&self, idx: usize) -> RangeInclusive<usize> {
        (if idx < self.first_decimal { self.least } else { 1 })..=MAX_PARAM
    }

    /// Its value where the definition divides by zero.
    pub(super) const fn without(mut self, value: &'static str) -> Self {
        self.without = value;
        self
    }

    /// Its definition and the unit of its values.
    pub(super) const fn defined(mut self, formula: &'static str, unit: &'static str) -> Self {
        self.formula = formula;
        self.unit = unit;
        self
    }

    /// A level, for rules only, with the kind that models get instead.
    pub(super) const fn level(mut self, scale_free: Option<&'static str>) -> Self {
        self.role = FeatureRole::Rule;
        self.scale_free = scale_free;
        self
    }

    /// Names only the first parameters while the others are the defaults.
    pub(super) const fn shown(mut self, n_shown: usize) -> Self {
        self.n_shown = n_shown;
        self
    }

    /// Parameters from this one on are written as decimals and kept as hundredths.
    pub(super) const fn in_hundredths(mut self, first_decimal: usize) -> Self {
        self.first_decimal = first_decimal;
        self
    }

    /// Allows whole parameters from 1 on.
    pub(super) const fn down_to_one(mut self) -> Self {
        self.least = 1;
        self
    }

    /// Compares with a benchmark, whose symbol is part of the name.
    pub(super) const fn with_benchmark(mut self) -> Self {
        self.has_benchmark = true;
        self
    }
}

pub(super) const NONE: WarmUp = |_| 0;
pub(super) const ONE: WarmUp = |_| 1;
/// A window of bars.
pub(super) const WINDOW: WarmUp = |p| p[0] - 1;
/// A window of changes from bar to bar.
pub(super) const CHANGES: WarmUp = |p| p[0];
/// The longer of two windows.
pub(super) const LONGER: WarmUp = |p| if p[0] > p[1] { p[0] - 1 } else { p[1] - 1 };
/// The longer of two windows of changes.
pub(super) const LONGEST_CHANGES: WarmUp = |p| if p[0] > p[1] { p[0] } else { p[1] };
