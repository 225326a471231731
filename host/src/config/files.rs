//! Reads a file in `.env` syntax without touching the process environment.

use std::path::Path;

/// Returns the pairs of a `.env` file, in order.
///
/// # Errors
/// A sentence with the file and the line number. The line's content is left out, since it may hold a secret.
pub(super) fn read(path: &Path) -> Result<Vec<(String, String)>, String> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| format!("the configuration file {} cannot be read: {error}", path.display()))?;
    dotenvy::from_read_iter(text.as_bytes()).collect::<Result<_, _>>().map_err(|error| {
        let line = match &error {
            dotenvy::Error::LineParse(bad, _) => text.lines().position(|line| line.contains(bad.trim())),
            _ => None,
        };
        let place = line.map_or_else(String::new, |index| format!("line {} of ", index + 1));
        format!("{place}{} is not NAME=VALUE; quote values that hold spaces, # or $", path.display())
    })
}
