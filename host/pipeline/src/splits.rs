//! Splits the dates into walk-forward folds and a test period that share no information.
//!
//! In: rows with their session dates, and labels with the date on which each is known. Out:
//! ascending row indices by role. Invariants: the label of a training row is known before the
//! validation or test period begins; no date is in both the training and the validation period of a
//! fold; no row before the labelled span has a role.
//!
//! - Purge: rows whose label is not known before the next period begins are removed. A model is
//!   fitted only on labels that are known before the period on which it is evaluated.
//! - Embargo: training rows must not come from a number of dates after an evaluated period. The
//!   embargo is 0 dates here, because a walk-forward fold never trains on rows after the period
//!   that it is evaluated on. `report/sections.rs` reports it as `embargo_dates`.
//!
//! Source: López de Prado, *Advances in Financial Machine Learning*, 2018, chapter 7.

mod classes;
mod tail;
#[cfg(test)]
mod tests;

use std::{collections::BTreeSet, ops::Range};

use oculus_job::code::ErrorCode;
use oculus_job::error::JobError;
use oculus_job::progress::Phase;

pub(crate) use self::{
    classes::{ClassCounts, class_counts, n_episodes},
    tail::{TAIL_SHARE, tail},
};
use super::{bars::LabelledSpan, bars::TEST_PERIOD_DIVISOR, features::FeatureTable, labels::Label};

/// The calendar of a job: blocks of development dates, then the test period. All labels of a job
/// share it.
#[derive(Clone, Debug, PartialEq)]
pub struct Partition {
    /// `cv_folds + 1` blocks of session dates (days since 1970-01-01), oldest first, end exclusive.
    pub blocks: Vec<Range<i32>>,
    /// The session dates of the test period (days since 1970-01-01), end exclusive.
    pub test: Range<i32>,
    /// The span of the rows that can have a role.
    pub span: LabelledSpan,
}

/// One walk-forward step for one label: ascending row indices of the feature table.
#[derive(Clone, Debug, PartialEq)]
pub struct Fold {
    /// Rows of the blocks before the validation block, with or without a label. Scalers and bins
    /// are fitted on them.
    pub learn_rows: Vec<u32>,
    /// Rows to train on: the rows of `learn_rows` whose label is known before the validation block
    /// starts.
    pub train_rows: Vec<u32>,
    /// Rows to validate on: the rows of the validation block whose label is known before the next
    /// block or the test period starts.
    pub valid_rows: Vec<u32>,
}

/// The rows of one label, by role.
#[derive(Clone, Debug, PartialEq)]
pub struct Splits {
    /// Walk-forward folds, oldest first.
    pub folds: Vec<Fold>,
    /// Rows of the final fit, from the whole development period.
    pub development: Development,
    /// Rows of the test period that have a label.
    pub test_rows: Vec<u32>,
}

/// The rows of the final fit.
#[derive(Clone, Debug, PartialEq)]
pub struct Development {
    /// Rows of all development dates, with or without a label. Scalers and bins are fitted on them.
    pub learn_rows: Vec<u32>,
    /// Rows to train on: the rows of `learn_rows` whose label is known before the test period
    /// starts.
    pub train_rows: Vec<u32>,
}

impl Partition {
    /// Splits the dates of all symbols together.
    ///
    /// Labelled dates are the dates of the span on which at least one symbol has a label of the
    /// longest horizon. The last fifth of them is the test period; the others are divided into
    /// `cv_folds + 1` equal blocks.
    ///
    /// # Errors
    /// Returns `too_few_bars` if a block or the test period would have no date.
    pub fn new(table: &FeatureTable, labels: &[Label], cv_folds: u32, span: LabelledSpan) -> Result<Self, JobError> {
        let n_blocks = cv_folds as usize + 1;
        let dates = labelled_dates(table, labels, span);
        let n_test = dates.len() / TEST_PERIOD_DIVISOR;
        let n_development = dates.len() - n_test;
        if n_test == 0 || n_development < n_blocks {
            return Err(too_few_dates(dates.len(), n_blocks));
        }
        // `first(n_blocks)` is the first date of the test period, so the last block ends where the
        // test period begins.
        let block = |idx: usize| {
            // These bounds spread the remainder, so that the blocks differ by one date at most.
            let first = |idx: usize| dates[idx * n_development / n_blocks];
            first(idx)..first(idx + 1)
        };
        // The test period includes the rows after the last labelled date. They have no label of the
        // longest horizon, but can have labels of shorter horizons.
        let last_day = table.day.iter().max().copied().unwrap_or_default();
        let test = dates[n_development]..last_day + 1;
        Ok(Self { blocks: (0..n_blocks).map(block).collect(), test, span })
    }

