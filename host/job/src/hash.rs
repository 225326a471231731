//! SHA-256 hashes as lower-case hex.
//!
//! In: bytes. Out: hex digits. Invariant: every hash in results, logs and file names is formatted
//! here.

use sha2::{Digest, Sha256};

/// Returns the SHA-256 hash of bytes as lower-case hex.
///
/// ```
/// let hash_of_empty_input = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
/// assert_eq!(oculus_job::hash::sha256_hex(b""), hash_of_empty_input);
/// ```
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Returns bytes as lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
