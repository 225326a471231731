//! The values of the column `set` in the files of an artifact and in the output of `predict`.

/// The set of rows that a row belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RowSet {
    /// The model was fitted on the row.
    Train,
    /// The row is before the test period, and the model that scores it was not fitted on it.
    Validation,
    /// The job evaluated the winner on the row.
    Test,
    /// The job used the row neither for a fit nor for an evaluation, and the row is not before the
    /// test period.
    New,
}

impl RowSet {
    /// Returns the name of the set in the files.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Validation => "validation",
            Self::Test => "test",
            Self::New => "new",
        }
    }
}
