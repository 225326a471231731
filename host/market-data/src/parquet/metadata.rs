//! Checks the metadata of a Parquet file before its columns are decoded.
//!
//! In: the metadata and the bytes of a file. Out: success, or the contradiction between metadata
//! and bytes.
//! Invariant: for a file that passes, the memory that the decoder allocates is proportional to the
//! file's size.

use polars::io::parquet::metadata::FileMetadata;

use super::pages;

/// Maximum number of rows per byte of a file. Repeated values are compressed to almost nothing, but
/// times are not.
const MAX_ROWS_PER_BYTE: u64 = 64;

/// The reason that the sizes in the metadata are impossible.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum MetadataError {
    /// The numbers of rows contradict each other, or are too large for the file.
    #[error("its metadata states {n_stated} rows, its row groups {n_in_groups}, in a file of {n_bytes} bytes")]
    Rows {
        /// Number of rows that the metadata states for the file.
        n_stated: usize,
        /// Sum of the rows that the metadata states for the row groups.
        n_in_groups: u64,
        /// Size of the file in bytes.
        n_bytes: usize,
    },
    /// A page of a column states a size that the column cannot have.
    #[error("a page of its column {column:?} states an impossible size")]
    Pages {
        /// Name of the column.
        column: String,
    },
}

/// Checks that the needed columns can have the sizes that the metadata states.
///
/// # Errors
/// Returns the first contradiction.
pub(super) fn check_metadata(metadata: &FileMetadata, needed: &[&str], bytes: &[u8]) -> Result<(), MetadataError> {
    let max_rows = (bytes.len() as u64).saturating_mul(MAX_ROWS_PER_BYTE);
    // The numbers come from an untrusted file, so their sum must not overflow.
    let n_rows = metadata.row_groups.iter().map(|group| group.num_rows() as u64).fold(0, u64::saturating_add);
    if n_rows > max_rows || metadata.num_rows as u64 != n_rows {
        return Err(MetadataError::Rows { n_stated: metadata.num_rows, n_in_groups: n_rows, n_bytes: bytes.len() });
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
