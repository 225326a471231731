//! Writes synthetic bars to files for `--bars DIR`: CSV with six decimals, or Parquet in row
//! groups.
//!
//! In: bars. Out: bytes, which a writer receives. Invariant: reading a file of either format
//! returns the same bars.

use std::io::{self, Write};

use oculus_job::request::Timeframe;
use oculus_pipeline::bars::{Bars, format_bar_time, time_column};
use polars::prelude::{Column, DataFrame, NamedFrom, PolarsResult, Series};

use crate::table_writer::TableWriter;
use crate::time_column::time_series;

/// Number of bars per row group. One table per row group bounds the memory that a long series
/// needs.
const BARS_PER_GROUP: usize = 1 << 18;

/// Writes bars as CSV: a header, and one line per bar.
///
/// # Errors
/// Returns the error of the writer.
pub fn csv(bars: &Bars, timeframe: Timeframe, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "{},open,high,low,close,volume", time_column(timeframe))?;
    for bar in 0..bars.len() {
        let [open, high, low, close] = [&bars.open, &bars.high, &bars.low, &bars.close].map(|prices| prices[bar]);
        let time = format_bar_time(bars.time[bar], timeframe);
        let volume = bars.volume[bar];
        writeln!(out, "{time},{open:.6},{high:.6},{low:.6},{close:.6},{volume:.0}")?;
    }
    Ok(())
}

/// Writes bars as Parquet with the columns of the CSV file. `date` has the type Date, and
/// `timestamp` is in whole seconds since 1970-01-01 UTC.
///
/// # Errors
/// Returns the error of the encoder or the writer.
pub fn parquet(bars: &Bars, timeframe: Timeframe, out: &mut impl Write) -> PolarsResult<()> {
    // This table has no rows. Only its schema is used.
    let mut writer = TableWriter::new(Box::new(out), frame(bars, timeframe, 0, 0)?.schema())?;
    for first in (0..bars.len()).step_by(BARS_PER_GROUP) {
        writer.write(&frame(bars, timeframe, first, bars.len().min(first + BARS_PER_GROUP))?)?;
    }
    writer.finish()
}

/// Returns the bars from index `first` to `end` (excluded) as a table.
fn frame(bars: &Bars, timeframe: Timeframe, first: usize, end: usize) -> PolarsResult<DataFrame> {
    let times = &bars.time[first..end];
    let prices = [&bars.open, &bars.high, &bars.low, &bars.close, &bars.volume];
    let names = ["open", "high", "low", "close", "volume"];
    let named = names.into_iter().zip(prices);
    let columns = std::iter::once(Ok(Column::from(time_series(times, timeframe)?)))
        .chain(named.map(|(name, values)| Ok(Column::from(Series::new(name.into(), &values[first..end])))));
    DataFrame::new(end - first, columns.collect::<PolarsResult<_>>()?)
}
