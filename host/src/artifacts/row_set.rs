//! The part of the data that a row of a file belongs to: the column `set`.

/// The part of the data that a row belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RowSet {
    /// Used in development, scored by models that were not fitted on the row.
    Validation,
    /// Kept for the final test.
    Test,
}

impl RowSet {
    /// Returns the word in the files.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Validation => "validation",
            Self::Test => "test",
        }
    }
}
