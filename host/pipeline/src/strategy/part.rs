//! A stretch of session dates: whose bars fall into it, on which dates, and which rows of the feature table they have.
//!
//! In: bars, feature table, dates. Out: [`Part`]. Invariant: nothing before or after its dates is within reach.

use std::ops::Range;

use super::backtest::Prices;
use crate::{bars::Market, features::FeatureTable};

/// A stretch of session dates.
#[derive(Clone, Debug)]
pub(super) struct Part<'a> {
    /// The dates on which any symbol has a bar, ascending, days since 1970-01-01.
    pub(super) dates: Vec<i32>,
    /// Symbols that have a bar on each date, at least 1.
    pub(super) n_present: Vec<usize>,
    /// One a symbol of the market; some may be without bars here.
    pub(super) symbols: Vec<SymbolPart<'a>>,
}

/// The bars of one symbol.
#[derive(Clone, Debug)]
pub(super) struct SymbolPart<'a> {
    /// The first of them in the symbol's bars.
    pub(super) first_bar: usize,
    /// Their prices.
    pub(super) prices: Prices<'a>,
    /// Position of each bar's date.
    pub(super) date_idx: Vec<u32>,
    /// Each bar's row in the feature table, where it has one.
    pub(super) row: Vec<Option<u32>>,
}

impl<'a> Part<'a> {
    /// The bars of these dates, end exclusive.
    ///
    /// * `days`: session date of each bar of each symbol.
    pub(super) fn of(market: &'a Market, table: &FeatureTable, days: &[Vec<i32>], span: &Range<i32>) -> Self {
        let bars: Vec<Range<usize>> = days.iter().map(|days| within(days, span)).collect();
        let mut dates: Vec<i32> =
            days.iter().zip(&bars).flat_map(|(days, bars)| &days[bars.clone()]).copied().collect();
        dates.sort_unstable();
        dates.dedup();
        let mut row: Vec<Vec<Option<u32>>> = bars.iter().map(|bars| vec![None; bars.len()]).collect();
        for table_row in 0..table.n_rows() {
            let (symbol_idx, bar) = (table.symbol[table_row] as usize, table.bar[table_row] as usize);
            if bars[symbol_idx].contains(&bar) {
                row[symbol_idx][bar - bars[symbol_idx].start] = Some(table_row as u32);
            }
        }
        let date_idx = |day: &i32| dates.partition_point(|date| date < day) as u32;
        let symbols = market.bars.iter().zip(days).zip(bars).zip(row).map(|(((series, days), bars), row)| SymbolPart {
            first_bar: bars.start,
            date_idx: days[bars.clone()].iter().map(date_idx).collect(),
            prices: Prices {
                open: &series.open[bars.clone()],
                high: &series.high[bars.clone()],
                low: &series.low[bars.clone()],
                close: &series.close[bars],
            },
            row,
        });
        let symbols: Vec<SymbolPart<'a>> = symbols.collect();
        let mut n_present = vec![0; dates.len()];
        for session in symbols.iter().flat_map(|symbol| symbol.date_idx.chunk_by(|date, next| date == next)) {
            n_present[session[0] as usize] += 1;
        }
        Self { dates, n_present, symbols }
    }

    pub(super) fn n_dates(&self) -> usize {
        self.dates.len()
    }

    /// Symbols that have a bar on a date, on average.
    pub(super) fn mean_n_present(&self) -> f64 {
        self.n_present.iter().sum::<usize>() as f64 / self.n_dates().max(1) as f64
    }
}

fn within(days: &[i32], span: &Range<i32>) -> Range<usize> {
    days.partition_point(|&day| day < span.start)..days.partition_point(|&day| day < span.end)
}
