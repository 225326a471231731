//! What a feature is: its name, parameters, warm-up, role, definition and computation; and all kinds of them, by group.

use std::ops::RangeInclusive;

use std::hint::select_unpredictable;

use oculus_plugin_api::FeatureRole;

use super::{momentum, price, regime, trend, volatility, volume};

/// Largest whole parameter that a name may carry, and the largest hundredths.
pub(super) const MAX_PARAM: usize = 2000;

/// The numbers of one symbol, one a bar, oldest first.
#[derive(Clone, Copy, Debug)]
pub struct Prices<'a> {
    /// First price.
    pub open: &'a [f64],
    /// Highest price.
    pub high: &'a [f64],
    /// Lowest price.
    pub low: &'a [f64],
    /// Last price.
    pub close: &'a [f64],
    /// Shares traded.
    pub volume: &'a [f64],
    /// Session dates, days since 1970-01-01.
    pub day: &'a [i32],
    /// The benchmark's last close at or before each bar; empty for features without one.
    pub benchmark: &'a [f64],
}

/// Kinds that belong together.
#[derive(Debug)]
pub(super) struct Group {
    /// Name for people.
    pub(super) name: &'static str,
    /// Its kinds.
    pub(super) kinds: &'static [Kind],
    /// What every job gets of it.
    pub(super) defaults: Defaults,
}

/// Stems with their parameters; no parameters stand for the kind's own.
pub(super) type Defaults = &'static [(&'static str, &'static [usize])];

/// All groups, in the order of the catalogue.
pub(super) static GROUPS: [Group; 6] = [
    Group { name: "trend", kinds: trend::KINDS, defaults: trend::DEFAULTS },
    Group { name: "momentum", kinds: momentum::KINDS, defaults: momentum::DEFAULTS },
    Group { name: "volatility", kinds: volatility::KINDS, defaults: volatility::DEFAULTS },
    Group { name: "volume", kinds: volume::KINDS, defaults: volume::DEFAULTS },
    Group { name: "price", kinds: price::KINDS, defaults: price::DEFAULTS },
    Group { name: "regime", kinds: regime::KINDS, defaults: regime::DEFAULTS },
];

/// A kind of feature, whatever its parameters.
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
    /// Least value of a whole parameter.
    pub(super) least: usize,
    /// Whether its name carries a benchmark's symbol between stem and parameters.
    pub(super) has_benchmark: bool,
    /// Whether models get it.
    pub(super) role: FeatureRole,
    /// What models get in place of a level.
    pub(super) scale_free: Option<&'static str>,
    /// One line for people: what it is; and what it is where its definition divides by nothing.
    pub(super) about: &'static str,
    /// Its definition, in the parameters n, m, k of its name; `x[n]` is x of n bars before.
    pub(super) formula: &'static str,
    /// Unit of its values, such as `%` or `price`.
    pub(super) unit: &'static str,
    /// Bars before the first value.
    pub(super) warm_up: fn(&[usize]) -> usize,
    /// How it is computed.
    pub(super) computation: Computation,
}

/// How a kind is computed.
#[derive(Clone, Copy, Debug)]
pub(super) enum Computation {
    /// By itself: one value a bar, NaN during the warm-up.
    Alone(fn(&Prices, &[usize]) -> Vec<f64>),
    /// As one of the outputs of a pass over the bars that several kinds share.
    Output(&'static Shared, usize),
}

/// A pass over the bars with several outputs, each one value a bar, NaN during the warm-up.
#[derive(Debug)]
pub(super) struct Shared {
    /// Computes all outputs.
    pub(super) compute: fn(&Prices, &[usize]) -> Vec<Vec<f64>>,
}

/// A kind with its parameters: one column.
#[derive(Clone, Debug)]
pub struct Feature {
    pub(super) kind: &'static Kind,
    pub(super) params: Vec<usize>,
    /// The symbol that it compares with, for kinds that have one.
    pub(super) benchmark: Option<String>,
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

    /// Whether models get it.
    pub fn role(&self) -> FeatureRole {
        self.kind.role
    }

    /// What it is, in one line.
    pub fn about(&self) -> &'static str {
        self.kind.about
    }

    /// The symbol that it compares with.
    pub fn benchmark(&self) -> Option<&str> {
        self.benchmark.as_deref()
    }

