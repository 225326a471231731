//! Fills the table of all features of all symbols.
//!
//! In: series and features. Out: a [`FeatureTable`]. Invariant: the values do not depend on the
//! number of threads.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::io;

use oculus_job::request::Timeframe;
use oculus_plugin_api::FeatureRole;

use super::feature::{Feature, longest_warm_up};
use super::ohlcv::OhlcvView;
use super::passes::passes;
use crate::bars::Bars;
use crate::matrix::{Layout, Matrix, OutOfSpaceError, TableFile};
use crate::parallel::parallel_map;

/// A table of all features of all symbols: one row per symbol and bar after the warm-up, ordered by
/// symbol, then time.
#[derive(Clone, Debug, Default)]
pub struct FeatureTable {
    /// Canonical names, one per column.
    pub names: Vec<String>,
    /// Users of each column: models and rules, or rules only.
    pub roles: Vec<FeatureRole>,
    /// Finite values, column-major, `n_features × n_rows`.
    pub values: Matrix,
    /// Tickers, by symbol index.
    pub symbols: Vec<String>,
    /// Index of each row's symbol in `symbols`.
    pub symbol: Vec<u32>,
    /// Index of each row's bar in the bars of its symbol.
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

    /// Returns the values of the feature with this name, or `None` if the table does not contain
    /// it.
    pub fn by_name(&self, name: &str) -> Option<&[f32]> {
        self.names.iter().position(|other| other == name).map(|idx| self.column(idx))
    }
}

/// The input of one symbol's features.
pub(super) struct SymbolSeries<'a> {
    /// Bars of the symbol.
    pub(super) bars: &'a Bars,
    /// Closes of each benchmark, one per bar in `bars`; the key is the benchmark's symbol.
    pub(super) benchmarks: BTreeMap<String, Vec<f64>>,
}

/// Computes the features of all series on up to `n_threads` threads.
///
/// # Errors
/// Returns [`OutOfSpaceError`] if the values cannot be written to the temporary folder.
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
        // A symbol with fewer bars than the warm-up has no rows.
        let first = warm_up_bars.min(bars.len());
        first_rows.push(table.n_rows());
        table.symbol.extend(std::iter::repeat_n(symbol_idx as u32, bars.len() - first));
        table.bar.extend(first as u32..bars.len() as u32);
        table.time.extend(&bars.time[first..]);
        table.day.extend(&day[first..]);
    }
    let file = TableFile::create(Layout { n_rows: table.n_rows(), n_features: features.len() })?;
    let passes = passes(features);
    let written = parallel_map(n_threads, &longest_first(series, passes.len()), |&(symbol_idx, pass_idx)| {
        let one = &series[symbol_idx];
        let pass = &passes[pass_idx];
        let first = warm_up_bars.min(one.bars.len());
        let mut written = Ok(());
        pass.compute(&one.prices(&days[symbol_idx], pass.benchmark()), |feature_idx, computed| {
            // After a failed write, the other columns of the pass are skipped and the first error
            // is returned.
            if written.is_ok() {
                written = file.write_values(feature_idx, first_rows[symbol_idx], &computed[first..]);
            }
        });
        written
    });
    written.into_iter().collect::<io::Result<()>>()?;
    table.values = file.into_matrix()?;
    Ok(table)
}

/// Returns every pair of a symbol and a pass, the longest series first.
///
/// Short tasks come last, so that no thread is still busy with a long task while the others are
/// idle.
fn longest_first(series: &[SymbolSeries<'_>], n_passes: usize) -> Vec<(usize, usize)> {
    let mut order: Vec<usize> = (0..series.len()).collect();
    order.sort_by_key(|&symbol_idx| Reverse(series[symbol_idx].bars.len()));
    order.into_iter().flat_map(|symbol_idx| (0..n_passes).map(move |pass_idx| (symbol_idx, pass_idx))).collect()
}

impl SymbolSeries<'_> {
    /// Returns the view that a pass reads.
    pub(super) fn prices<'a>(&'a self, day: &'a [i32], benchmark: Option<&str>) -> OhlcvView<'a> {
        let closes = benchmark.and_then(|symbol| self.benchmarks.get(symbol));
        OhlcvView::new(self.bars, day, closes.map_or(&[][..], Vec::as_slice))
    }

    /// Computes the features at all bars, and passes each feature to a callback.
    ///
    /// * `on_column`: receives the index of a feature in `features`, and its values.
    ///
    /// # Errors
    /// Returns the first error of `on_column`.
    pub(super) fn columns<E>(
        &self,
        day: &[i32],
        features: &[Feature],
        mut on_column: impl FnMut(usize, &[f64]) -> Result<(), E>,
    ) -> Result<(), E> {
        passes(features).iter().try_for_each(|pass| {
            let mut result = Ok(());
            pass.compute(&self.prices(day, pass.benchmark()), |feature_idx, values| {
                if result.is_ok() {
                    result = on_column(feature_idx, values);
                }
            });
            result
        })
    }
}

impl<'a> OhlcvView<'a> {
    /// Returns a view of a series.
    ///
    /// * `day`: session dates of the bars.
    /// * `benchmark`: closes of the benchmark at the bars; empty for features without a benchmark.
    pub fn new(bars: &'a Bars, day: &'a [i32], benchmark: &'a [f64]) -> Self {
        let Bars { open, high, low, close, volume, .. } = bars;
        Self { open, high, low, close, volume, day, benchmark }
    }
}
