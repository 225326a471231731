//! Writes predictions as CSV or Parquet with the columns `symbol`, `date` (or `timestamp`),
//! `set`, `score`, `probability`, `signal` and `rank_score`.

use std::fmt::Write as _;
use std::io::Write as _;

use anyhow::Context;
use oculus_job::request::Timeframe;
use oculus_market_data::table_writer::parquet_bytes;
use oculus_pipeline::bars::{format_bar_time, time_column};
use oculus_pipeline::features::FeatureTable;
use oculus_pipeline::models::Calibration;
use polars::prelude::{Column, DataFrame, NamedFrom, Series};

use crate::artifacts::RowSet;
use crate::cli::output_file::{OutputFile, cannot_write, write_completely};

/// The predictions to write.
pub(super) struct Signals<'a> {
    /// The table that was scored.
    pub table: &'a FeatureTable,
    /// The rows of the table to write, ascending.
    pub rows: &'a [usize],
    /// One set per row of the table; `None` if it is unknown.
    pub sets: &'a [Option<RowSet>],
    /// One score per row of the table; NaN for a row without a score.
    pub scores: &'a [f32],
    /// Conversion of scores into probabilities, if the model has one.
    pub calibration: Option<Calibration>,
    /// Whether each row of the table is a signal; `None` if that is unknown.
    pub flags: &'a [Option<bool>],
    /// One rank score per row of the table, if the model has them; NaN for a row without a score.
    pub rank_scores: Option<&'a [f32]>,
    /// Length of a bar; selects dates or timestamps.
    pub timeframe: Timeframe,
}

/// Writes predictions to a file atomically.
///
/// # Errors
/// Returns an error if the file cannot be written.
pub(super) fn write_file(file: &OutputFile, signals: &Signals<'_>) -> anyhow::Result<()> {
    let (path, bytes) = match file {
        OutputFile::Csv(path) => (path, signals.csv().into_bytes()),
        OutputFile::Parquet(path) => (path, signals.parquet()?),
    };
    write_completely(path, |out| out.write_all(&bytes).with_context(|| cannot_write(path)))
}

impl Signals<'_> {
    /// Returns CSV with one line per row. Each number has the fewest digits that parse to the same
    /// value; a missing score is empty.
    pub(super) fn csv(&self) -> String {
        let mut csv = format!("symbol,{},set,score,probability,signal,rank_score\n", time_column(self.timeframe));
        for &row in self.rows {
            let score = self.score(row).map(|score| score.to_string()).unwrap_or_default();
            let probability = self.probability(row).map(|probability| probability.to_string()).unwrap_or_default();
            let signal = self.signal(row).map(|signal| signal.to_string()).unwrap_or_default();
            let set = self.set(row).unwrap_or_default();
            let rank_score = self.rank_score(row).map(|score| score.to_string()).unwrap_or_default();
            let (symbol, when) = (self.symbol(row), self.when(row));
            // Writing to a string cannot fail.
            let _ = writeln!(csv, "{symbol},{when},{set},{score},{probability},{signal},{rank_score}");
        }
        csv
    }

    /// Returns a Parquet file with the rows and columns of [`Signals::csv`]; a missing score is
    /// null.
    fn parquet(&self) -> anyhow::Result<Vec<u8>> {
        let symbols: Vec<&str> = self.rows.iter().map(|&row| self.symbol(row)).collect();
        let times: Vec<String> = self.rows.iter().map(|&row| self.when(row)).collect();
        let sets: Vec<Option<&str>> = self.rows.iter().map(|&row| self.set(row)).collect();
        let scores: Vec<Option<f32>> = self.rows.iter().map(|&row| self.score(row)).collect();
        let probabilities: Vec<Option<f64>> = self.rows.iter().map(|&row| self.probability(row)).collect();
        let signals: Vec<Option<i32>> = self.rows.iter().map(|&row| self.signal(row)).collect();
        let rank_scores: Vec<Option<f32>> = self.rows.iter().map(|&row| self.rank_score(row)).collect();
        let columns = vec![
            Column::from(Series::new("symbol".into(), symbols)),
            Column::from(Series::new(time_column(self.timeframe).into(), times)),
            Column::from(Series::new("set".into(), sets)),
            Column::from(Series::new("score".into(), scores)),
            Column::from(Series::new("probability".into(), probabilities)),
            Column::from(Series::new("signal".into(), signals)),
            Column::from(Series::new("rank_score".into(), rank_scores)),
        ];
        Ok(parquet_bytes(DataFrame::new(self.rows.len(), columns)?)?)
    }

    fn symbol(&self, row: usize) -> &str {
        &self.table.symbols[self.table.symbol[row] as usize]
    }

    fn set(&self, row: usize) -> Option<&'static str> {
        self.sets[row].map(RowSet::name)
    }

    fn when(&self, row: usize) -> String {
        format_bar_time(self.table.time[row], self.timeframe)
    }

    fn score(&self, row: usize) -> Option<f32> {
        Some(self.scores[row]).filter(|score| score.is_finite())
    }

    fn probability(&self, row: usize) -> Option<f64> {
        Some(self.calibration?.probability(self.score(row)?))
    }

    fn rank_score(&self, row: usize) -> Option<f32> {
        Some(self.rank_scores?[row]).filter(|score| score.is_finite())
    }

    /// Returns 1 if the row is a signal, else 0.
    fn signal(&self, row: usize) -> Option<i32> {
        self.flags[row].map(i32::from)
    }
}

