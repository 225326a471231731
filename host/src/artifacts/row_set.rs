//! The values of the column `set` in the files of an artifact.

/// The set of rows that a row belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RowSet {
    /// The row is in the development period. It is scored by a model that was not fitted on it.
    Validation,
    /// The row is in the test period.
    Test,
}

impl RowSet {
    /// Returns the name of the set in the files.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Validation => "validation",
            Self::Test => "test",
        }
    }
}
