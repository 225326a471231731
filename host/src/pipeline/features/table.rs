//! The table of all features of all symbols, and how it is filled.

use std::collections::BTreeMap;

use oculus_plugin_api::FeatureRole;

use super::catalogue::{Feature, Prices, passes};
use super::longest_warm_up;
use crate::job::request::Timeframe;
use crate::pipeline::bars::Bars;

/// All features of all symbols: one row a bar after the warm-up, ordered by symbol, then time.
#[derive(Clone, Debug, Default)]
pub struct FeatureTable {
    /// Names, one a column.
    pub names: Vec<String>,
    /// Whether models get the column or only rules do.
    pub roles: Vec<FeatureRole>,
    /// Column-major, `n_features × n_rows`, finite.
    pub values: Vec<f32>,
    /// Tickers, by symbol index.
    pub symbols: Vec<String>,
    /// Symbol index of each row.
    pub symbol: Vec<u32>,
    /// Bar index of each row in its symbol's bars.
    pub bar: Vec<u32>,
    /// Start of the row's bar, seconds since 1970-01-01 UTC.
    pub time: Vec<i64>,
    /// Session date of each row, days since 1970-01-01.
    pub day: Vec<i32>,
}

impl FeatureTable {
    /// Number of rows.
    pub fn n_rows(&self) -> usize {
        self.day.len()
    }

    /// The values of one feature, one a row.
    pub fn column(&self, feature_idx: usize) -> &[f32] {
        let n_rows = self.n_rows();
        &self.values[feature_idx * n_rows..(feature_idx + 1) * n_rows]
    }

    /// The values of a feature by name.
    pub fn by_name(&self, name: &str) -> Option<&[f32]> {
        self.names.iter().position(|other| other == name).map(|idx| self.column(idx))
    }
}

/// What the features of one symbol are computed from.
pub(super) struct Series<'a> {
    /// Its bars.
    pub(super) bars: &'a Bars,
    /// The closes of each benchmark at the bars' times, by the benchmark's symbol.
    pub(super) benchmarks: BTreeMap<String, Vec<f64>>,
}

/// Computes the features of all series.
pub(super) fn fill(series: &[Series<'_>], timeframe: Timeframe, features: &[Feature]) -> FeatureTable {
    let warm_up_bars = longest_warm_up(features);
    let mut table = FeatureTable {
        names: features.iter().map(Feature::name).collect(),
        roles: features.iter().map(Feature::role).collect(),
        symbols: series.iter().map(|one| one.bars.symbol.clone()).collect(),
        ..FeatureTable::default()
    };
    let days: Vec<Vec<i32>> = series.iter().map(|one| one.bars.session_days(timeframe)).collect();
    for (symbol_idx, (Series { bars, .. }, day)) in series.iter().zip(&days).enumerate() {
        let first = warm_up_bars.min(bars.len());
        table.symbol.extend(std::iter::repeat_n(symbol_idx as u32, bars.len() - first));
        table.bar.extend(first as u32..bars.len() as u32);
        table.time.extend(&bars.time[first..]);
        table.day.extend(&day[first..]);
    }
    let n_rows = table.n_rows();
    let mut values = vec![0.0; features.len() * n_rows];
    let mut first_row = 0;
    for (Series { bars, benchmarks }, day) in series.iter().zip(&days) {
        let n_own = bars.len().saturating_sub(warm_up_bars);
        for pass in passes(features) {
            let benchmark = pass.benchmark().and_then(|symbol| benchmarks.get(symbol)).map_or(&[][..], Vec::as_slice);
            let prices = Prices::of(bars, day, benchmark);
            pass.compute(&prices, |place, computed| {
                let from = place * n_rows + first_row;
                let after_warm_up = computed[bars.len() - n_own..].iter().map(|&value| value as f32);
                values[from..from + n_own].iter_mut().zip(after_warm_up).for_each(|(to, value)| *to = value);
            });
        }
        first_row += n_own;
    }
    table.values = values;
    table
}

impl<'a> Prices<'a> {
    /// The numbers of a series.
    pub fn of(bars: &'a Bars, day: &'a [i32], benchmark: &'a [f64]) -> Self {
        let Bars { open, high, low, close, volume, .. } = bars;
        Self { open, high, low, close, volume, day, benchmark }
    }
}
