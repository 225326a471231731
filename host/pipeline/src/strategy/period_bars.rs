//! The bars of a period: their prices, their dates, and their rows of the feature table.
//!
//! In: the bars, the feature table, and a range of dates. Out: [`PeriodBars`]. Invariant: no bar
//! before or after the dates is accessible.

use std::ops::Range;

use super::backtest::PeriodPrices;
use crate::{bars::Market, features::FeatureTable};

/// The bars of all symbols in a range of session dates.
#[derive(Clone, Debug)]
pub(super) struct PeriodBars<'a> {
    /// Dates on which any symbol has a bar, ascending, days since 1970-01-01.
    pub(super) dates: Vec<i32>,
    /// Number of symbols with a bar, at least 1; one entry per date.
    pub(super) n_present: Vec<usize>,
    /// One entry per symbol of the market; a symbol may have no bars in the period.
    pub(super) symbols: Vec<SymbolBars<'a>>,
}

/// The bars of one symbol.
#[derive(Clone, Debug)]
pub(super) struct SymbolBars<'a> {
    /// Index of the period's first bar among all bars of the symbol.
    pub(super) first_bar: usize,
    /// Start of each bar, seconds since 1970-01-01 UTC.
    pub(super) time: &'a [i64],
    /// Prices of the bars.
    pub(super) prices: PeriodPrices<'a>,
    /// Index of each bar's date among the dates of the period.
    pub(super) date_idx: Vec<u32>,
    /// Row of each bar in the feature table, if the bar has one.
    pub(super) row: Vec<Option<u32>>,
}

impl<'a> PeriodBars<'a> {
    /// Selects the bars of a range of dates.
    ///
    /// * `days`: session date of each bar of each symbol.
    /// * `span`: range of dates, end exclusive.
    pub(super) fn new(market: &'a Market, table: &FeatureTable, days: &[Vec<i32>], span: &Range<i32>) -> Self {
        let bars: Vec<Range<usize>> = days.iter().map(|days| bars_within(days, span)).collect();
        let dates = dates_of(days, &bars);
        let rows = rows_of(table, &bars);
        let date_idx = |day: &i32| dates.partition_point(|date| date < day) as u32;
        let symbols = market.bars.iter().zip(days).zip(bars).zip(rows);
        let symbols: Vec<SymbolBars<'a>> = symbols
            .map(|(((series, days), bars), row)| SymbolBars {
                first_bar: bars.start,
                time: &series.time[bars.clone()],
                date_idx: days[bars.clone()].iter().map(date_idx).collect(),
                prices: PeriodPrices {
                    open: &series.open[bars.clone()],
                    high: &series.high[bars.clone()],
                    low: &series.low[bars.clone()],
                    close: &series.close[bars],
                },
                row,
            })
            .collect();
        let n_present = count_present(dates.len(), &symbols);
        Self { dates, n_present, symbols }
    }

    /// Returns the number of dates.
    pub(super) fn n_dates(&self) -> usize {
        self.dates.len()
    }

    /// Returns the number of symbols with a bar, averaged over the dates.
    pub(super) fn mean_n_present(&self) -> f64 {
        self.n_present.iter().sum::<usize>() as f64 / self.n_dates().max(1) as f64
    }
}

fn bars_within(days: &[i32], span: &Range<i32>) -> Range<usize> {
    let start = days.partition_point(|&day| day < span.start);
    let end = days.partition_point(|&day| day < span.end);
    start..end
}

/// Returns the dates of some bars of each symbol, ascending.
fn dates_of(days: &[Vec<i32>], bars: &[Range<usize>]) -> Vec<i32> {
    let mut dates: Vec<i32> = days.iter().zip(bars).flat_map(|(days, bars)| &days[bars.clone()]).copied().collect();
    dates.sort_unstable();
    dates.dedup();
    dates
}

/// Returns the rows of the feature table that belong to some bars of each symbol.
fn rows_of(table: &FeatureTable, bars: &[Range<usize>]) -> Vec<Vec<Option<u32>>> {
    let mut rows: Vec<Vec<Option<u32>>> = bars.iter().map(|bars| vec![None; bars.len()]).collect();
    for table_row in 0..table.n_rows() {
        let symbol_idx = table.symbol[table_row] as usize;
        let bar = table.bar[table_row] as usize;
        if bars[symbol_idx].contains(&bar) {
            rows[symbol_idx][bar - bars[symbol_idx].start] = Some(table_row as u32);
        }
    }
    rows
}

/// Counts the symbols with a bar on each date.
fn count_present(n_dates: usize, symbols: &[SymbolBars<'_>]) -> Vec<usize> {
    let mut n_present = vec![0; n_dates];
    // The bars of a symbol ascend, so the bars of one date are adjacent.
    for session in symbols.iter().flat_map(|symbol| symbol.date_idx.chunk_by(|date, next| date == next)) {
        n_present[session[0] as usize] += 1;
    }
    n_present
}
