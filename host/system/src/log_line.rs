//! Forwards the output lines of child processes to this process's log.
//!
//! In: a printed line. Out: a log event. Invariant: the line keeps its level and its text.

/// Logs a line of a child process at the level that it begins with, or at INFO if it begins with no
/// level.
pub(crate) fn forward(job: Option<&str>, plugin: Option<&str>, line: &str) {
    let (level, text) = split_level(line);
    match level {
        tracing::Level::ERROR => tracing::error!(job, plugin, "{text}"),
        tracing::Level::WARN => tracing::warn!(job, plugin, "{text}"),
        tracing::Level::INFO => tracing::info!(job, plugin, "{text}"),
        tracing::Level::DEBUG => tracing::debug!(job, plugin, "{text}"),
        tracing::Level::TRACE => tracing::trace!(job, plugin, "{text}"),
    }
}

/// Splits a line of a child process into its log level and the remaining text.
fn split_level(line: &str) -> (tracing::Level, &str) {
    let trimmed = line.trim_start();
    let first = trimmed.split(' ').next().unwrap_or_default();
    // `Level` also parses lower case and digits. A native library may print a line that begins with
    // `info:` or `5 rows`, so only a word in capitals is a level.
    let is_level = !first.is_empty() && first.bytes().all(|byte| byte.is_ascii_uppercase());
    match first.parse() {
        Ok(level) if is_level => (level, trimmed[first.len()..].trim_start()),
        _ => (tracing::Level::INFO, line),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_with_a_level_is_logged_at_that_level() {
        assert_eq!(split_level(" WARN plugin process died"), (tracing::Level::WARN, "plugin process died"));
        assert_eq!(split_level("ERROR no room"), (tracing::Level::ERROR, "no room"));
    }

    #[test]
    fn a_line_without_a_level_is_logged_as_info() {
        for line in ["[LightGBM] [Warning] x", "", "info: lower case does not count", "5 rows"] {
            assert_eq!(split_level(line), (tracing::Level::INFO, line));
        }
    }
}
