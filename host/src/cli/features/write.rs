//! Writes features as CSV or Parquet, one group of rows at a time.
//!
//! Out: a column `date` or `timestamp`, a column `symbol` if there are several symbols, then one
//! column per feature. A feature without a value is empty in CSV and null in Parquet.

use std::io::Write;
use std::ops::Range;

use anyhow::Context;
use oculus_job::request::Timeframe;
use oculus_market_data::table_writer::TableWriter;
use oculus_market_data::time_column::time_series;
use oculus_pipeline::bars::{format_bar_time, time_column};
use polars::prelude::{Column, DataFrame, NamedFrom, Series};

use super::columns::Columns;

/// Number of rows that are in memory at a time. A row group of Parquet has the same number.
const GROUP_ROWS: usize = 1 << 16;

/// The layout of the output, which all rows share.
#[derive(Clone, Copy, Debug)]
pub(super) struct OutputLayout<'a> {
    /// Length of a bar; selects dates or timestamps.
    pub timeframe: Timeframe,
    /// The columns before the features.
    pub key_columns: KeyColumns,
    /// Names of the features.
    pub names: &'a [String],
}

/// The columns before the features.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KeyColumns {
    /// Only the time, because all rows belong to one symbol.
    Time,
    /// The time and the symbol.
    TimeAndSymbol,
}

/// The rows of one symbol.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rows<'a> {
    /// The symbol.
    pub symbol: &'a str,
    /// Start of each bar, seconds since 1970-01-01 UTC.
    pub times: &'a [i64],
    /// One column per feature.
    pub columns: &'a Columns,
}

/// The destination of rows.
pub(super) enum Sink<'a> {
    /// CSV. Each number has the fewest digits that parse to the same value.
    Csv(OutputLayout<'a>, Box<dyn Write + 'a>),
    /// Parquet.
    Parquet(OutputLayout<'a>, Box<TableWriter<'a>>),
}

impl<'a> Sink<'a> {
    /// Creates a CSV sink and writes the header.
    ///
    /// # Errors
    /// Returns an error if the header cannot be written.
    pub(super) fn csv(layout: OutputLayout<'a>, mut out: Box<dyn Write + 'a>) -> anyhow::Result<Self> {
        let symbol = (layout.key_columns == KeyColumns::TimeAndSymbol).then_some("symbol".to_owned());
        let names: Vec<String> = symbol.into_iter().chain(layout.names.iter().cloned()).collect();
        writeln!(out, "{},{}", time_column(layout.timeframe), names.join(","))?;
        Ok(Self::Csv(layout, out))
    }

    /// Creates a Parquet sink.
    ///
    /// # Errors
    /// Returns an error if the output or a temporary file cannot be written.
    pub(super) fn parquet(layout: OutputLayout<'a>, out: Box<dyn Write + 'a>) -> anyhow::Result<Self> {
        // The writer needs the schema before the first row, so the schema is taken from an empty
        // frame.
        let columns = Columns::create(0).context("cannot create a file in the temporary folder (TMPDIR)")?;
        let empty = Rows { symbol: "", times: &[], columns: &columns };
        let writer = TableWriter::new(out, frame(&layout, &empty, 0..0)?.schema())?;
        Ok(Self::Parquet(layout, Box::new(writer)))
    }

    /// Writes the rows of a symbol.
    ///
    /// # Errors
    /// Returns an error if the columns cannot be read or the output cannot be written.
    pub(super) fn write(&mut self, rows: &Rows<'_>) -> anyhow::Result<()> {
        let n_rows = rows.columns.n_rows();
        for first in (0..n_rows).step_by(GROUP_ROWS) {
            let group = first..n_rows.min(first + GROUP_ROWS);
            match self {
                Self::Csv(layout, out) => write_lines(layout, rows, group, out)?,
                Self::Parquet(layout, writer) => writer.write(&frame(layout, rows, group)?)?,
            }
        }
        Ok(())
    }

    /// Completes the output.
    ///
    /// # Errors
    /// Returns an error if the output cannot be written.
    pub(super) fn finish(self) -> anyhow::Result<()> {
        match self {
            Self::Csv(_, mut out) => out.flush()?,
            Self::Parquet(_, writer) => writer.finish()?,
        }
        Ok(())
    }
}

fn write_lines(
    layout: &OutputLayout<'_>,
    rows: &Rows<'_>,
    group: Range<usize>,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let read = |column_idx| rows.columns.read(column_idx, group.clone());
    let columns = (0..layout.names.len()).map(read).collect::<Result<Vec<_>, _>>()?;
    for (row, &time) in rows.times[group.clone()].iter().enumerate() {
        write!(out, "{}", format_bar_time(time, layout.timeframe))?;
        if layout.key_columns == KeyColumns::TimeAndSymbol {
            write!(out, ",{}", rows.symbol)?;
        }
        for column in &columns {
            if column[row].is_nan() { write!(out, ",")? } else { write!(out, ",{}", column[row])? }
        }
        writeln!(out)?;
    }
    Ok(())
}

fn frame(layout: &OutputLayout<'_>, rows: &Rows<'_>, group: Range<usize>) -> anyhow::Result<DataFrame> {
    let mut columns = vec![Column::from(time_series(&rows.times[group.clone()], layout.timeframe)?)];
    if layout.key_columns == KeyColumns::TimeAndSymbol {
        columns.push(Column::from(Series::new("symbol".into(), vec![rows.symbol; group.len()])));
    }
    for (column_idx, name) in layout.names.iter().enumerate() {
        let values = rows.columns.read(column_idx, group.clone())?;
        // Other tools treat null, not NaN, as a missing value.
        let values: Vec<Option<f64>> =
            values.into_iter().map(|value| Some(value).filter(|value| !value.is_nan())).collect();
        columns.push(Column::from(Series::new(name.as_str().into(), values)));
    }
    Ok(DataFrame::new(group.len(), columns)?)
}
