//! SHA-256 in the form in which results and logs show it.
//!
//! In: bytes. Out: lower-case hex. Invariant: every hash of the project is formatted here.

use sha2::{Digest, Sha256};

/// Returns the SHA-256 of some bytes, as lower-case hex.
///
/// ```
/// let of_empty_input = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
/// assert_eq!(oculus_job::hash::sha256_hex(b""), of_empty_input);
/// ```
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Returns bytes as lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
