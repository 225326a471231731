//! Checks the metadata of a file before its columns are decoded.
//!
//! In: the metadata and the bytes of a file. Out: nothing, or the reason why the two do not fit together. Invariant: a
//! file that passes makes the decoder reserve memory in proportion to its size only.

use polars::io::parquet::metadata::FileMetadata;

use super::pages;

/// The most rows per byte of a file: repeated values are small, but times are not.
const MOST_ROWS_PER_BYTE: u64 = 64;

/// Why the sizes that the metadata claims are impossible.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum MetadataError {
    /// The numbers of rows contradict each other, or are too large for the file.
    #[error("it claims {n_claimed} rows, its groups {n_in_groups}, in {n_bytes} bytes")]
    Rows {
        /// Number of rows that the file claims.
        n_claimed: usize,
        /// Sum of the rows that its groups claim.
        n_in_groups: u64,
        /// Length of the file.
        n_bytes: usize,
    },
    /// The pages of a column claim more values than the column has rows.
    #[error("the pages of its column {column:?} cannot be as long as they say")]
    Pages {
        /// Name of the column.
        column: String,
    },
}

/// Checks that the needed columns can have the sizes that the metadata claims.
///
/// # Errors
/// The reason why they cannot.
pub(super) fn check_metadata(metadata: &FileMetadata, needed: &[&str], bytes: &[u8]) -> Result<(), MetadataError> {
    let most_rows = (bytes.len() as u64).saturating_mul(MOST_ROWS_PER_BYTE);
    let n_rows = metadata.row_groups.iter().map(|group| group.num_rows() as u64).fold(0, u64::saturating_add);
    if n_rows > most_rows || metadata.num_rows as u64 != n_rows {
        return Err(MetadataError::Rows { n_claimed: metadata.num_rows, n_in_groups: n_rows, n_bytes: bytes.len() });
    }
    for group in &metadata.row_groups {
        for name in needed {
            for column in group.columns_under_root_iter(name).into_iter().flatten() {
                let range = column.byte_range();
                let chunk = usize::try_from(range.start).ok().zip(usize::try_from(range.end).ok());
                let chunk = chunk.and_then(|(start, end)| bytes.get(start..end));
                if !chunk.is_some_and(|chunk| pages::are_possible(chunk, group.num_rows())) {
                    return Err(MetadataError::Pages { column: (*name).to_owned() });
                }
            }
        }
    }
    Ok(())
}