#[cfg(test)]
mod tests {
    use polars::prelude::{ParquetReader, SerReader};

    use super::*;

    fn with_signals<R>(work: impl FnOnce(&Signals<'_>) -> R) -> R {
        let table = FeatureTable {
            symbols: vec!["A".to_owned(), "B".to_owned()],
            symbol: vec![0, 0, 1],
            time: vec![0, 86_400, 0],
            day: vec![0, 1, 0],
            ..FeatureTable::default()
        };
        let rows = [1, 2];
        let scores = [0.9, 0.3, f32::NAN];
        let sets = [Some(RowSet::Train), Some(RowSet::New), None];
        let flags = [Some(false), Some(true), None];
        work(&Signals {
            table: &table,
            rows: &rows,
            sets: &sets,
            scores: &scores,
            calibration: None,
            flags: &flags,
            rank_scores: Some(&[0.5, -0.25, f32::NAN]),
            timeframe: Timeframe::Day1,
        })
    }

    #[test]
    fn a_row_without_a_score_has_neither_probability_nor_signal() {
        let csv = with_signals(|signals| signals.csv());
        let header = "symbol,date,set,score,probability,signal,rank_score";
        assert_eq!(csv, format!("{header}\nA,1970-01-02,new,0.3,,1,-0.25\nB,1970-01-01,,,,,\n"));
    }

    #[test]
    fn parquet_and_csv_contain_the_same_rows() {
        let bytes = with_signals(|signals| signals.parquet().unwrap());
        let frame = ParquetReader::new(std::io::Cursor::new(bytes)).finish().unwrap();
        let names: Vec<&str> = frame.get_column_names().into_iter().map(|name| name.as_str()).collect();
        assert_eq!(names, ["symbol", "date", "set", "score", "probability", "signal", "rank_score"]);
        let scores: Vec<_> = frame.column("score").unwrap().f32().unwrap().iter().collect();
        assert_eq!(scores, [Some(0.3), None]);
        assert_eq!(frame.column("probability").unwrap().f64().unwrap().null_count(), 2, "there is no calibration");
        assert_eq!(frame.column("signal").unwrap().i32().unwrap().iter().collect::<Vec<_>>(), [Some(1), None]);
        assert_eq!(frame.column("set").unwrap().str().unwrap().iter().collect::<Vec<_>>(), [Some("new"), None]);
        assert_eq!(frame.column("date").unwrap().str().unwrap().get(0), Some("1970-01-02"));
    }
}
