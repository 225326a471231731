//! Features as CSV or Parquet, a group of rows at a time: `date|timestamp`, `symbol` where there are several, then one
//! column per feature; empty where a feature has no value yet.

use std::io::Write;
use std::ops::Range;

use anyhow::Context;
use oculus_job::request::Timeframe;
use oculus_market_data::table_writer::TableWriter;
use oculus_market_data::time_column::time_series;
use oculus_pipeline::bars::{moment, time_column};
use polars::prelude::{Column, DataFrame, NamedFrom, Series};

use super::columns::Columns;

/// The number of rows in memory at a time.
const GROUP: usize = 1 << 16;

/// The properties that all rows share.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head<'a> {
    /// Length of a bar.
    pub timeframe: Timeframe,
    /// The columns before the features.
    pub lead: Lead,
    /// Names of the features.
    pub names: &'a [String],
}

/// The columns before the features.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lead {
    /// The time, for rows of one symbol.
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
    /// CSV; floats have the fewest digits that read back as the same value.
    Csv(Head<'a>, Box<dyn Write + 'a>),
    /// Parquet, one row group at a time.
    Parquet(Head<'a>, Box<TableWriter<'a>>),
}

impl<'a> Sink<'a> {
    /// Creates a CSV sink and writes its header.
    ///
    /// # Errors
    /// The writer's own.
    pub(super) fn csv(head: Head<'a>, mut out: Box<dyn Write + 'a>) -> anyhow::Result<Self> {
        let symbol = (head.lead == Lead::TimeAndSymbol).then_some("symbol".to_owned());
        let names: Vec<String> = symbol.into_iter().chain(head.names.iter().cloned()).collect();
        writeln!(out, "{},{}", time_column(head.timeframe), names.join(","))?;
        Ok(Self::Csv(head, out))
    }

    /// Creates a Parquet sink.
    ///
    /// # Errors
    /// The writer's own.
    pub(super) fn parquet(head: Head<'a>, out: Box<dyn Write + 'a>) -> anyhow::Result<Self> {
        let columns = Columns::create(0).context("no temporary file can be made (TMPDIR)")?;
        let empty = Rows { symbol: "", times: &[], columns: &columns };
        let writer = TableWriter::new(out, frame(&head, &empty, 0..0)?.schema())?;
        Ok(Self::Parquet(head, Box::new(writer)))
    }

    /// Writes the rows of a symbol.
    ///
    /// # Errors
    /// The writer's own, and that of reading the columns.
    pub(super) fn write(&mut self, rows: &Rows<'_>) -> anyhow::Result<()> {
        let n_rows = rows.columns.n_rows();
        for first in (0..n_rows).step_by(GROUP) {
            let group = first..n_rows.min(first + GROUP);
            match self {
                Self::Csv(head, out) => lines(head, rows, group, out)?,
                Self::Parquet(head, writer) => writer.write(&frame(head, rows, group)?)?,
            }
        }
        Ok(())
    }

    /// Writes the end of the file.
    ///
    /// # Errors
    /// The writer's own.
    pub(super) fn finish(self) -> anyhow::Result<()> {
        match self {
            Self::Csv(_, mut out) => out.flush()?,
            Self::Parquet(_, writer) => writer.finish()?,
        }
        Ok(())
    }
}

fn lines(head: &Head<'_>, rows: &Rows<'_>, group: Range<usize>, out: &mut dyn Write) -> anyhow::Result<()> {
    let read = |column_idx| rows.columns.read(column_idx, group.clone());
    let columns = (0..head.names.len()).map(read).collect::<Result<Vec<_>, _>>()?;
    for (row, &time) in rows.times[group.clone()].iter().enumerate() {
        write!(out, "{}", moment(time, head.timeframe))?;
        if head.lead == Lead::TimeAndSymbol {
            write!(out, ",{}", rows.symbol)?;
        }
        for column in &columns {
            if column[row].is_nan() { write!(out, ",")? } else { write!(out, ",{}", column[row])? }
        }
        writeln!(out)?;
    }
    Ok(())
}

fn frame(head: &Head<'_>, rows: &Rows<'_>, group: Range<usize>) -> anyhow::Result<DataFrame> {
    let mut columns = vec![Column::from(time_series(&rows.times[group.clone()], head.timeframe)?)];
    if head.lead == Lead::TimeAndSymbol {
        columns.push(Column::from(Series::new("symbol".into(), vec![rows.symbol; group.len()])));
    }
    for (column_idx, name) in head.names.iter().enumerate() {
        let values = rows.columns.read(column_idx, group.clone())?;
        let known: Vec<Option<f64>> =
            values.into_iter().map(|value| Some(value).filter(|value| !value.is_nan())).collect();
        columns.push(Column::from(Series::new(name.as_str().into(), known)));
    }
    Ok(DataFrame::new(group.len(), columns)?)
}
