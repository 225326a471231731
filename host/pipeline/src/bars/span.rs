//! The part of the bars that can have labels.

/// The test is one part in so many of the labelled dates.
pub(crate) const TEST_ONE_IN: usize = 5;

/// Which rows may have a role at all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LabelledSpan {
    /// First session date of the labelled span, days since 1970-01-01.
    pub first_day: i32,
    /// Rows of one symbol up to and including its own that a row must have, so that a sequence model can read them.
    pub lookback_rows: usize,
}
