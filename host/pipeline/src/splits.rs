//! Cuts the dates into walk-forward folds and an untouched test period that share no information.
//!
//! In: rows with their session dates, labels with the date at which each is known. Out: ascending row indices by role.
//! Invariants: the label of a training row is known before the validation or test period begins; no date is on both
//! sides of a fold; no row before the labelled span has a role.
//!
//! - Purge: rows whose label's horizon reaches into the next period are removed, so that no label
//!   that a model is fitted on is computed from bars of the period that the model is evaluated on.
//! - Embargo: rows that follow an evaluated period within a fixed number of dates are removed from
//!   the training rows; it is 0 dates here, because a walk-forward fold never trains on rows after
//!   the period that it is evaluated on.
//!
//! Source: López de Prado, *Advances in Financial Machine Learning*, 2018, chapter 7.

mod classes;
mod tail;
#[cfg(test)]
mod tests;

use std::{collections::BTreeSet, ops::Range};

use oculus_job::code::ErrorCode;
use oculus_job::failure::Failure;
use oculus_job::progress::Phase;

pub(crate) use self::{
    classes::{ClassCounts, class_counts, n_episodes},
    tail::{TAIL_SHARE, tail},
};
use super::{bars::LabelledSpan, bars::TEST_ONE_IN, features::FeatureTable, labels::Label};

/// The calendar of a job, the same for all its labels: blocks of development dates, then the test period.
#[derive(Clone, Debug, PartialEq)]
pub struct Partition {
    /// `cv_folds + 1` blocks of session dates (days since 1970-01-01), oldest first, end exclusive.
    pub blocks: Vec<Range<i32>>,
    /// The test period, end exclusive.
    pub test: Range<i32>,
    /// Which rows may have a role.
    pub span: LabelledSpan,
}

/// One walk-forward step for one label: ascending row indices of the feature table.
#[derive(Clone, Debug, PartialEq)]
pub struct Fold {
    /// Rows of labelled dates in blocks 1..=k, with or without a label: the rows that scalers and bins are fitted on.
    pub learn_rows: Vec<u32>,
    /// Rows to train on: labelled, and purged of those whose label is not known before the validation block starts.
    pub train_rows: Vec<u32>,
    /// Rows to validate on: labelled, and purged of those whose label is not known before the next block (or the test)
    /// starts.
    pub valid_rows: Vec<u32>,
}

/// The rows of one label in every role they can have.
#[derive(Clone, Debug, PartialEq)]
pub struct Splits {
    /// Walk-forward folds, oldest first.
    pub folds: Vec<Fold>,
    /// The final fit: the whole development period.
    pub development: Development,
    /// Rows of the test period: labelled.
    pub test_rows: Vec<u32>,
}

/// The rows of the final fit.
#[derive(Clone, Debug, PartialEq)]
pub struct Development {
    /// Rows of all development dates: the rows that scalers and bins are fitted on.
    pub learn_rows: Vec<u32>,
    /// Rows to train on: labelled, and purged of those whose label is not known before the test starts.
    pub train_rows: Vec<u32>,
}

impl Partition {
    /// Cuts the dates of all symbols together.
    ///
    /// Labelled dates are those of the span at which the label of longest horizon is known for at least one symbol. The
    /// last fifth of them is the test; the others are cut into `cv_folds + 1` equal blocks.
    ///
    /// # Errors
    /// `too_few_bars` where that leaves no date for a block or the test.
    pub fn new(table: &FeatureTable, labels: &[Label], cv_folds: u32, span: LabelledSpan) -> Result<Self, Failure> {
        let n_blocks = cv_folds as usize + 1;
        let dates = labelled_dates(table, labels, span);
        let n_test = dates.len() / TEST_ONE_IN;
        let n_development = dates.len() - n_test;
        if n_test == 0 || n_development < n_blocks {
            return Err(too_few_dates(dates.len(), n_blocks));
        }
        let block = |idx: usize| {
            let first = |idx: usize| dates[idx * n_development / n_blocks];
            first(idx)..first(idx + 1)
        };
        let last_day = table.day.iter().max().copied().unwrap_or_default();
        let test = dates[n_development]..last_day + 1;
        Ok(Self { blocks: (0..n_blocks).map(block).collect(), test, span })
    }

    /// Returns the rows of one label in every role.
    pub fn splits(&self, table: &FeatureTable, label: &Label) -> Splits {
        let rows = Rows { eligible: eligible_rows(table, self.span), table, label };
        let start = self.blocks.first().map_or(self.test.start, |block| block.start);
        let fold = |valid: &Range<i32>| Fold {
            learn_rows: rows.of_dates(start..valid.start),
            train_rows: rows.purged(start..valid.start),
            valid_rows: rows.purged(valid.clone()),
        };
        Splits {
            folds: self.blocks.iter().skip(1).map(fold).collect(),
            development: Development {
                learn_rows: rows.of_dates(start..self.test.start),
                train_rows: rows.purged(start..self.test.start),
            },
            test_rows: rows.purged(self.test.clone()),
        }
    }
}

/// The rows that may have a role, with the data that decides it.
struct Rows<'a> {
    eligible: Vec<u32>,
    table: &'a FeatureTable,
    label: &'a Label,
}

impl Rows<'_> {
    /// Returns the rows of these dates, with or without a label.
    fn of_dates(&self, dates: Range<i32>) -> Vec<u32> {
        let within = |row: &u32| dates.contains(&self.table.day[*row as usize]);
        self.eligible.iter().copied().filter(within).collect()
    }

    /// Returns the rows of these dates whose label is known before the dates end.
    fn purged(&self, dates: Range<i32>) -> Vec<u32> {
        let known = |row: &u32| self.label.is_known(*row) && self.label.known_day[*row as usize] < dates.end;
        self.of_dates(dates.clone()).into_iter().filter(known).collect()
    }
}

/// Returns the rows within the span that have enough rows of their symbol up to their own.
fn eligible_rows(table: &FeatureTable, span: LabelledSpan) -> Vec<u32> {
    let mut n_up_to = 0;
    let mut rows = Vec::new();
    for row in 0..table.n_rows() {
        n_up_to = if row > 0 && table.symbol[row] == table.symbol[row - 1] { n_up_to + 1 } else { 1 };
        if n_up_to >= span.lookback_rows && table.day[row] >= span.first_day {
            rows.push(row as u32);
        }
    }
    rows
}

fn labelled_dates(table: &FeatureTable, labels: &[Label], span: LabelledSpan) -> Vec<i32> {
    let Some(longest) = labels.iter().max_by_key(|label| label.horizon_bars) else { return Vec::new() };
    let known = eligible_rows(table, span).into_iter().filter(|&row| longest.is_known(row));
    known.map(|row| table.day[row as usize]).collect::<BTreeSet<_>>().into_iter().collect()
}

fn too_few_dates(n_dates: usize, n_blocks: usize) -> Failure {
    let n_folds = n_blocks - 1;
    Failure::refused(
        Phase::FeatureEngineering,
        ErrorCode::TooFewBars,
        format!(
            "{n_dates} dates have a label; {n_folds} folds and a test need at least {}",
            (n_blocks * 5).div_ceil(4).max(5)
        ),
        "ask for more years, fewer folds or shorter horizons",
    )
}
