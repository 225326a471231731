//! Cuts the dates into walk-forward folds and an untouched test period that share no information.

use std::ops::Range;

/// The calendar of a job, alike for all its labels: blocks of development dates, then the test period.
#[derive(Clone, Debug, PartialEq)]
pub struct Partition {
    /// `cv_folds + 1` blocks of session dates (days since 1970-01-01), oldest first, end exclusive.
    pub blocks: Vec<Range<i32>>,
    /// The test period, end exclusive.
    pub test: Range<i32>,
}

/// One walk-forward step for one label: ascending row indices of the feature table.
#[derive(Clone, Debug, PartialEq)]
pub struct Fold {
    /// Rows of labelled dates in blocks 1..=k, whatever their label: what scalers and bins may learn from.
    pub learn_rows: Vec<u32>,
    /// Rows to train on: labelled, and known before the validation block starts.
    pub train_rows: Vec<u32>,
    /// Rows to validate on: labelled, and known before the next block (or the test) starts.
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
    /// Rows of all development dates: what scalers and bins may learn from.
    pub learn_rows: Vec<u32>,
    /// Rows to train on: labelled, and known before the test starts.
    pub train_rows: Vec<u32>,
}
