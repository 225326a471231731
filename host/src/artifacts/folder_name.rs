//! The folder name of a job: a function of its id, and one plain name for any id.

use std::fmt::Write;

use oculus_job::hash::sha256_hex;

/// The longest name; file systems allow 255 bytes.
const MAX_BYTES: usize = 160;
/// Bytes of hash at the end of a shortened name.
const HASH_BYTES: usize = 32;
/// Folders next to those of jobs: the spool of results that wait for Redis.
const RESERVED: [&str; 1] = ["spool"];

/// Returns the folder name of a job. Letters, digits, `-`, `_`, `:` and inner dots stay; everything
/// else is escaped as in URLs (`/` is `%2F`). A name that is too long ends in `~` and a hash, so
/// that two ids never share a name.
pub(super) fn folder_name(id: &str) -> String {
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
        0 => "%".to_owned(),
        1..=MAX_BYTES => name,
        _ => format!("{}~{}", &name[..MAX_BYTES - HASH_BYTES - 1], &sha256_hex(id.as_bytes())[..HASH_BYTES]),
    }
}
