//! SHA-256 in the form that results and logs show it.

use sha2::{Digest, Sha256};

/// SHA-256 of some bytes, as lower-case hex.
///
/// ```
/// let of_nothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
/// assert_eq!(oculus_job::hash::sha256_hex(b""), of_nothing);
/// ```
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Bytes as lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
