//! The part of the bars that can have labels.

/// The test period is the last of this many equal parts of the labelled dates.
pub(crate) const TEST_ONE_IN: usize = 5;

/// The rows that may be used for training, validation or test.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LabelledSpan {
    /// First session date of the labelled span, days since 1970-01-01.
    pub first_day: i32,
    /// Rows of its symbol, up to and including itself, that a row must have: the window of a sequence model.
    pub lookback_rows: usize,
}