    /// Bars before the first value.
    pub fn warm_up_bars(&self) -> usize {
        (self.kind.warm_up)(&self.params)
    }

    /// What models get in place of a level: the scale-free kind with the same parameters, as far as the level has them.
    pub fn scale_free(&self) -> Option<Self> {
        let kind = kind(self.kind.scale_free?)?;
        let own = kind.defaults.iter().skip(self.params.len());
        Some(Self { kind, params: self.params.iter().chain(own).copied().collect(), benchmark: self.benchmark.clone() })
    }

    /// One value a bar: NaN during the warm-up, finite from then on.
    pub fn compute(&self, prices: &Prices) -> Vec<f64> {
        match self.kind.computation {
            Computation::Alone(compute) => compute(prices, &self.params),
            Computation::Output(shared, idx) => (shared.compute)(prices, &self.params).swap_remove(idx),
        }
    }
}

impl PartialEq for Feature {
    fn eq(&self, other: &Self) -> bool {
        self.kind.stem == other.kind.stem && self.params == other.params && self.benchmark == other.benchmark
    }
}

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

impl Prices<'_> {
    /// Wilder's true range of a bar after the first.
    #[inline]
    pub(super) fn true_range(&self, bar: usize) -> f64 {
        let (high, low, before) = (self.high[bar], self.low[bar], self.close[bar - 1]);
        (high - low).max((high - before).abs()).max((low - before).abs())
    }

    /// Wilder's movement up and down of a bar after the first; at most one of them is not 0.
    #[inline]
    pub(super) fn directional_movement(&self, bar: usize) -> (f64, f64) {
        let up = self.high[bar] - self.high[bar - 1];
        let down = self.low[bar - 1] - self.low[bar];
        // Which of them is larger cannot be guessed: a branch would be wrong every other time.
        let larger = |one: f64, other: f64| select_unpredictable(one > other && one > 0.0, one, 0.0);
        (larger(up, down), larger(down, up))
    }

    /// Mean of high, low and close of each bar.
    pub(super) fn typical(&self) -> Vec<f64> {
        (0..self.close.len()).map(|bar| (self.high[bar] + self.low[bar] + self.close[bar]) / 3.0).collect()
    }
}

/// All kinds, in the order of the catalogue.
pub(super) fn kinds() -> impl Iterator<Item = &'static Kind> {
    GROUPS.iter().flat_map(|group| group.kinds)
}

/// The kind of a stem.
pub(super) fn kind(stem: &str) -> Option<&'static Kind> {
    kinds().find(|kind| kind.stem == stem)
}

/// The benchmark of features that name none.
pub(super) const USUAL_BENCHMARK: &str = "SPY";

/// What every job gets, those included that need a benchmark's bars.
pub(super) fn default_features() -> impl Iterator<Item = Feature> {
    GROUPS.iter().flat_map(|group| group.features())
}

impl Group {
    /// What every job gets of it.
    pub(super) fn features(&self) -> impl Iterator<Item = Feature> {
        self.defaults.iter().filter_map(|&(stem, params)| Some(kind(stem)?.feature(params, None)))
    }
}

/// A scale-free kind with every parameter in its name.
pub(super) const fn model(
    stem: &'static str,
    defaults: &'static [usize],
    about: &'static str,
    (warm_up, compute): Parts,
) -> Kind {
    output(stem, defaults, about, (warm_up, Computation::Alone(compute)))
}

/// The same for an output of a shared pass.
pub(super) const fn output(
    stem: &'static str,
    defaults: &'static [usize],
    about: &'static str,
    (warm_up, computation): (WarmUp, Computation),
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
        formula: "",
        unit: "",
        warm_up,
        computation,
    }
}

type WarmUp = fn(&[usize]) -> usize;
type Parts = (WarmUp, fn(&Prices, &[usize]) -> Vec<f64>);

impl Kind {
    /// A parameter as a name carries it.
    pub(super) fn written(&self, idx: usize, param: usize) -> String {
        if idx < self.first_decimal { param.to_string() } else { (param as f64 / 100.0).to_string() }
    }

    /// Values that a parameter may have, in its own unit.
    pub(super) fn range(&self, idx: usize) -> RangeInclusive<usize> {
        (if idx < self.first_decimal { self.least } else { 1 })..=MAX_PARAM
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

    /// Compares with a benchmark, whose symbol stands in the name.
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
