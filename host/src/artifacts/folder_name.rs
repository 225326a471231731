//! Converts job ids into folder names.
//!
//! Invariant: each id has one name, two ids never share a name, and a name is a single path
//! component.

use std::fmt::Write;

use oculus_job::hash::sha256_hex;

/// Maximum length of a name in bytes. File systems allow 255.
const MAX_BYTES: usize = 160;
/// Length of the hash at the end of a shortened name, in bytes.
const HASH_BYTES: usize = 32;
/// Names of folders in `ARTIFACTS_DIR` that belong to no job. `spool` contains the results that
/// could not be written to Redis yet, and `submissions` the ledger of `oculus-host train`.
const RESERVED: [&str; 2] = ["spool", "submissions"];

/// Returns the folder name of a job.
///
/// Letters, digits, `-`, `_`, `:` and dots are kept, except for a dot at the start. All other bytes
/// are escaped as in URLs (`/` becomes `%2F`). A name that is too long is cut, and `~` and a hash
/// are appended.
pub(super) fn folder_name(id: &str) -> String {
    // A leading dot would hide the folder, and `..` would name its parent.
    let is_plain =
        |idx: usize, byte: u8| byte.is_ascii_alphanumeric() || b"-_:".contains(&byte) || byte == b'.' && idx > 0;
    let escape_all = RESERVED.contains(&id);
    let mut name = String::new();
    for (idx, byte) in id.bytes().enumerate() {
        if is_plain(idx, byte) && !escape_all {
            name.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(name, "%{byte:02X}");
        }
    }
    match name.len() {
        // The empty id has the name `%`. No other id has this name, because an escape has three
        // characters.
        0 => "%".to_owned(),
        1..=MAX_BYTES => name,
        // `~` is escaped in ids, so a shortened name differs from every complete name.
        _ => format!("{}~{}", &name[..MAX_BYTES - HASH_BYTES - 1], &sha256_hex(id.as_bytes())[..HASH_BYTES]),
    }
}
