//! The span of the bars that can have labels, and the share of this span that is the test period.

/// Number of equal parts that the labelled dates are divided into; the last part is the test
/// period.
pub(crate) const TEST_PERIOD_DIVISOR: usize = 5;

/// The rows that may be used for training, validation or test.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LabelledSpan {
    /// First session date of the labelled span, days since 1970-01-01.
    pub first_day: i32,
    /// Length of the window of a sequence model, in rows. The window of a row ends with
    /// that row and contains rows of one symbol only.
    pub lookback_rows: usize,
}
