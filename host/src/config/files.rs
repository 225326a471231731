//! Reads a file in `.env` syntax without touching the process environment.

use std::path::Path;

/// Returns the pairs of name and value in a `.env` file, in the order of the file.
///
/// # Errors
/// Returns a sentence with the file and the line number if the file cannot be read or a line is not
/// valid. The content of the line is omitted, because it may contain a secret.
pub(super) fn read(path: &Path) -> Result<Vec<(String, String)>, String> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| format!("cannot read the configuration file {}: {error}", path.display()))?;
    dotenvy::from_read_iter(text.as_bytes()).collect::<Result<_, _>>().map_err(|error| {
        // The parser returns the text of the line, but not its number.
        let line = match &error {
            dotenvy::Error::LineParse(bad, _) => text.lines().position(|line| line.contains(bad.trim())),
            _ => None,
        };
        let place = line.map_or_else(String::new, |index| format!("line {} of ", index + 1));
        format!("invalid {place}{}: expected NAME=VALUE; put quotes around a value with spaces, # or $", path.display())
    })
}
