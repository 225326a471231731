//! The table of all features of all symbols, and how it is filled.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::io;

use oculus_job::request::Timeframe;
use oculus_plugin_api::FeatureRole;

use super::feature::{Feature, longest_warm_up};
use super::passes::passes;
use super::prices::Prices;
use crate::bars::Bars;
use crate::matrix::{Layout, Matrix, OutOfSpaceError, TableFile};
use crate::parallel::side_by_side;

/// All features of all symbols: one row per bar after the warm-up, ordered by symbol, then time.
#[derive(Clone, Debug, Default)]
pub struct FeatureTable {
    /// Names, one per column.
    pub names: Vec<String>,
    /// Who reads each column: models and rules, or rules alone.
    pub roles: Vec<FeatureRole>,
    /// Column-major, `n_features × n_rows`, finite.
    pub values: Matrix,
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
    /// Returns the number of rows.
    pub fn n_rows(&self) -> usize {
        self.day.len()
    }

    /// Returns the values of one feature, one per row.
    pub fn column(&self, feature_idx: usize) -> &[f32] {
        let n_rows = self.n_rows();
        &self.values[feature_idx * n_rows..(feature_idx + 1) * n_rows]
    }

    /// Returns the values of a feature by name; `None` where the table lacks it.
    pub fn by_name(&self, name: &str) -> Option<&[f32]> {
        self.names.iter().position(|other| other == name).map(|idx| self.column(idx))
    }
}

/// What the features of one symbol are computed from.
pub(super) struct SymbolSeries<'a> {
    /// Its bars.
    pub(super) bars: &'a Bars,
    /// The closes of each benchmark at the bars' times, by the benchmark's symbol.
    pub(super) benchmarks: BTreeMap<String, Vec<f64>>,
}

/// Computes the features of all series on up to `n_threads` threads, whose number changes no bit.
///
/// # Errors
/// If the temporary folder cannot take the values.
pub(super) fn fill(
    series: &[SymbolSeries<'_>],
    timeframe: Timeframe,
    features: &[Feature],
    n_threads: usize,
) -> Result<FeatureTable, OutOfSpaceError> {
    let warm_up_bars = longest_warm_up(features);
    let days: Vec<Vec<i32>> = series.iter().map(|one| one.bars.session_days(timeframe)).collect();
    let mut table = FeatureTable {
        names: features.iter().map(Feature::name).collect(),
        roles: features.iter().map(Feature::role).collect(),
        symbols: series.iter().map(|one| one.bars.symbol.clone()).collect(),
        ..FeatureTable::default()
    };
    let mut first_rows = Vec::with_capacity(series.len());
    for (symbol_idx, (SymbolSeries { bars, .. }, day)) in series.iter().zip(&days).enumerate() {
        let first = warm_up_bars.min(bars.len());
        first_rows.push(table.n_rows());
        table.symbol.extend(std::iter::repeat_n(symbol_idx as u32, bars.len() - first));
        table.bar.extend(first as u32..bars.len() as u32);
        table.time.extend(&bars.time[first..]);
        table.day.extend(&day[first..]);
    }
    let file = TableFile::create(Layout { n_rows: table.n_rows(), n_features: features.len() })?;
    let passes = passes(features);
    let written = side_by_side(n_threads, &longest_first(series, passes.len()), |&(symbol_idx, pass_idx)| {
        let one = &series[symbol_idx];
        let pass = &passes[pass_idx];
        let first = warm_up_bars.min(one.bars.len());
        let mut written = Ok(());
        pass.compute(&one.prices(&days[symbol_idx], pass.benchmark()), |place, computed| {
            if written.is_ok() {
                written = file.write_values(place, first_rows[symbol_idx], &computed[first..]);
            }
        });
        written
    });
    written.into_iter().collect::<io::Result<()>>()?;
    table.values = file.into_matrix()?;
    Ok(table)
}

/// Returns every symbol with every pass, the longest series first, so that the last pieces of work are short.
fn longest_first(series: &[SymbolSeries<'_>], n_passes: usize) -> Vec<(usize, usize)> {
    let mut order: Vec<usize> = (0..series.len()).collect();
    order.sort_by_key(|&symbol_idx| Reverse(series[symbol_idx].bars.len()));
    order.into_iter().flat_map(|symbol_idx| (0..n_passes).map(move |pass_idx| (symbol_idx, pass_idx))).collect()
}

impl SymbolSeries<'_> {
    /// Returns the numbers that a pass reads.
    pub(super) fn prices<'a>(&'a self, day: &'a [i32], benchmark: Option<&str>) -> Prices<'a> {
        let closes = benchmark.and_then(|symbol| self.benchmarks.get(symbol));
        Prices::new(self.bars, day, closes.map_or(&[][..], Vec::as_slice))
    }

    /// Computes each feature at all bars, and hands it over with its place in the list.
    pub(super) fn columns<E>(
        &self,
        day: &[i32],
        features: &[Feature],
        mut take: impl FnMut(usize, &[f64]) -> Result<(), E>,
    ) -> Result<(), E> {
        passes(features).iter().try_for_each(|pass| {
            let mut taken = Ok(());
            pass.compute(&self.prices(day, pass.benchmark()), |place, values| {
                if taken.is_ok() {
                    taken = take(place, values);
                }
            });
            taken
        })
    }
}

impl<'a> Prices<'a> {
    /// Returns the numbers of a series.
    pub fn new(bars: &'a Bars, day: &'a [i32], benchmark: &'a [f64]) -> Self {
        let Bars { open, high, low, close, volume, .. } = bars;
        Self { open, high, low, close, volume, day, benchmark }
    }
}
