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
use oculus_job::warning::{Warning, WarningCode};

pub(crate) use self::{
    classes::{ClassCounts, MinCounts, class_counts, n_episodes},
    tail::{TAIL_SHARE, tail},
};
use super::{bars::LabelledSpan, bars::TEST_PERIOD_DIVISOR, features::FeatureTable, labels::Label};

/// The calendar of a job: blocks of development dates, then the test period. All labels of a job
/// share it.
#[derive(Clone, Debug, PartialEq)]
pub struct Partition {
    /// Blocks of session dates (days since 1970-01-01), oldest first, end exclusive: one more than
    /// there are folds.
    pub blocks: Vec<Range<i32>>,
    /// The session dates of the test period (days since 1970-01-01), end exclusive.
    pub test: Range<i32>,
    /// The span of the rows that can have a role.
    pub span: LabelledSpan,
    /// Number of folds that the job requested. There are fewer if the counts of the labels do not
    /// bear this number.
    pub n_folds_requested: usize,
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
    /// Walk-forward folds whose training rows suffice, oldest first. If none suffices, the folds
    /// whose training rows have both classes.
    pub folds: Vec<Fold>,
    /// The validation rows of all folds, ascending.
    pub valid_rows: Vec<u32>,
    /// Rows of the final fit, from the whole development period.
    pub development: Development,
    /// Rows of the test period that have a label.
    pub test_rows: Vec<u32>,
}

impl Splits {
    /// Adds a number to every row index.
    pub(crate) fn shift_rows(&mut self, offset: u32) {
        let Self { folds, valid_rows, development, test_rows } = self;
        let of_folds =
            folds.iter_mut().flat_map(|fold| [&mut fold.learn_rows, &mut fold.train_rows, &mut fold.valid_rows]);
        let others = [valid_rows, &mut development.learn_rows, &mut development.train_rows, test_rows];
        of_folds.chain(others).flatten().for_each(|row| *row += offset);
    }
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
    /// equal blocks: one for training alone, and one per fold. There are `cv_folds` folds, or the
    /// largest smaller number for which the training rows of every fold suffice for some label.
    /// Only labels of development dates are counted.
    ///
    /// # Errors
    /// Returns `too_few_bars` if the test period or the blocks of a single fold would have no date.
    pub fn new(table: &FeatureTable, labels: &[Label], cv_folds: u32, span: LabelledSpan) -> Result<Self, JobError> {
        let dates = labelled_dates(table, labels, span);
        let n_test = dates.len() / TEST_PERIOD_DIVISOR;
        let n_development = dates.len() - n_test;
        if n_test == 0 || n_development < 2 {
            return Err(too_few_dates(dates.len()));
        }
        // The test period includes the rows after the last labelled date. They have no label of the
        // longest horizon, but can have labels of shorter horizons.
        let last_day = table.day.iter().max().copied().unwrap_or_default();
        let n_folds_requested = cv_folds.max(1) as usize;
        let with_folds = |n_folds: usize| Self {
            blocks: equal_blocks(&dates, n_development, n_folds + 1),
            test: dates[n_development]..last_day + 1,
            span,
            n_folds_requested,
        };
        // Every block needs a date.
        let most_folds = n_folds_requested.min(n_development - 1);
        let bearable = (1..=most_folds).rev().map(with_folds).find(|partition| partition.bears_folds(table, labels));
        // If no number of folds suffices, fewer folds would not help.
        Ok(bearable.unwrap_or_else(|| with_folds(most_folds)))
    }

    /// Returns the warning `folds_merged` if there are fewer folds than the job requested.
    pub fn warnings(&self) -> Vec<Warning> {
        let n_folds = self.blocks.len() - 1;
        let message = || {
            format!(
                "the job requests {} folds, but the training rows of the first ones would contain too few positives, \
                 negatives or episodes for every label; neighbouring blocks were merged into {n_folds} folds",
                self.n_folds_requested
            )
        };
        let is_merged = n_folds < self.n_folds_requested;
        is_merged.then(|| Warning::new(WarningCode::FoldsMerged, message())).into_iter().collect()
    }

    /// Returns whether the training rows of every fold suffice for at least one label.
    fn bears_folds(&self, table: &FeatureTable, labels: &[Label]) -> bool {
        let suffices = |label: &Label, fold: &Fold| {
            !fold.valid_rows.is_empty() && class_counts(table, label, &fold.train_rows).suffice(MinCounts::TRAIN)
        };
        labels.iter().any(|label| self.folds(table, label).iter().all(|fold| suffices(label, fold)))
    }

    /// Returns the rows of one label, by role.
    pub fn splits(&self, table: &FeatureTable, label: &Label) -> Splits {
        let rows = self.rows(table, label);
        let counts = |fold: &Fold| class_counts(table, label, &fold.train_rows);
        let folds = self.folds(table, label);
        let with = |is_usable: &dyn Fn(&Fold) -> bool| folds.iter().filter(|fold| is_usable(fold)).cloned().collect();
        let sufficient: Vec<Fold> = with(&|fold| counts(fold).suffice(MinCounts::TRAIN));
        let folds = match sufficient.is_empty() {
            false => sufficient,
            true => with(&|fold| counts(fold).has_both_classes()),
        };
        let start = self.start();
        Splits {
            valid_rows: pooled_valid_rows(&folds),
            folds,
            development: Development {
                learn_rows: rows.on_dates(start..self.test.start),
                train_rows: rows.purged(start..self.test.start),
            },
            test_rows: rows.purged(self.test.clone()),
        }
    }

    /// Returns all folds of a label, with few rows or many.
    fn folds(&self, table: &FeatureTable, label: &Label) -> Vec<Fold> {
        let rows = self.rows(table, label);
        let start = self.start();
        // `learn_rows` is not purged, because it is used without labels, and features do not depend
        // on later bars.
        let fold = |valid: &Range<i32>| Fold {
            learn_rows: rows.on_dates(start..valid.start),
            train_rows: rows.purged(start..valid.start),
            valid_rows: rows.purged(valid.clone()),
        };
        self.blocks.iter().skip(1).map(fold).collect()
    }

    fn rows<'a>(&self, table: &'a FeatureTable, label: &'a Label) -> Rows<'a> {
        Rows { eligible: eligible_rows(table, self.span), table, label }
    }

    /// Returns the first date with a role.
    fn start(&self) -> i32 {
        self.blocks.first().map_or(self.test.start, |block| block.start)
    }
}

/// Returns the validation rows of all folds, ascending.
pub(crate) fn pooled_valid_rows<'f>(folds: impl IntoIterator<Item = &'f Fold>) -> Vec<u32> {
    let mut rows: Vec<u32> = folds.into_iter().flat_map(|fold| fold.valid_rows.iter().copied()).collect();
    rows.sort_unstable();
    rows
}

/// Divides the first `n_development` dates into blocks; the last block ends where the test period
/// begins.
fn equal_blocks(dates: &[i32], n_development: usize, n_blocks: usize) -> Vec<Range<i32>> {
    // These bounds spread the remainder, so that the blocks differ by one date at most.
    let first = |idx: usize| dates[idx * n_development / n_blocks];
    (0..n_blocks).map(|idx| first(idx)..first(idx + 1)).collect()
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

fn too_few_dates(n_dates: usize) -> JobError {
    JobError::refused(
        Phase::FeatureEngineering,
        ErrorCode::TooFewBars,
        // A fifth of the dates is the test period: with fewer than five, it would have no date.
        format!("{n_dates} dates have a label; a fold and a test period need at least {TEST_PERIOD_DIVISOR}"),
        "request more years or shorter horizons",
    )
}
