//! The rows that a job used, per symbol: their description in an artifact, and the set of any other
//! row by its symbol and time.
//!
//! A row is found by symbol and time instead of its index, because a prediction reads other bars
//! than the job.

use oculus_job::request::Timeframe;
use oculus_pipeline::ArtifactInputs;
use oculus_pipeline::bars::format_bar_time;
use oculus_pipeline::features::FeatureTable;

use super::description::{RowSpan, RowsUsed, TrainingRecord};
use super::row_set::RowSet;

/// Returns the rows of each symbol of the job that the models were fitted on and evaluated on.
pub(super) fn rows_used(inputs: &ArtifactInputs) -> Vec<RowsUsed> {
    let ArtifactInputs { market, table, splits, .. } = inputs;
    let used = |(symbol_idx, symbol): (usize, &String)| {
        let span = |rows: &[u32]| span(table, symbol_idx as u32, rows, market.timeframe);
        RowsUsed { symbol: symbol.clone(), train: span(&splits.development.train_rows), test: span(&splits.test_rows) }
    };
    table.symbols.iter().enumerate().map(used).collect()
}

/// Returns the span of the rows of one symbol, or `None` if the symbol has no row.
///
/// * `rows`: ascending rows of all symbols.
fn span(table: &FeatureTable, symbol: u32, rows: &[u32], timeframe: Timeframe) -> Option<RowSpan> {
    let of_symbol = rows.iter().map(|&row| row as usize).filter(|&row| table.symbol[row] == symbol);
    let times: Vec<i64> = of_symbol.map(|row| table.time[row]).collect();
    let (&from_time, &to_time) = times.first().zip(times.last())?;
    Some(RowSpan {
        n_rows: times.len(),
        from: format_bar_time(from_time, timeframe),
        to: format_bar_time(to_time, timeframe),
        from_time,
        to_time,
    })
}

impl RowSpan {
    fn contains(&self, time: i64) -> bool {
        (self.from_time..=self.to_time).contains(&time)
    }
}

impl TrainingRecord {
    /// Returns the set of a row for the final models; `None` if an earlier version wrote the
    /// artifact, which does not contain the rows.
    ///
    /// * `time`: start of the row's bar, seconds since 1970-01-01 UTC.
    pub(crate) fn row_set(&self, symbol: &str, time: i64) -> Option<RowSet> {
        // The job has training rows, so this is `None` only without any description of rows.
        let test_start = self.test_start()?;
        let used = self.rows.iter().find(|used| used.symbol == symbol);
        let contains = |span: fn(&RowsUsed) -> &Option<RowSpan>| {
            used.and_then(|used| span(used).as_ref()).is_some_and(|span| span.contains(time))
        };
        Some(if contains(|used| &used.train) {
            RowSet::Train
        } else if contains(|used| &used.test) {
            RowSet::Test
        } else if time < test_start {
            RowSet::Validation
        } else {
            RowSet::New
        })
    }

    /// Returns the start of the first test row of all symbols. Without test rows, this is the first
    /// time after the training rows.
    fn test_start(&self) -> Option<i64> {
        let test = self.rows.iter().filter_map(|used| Some(used.test.as_ref()?.from_time)).min();
        let after_training = self.rows.iter().filter_map(|used| Some(used.train.as_ref()?.to_time + 1)).max();
        test.or(after_training)
    }
}