    /// Returns the rows of one label, by role.
    pub fn splits(&self, table: &FeatureTable, label: &Label) -> Splits {
        let rows = Rows { eligible: eligible_rows(table, self.span), table, label };
        let start = self.blocks.first().map_or(self.test.start, |block| block.start);
        // `learn_rows` is not purged, because it is used without labels, and features do not depend
        // on later bars.
        let fold = |valid: &Range<i32>| Fold {
            learn_rows: rows.on_dates(start..valid.start),
            train_rows: rows.purged(start..valid.start),
            valid_rows: rows.purged(valid.clone()),
        };
        Splits {
            folds: self.blocks.iter().skip(1).map(fold).collect(),
            development: Development {
                learn_rows: rows.on_dates(start..self.test.start),
                train_rows: rows.purged(start..self.test.start),
            },
            test_rows: rows.purged(self.test.clone()),
        }
    }
}

/// The rows that can have a role, and the table and the label that determine the role.
struct Rows<'a> {
    eligible: Vec<u32>,
    table: &'a FeatureTable,
    label: &'a Label,
}

impl Rows<'_> {
    /// Returns the rows on these dates, with or without a label.
    fn on_dates(&self, dates: Range<i32>) -> Vec<u32> {
        let within = |row: &u32| dates.contains(&self.table.day[*row as usize]);
        self.eligible.iter().copied().filter(within).collect()
    }

    /// Returns the rows on these dates after the purge: only rows whose label is known before the
    /// dates end.
    ///
    /// The next period starts where the dates end. The head of this file explains why there is no
    /// embargo.
    fn purged(&self, dates: Range<i32>) -> Vec<u32> {
        let known = |row: &u32| self.label.is_known(*row) && self.label.known_day[*row as usize] < dates.end;
        self.on_dates(dates.clone()).into_iter().filter(known).collect()
    }
}

/// Returns the rows of the span that have a whole window, which means enough earlier rows of the
/// same symbol.
fn eligible_rows(table: &FeatureTable, span: LabelledSpan) -> Vec<u32> {
    let mut n_up_to = 0;
    let mut rows = Vec::new();
    // The rows of a symbol are contiguous in the table, so the count restarts where the symbol
    // changes.
    for row in 0..table.n_rows() {
        n_up_to = if row > 0 && table.symbol[row] == table.symbol[row - 1] { n_up_to + 1 } else { 1 };
        if n_up_to >= span.lookback_rows && table.day[row] >= span.first_day {
            rows.push(row as u32);
        }
    }
    rows
}

fn labelled_dates(table: &FeatureTable, labels: &[Label], span: LabelledSpan) -> Vec<i32> {
    // The longest horizon has the fewest labelled dates. All labels of a job use these dates, so
    // that they share one calendar.
    let Some(longest) = labels.iter().max_by_key(|label| label.horizon_bars) else { return Vec::new() };
    let known = eligible_rows(table, span).into_iter().filter(|&row| longest.is_known(row));
    known.map(|row| table.day[row as usize]).collect::<BTreeSet<_>>().into_iter().collect()
}

fn too_few_dates(n_dates: usize, n_blocks: usize) -> JobError {
    let n_folds = n_blocks - 1;
    JobError::refused(
        Phase::FeatureEngineering,
        ErrorCode::TooFewBars,
        format!(
            "{n_dates} dates have a label; {n_folds} folds and a test period need at least {}",
            // A fifth of the dates is the test period, so the other four fifths must contain one
            // date per block. With fewer than five dates, a fifth would round down to no date.
            (n_blocks * 5).div_ceil(4).max(5)
        ),
        "request more years, fewer folds or shorter horizons",
    )
}
