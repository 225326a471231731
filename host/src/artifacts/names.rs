//! Names of folders: any job id as one plain folder name, found again from the id alone.

use std::fmt::Write;

use oculus_job::hash::sha256_hex;

/// Longest name; a file system takes 255 bytes.
const MAX_BYTES: usize = 160;
/// Bytes of hash at the end of a shortened name.
const HASH_BYTES: usize = 32;
/// Folders beside those of jobs: results that wait for Redis.
const RESERVED: [&str; 1] = ["spool"];

/// The folder's name for a job id. Letters, digits, `-`, `_`, `:` and inner dots stay, everything else is written as in
/// URLs (`/` is `%2F`), and what is too long ends in `~` and a hash: two ids never have one name.
pub(super) fn of_job(id: &str) -> String {
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
