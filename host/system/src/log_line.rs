//! Lines of child processes, as events of this process's log.
//!
//! In: a line as it was printed. Out: a log event. Invariant: the line keeps its level, and its
//! text is not changed.

/// Logs a line of a child process at the level with which it begins; without one, as information.
pub(crate) fn forward(job: Option<&str>, plugin: Option<&str>, line: &str) {
    let (level, text) = level_of(line);
    match level {
        tracing::Level::ERROR => tracing::error!(job, plugin, "{text}"),
        tracing::Level::WARN => tracing::warn!(job, plugin, "{text}"),
        tracing::Level::INFO => tracing::info!(job, plugin, "{text}"),
        _ => tracing::debug!(job, plugin, "{text}"),
    }
}

/// Splits a line of a child's log into its level and the rest.
fn level_of(line: &str) -> (tracing::Level, &str) {
    let trimmed = line.trim_start();
    let first = trimmed.split(' ').next().unwrap_or_default();
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
    fn a_line_of_a_child_keeps_its_level() {
        assert_eq!(level_of(" WARN plugin process died"), (tracing::Level::WARN, "plugin process died"));
        assert_eq!(level_of("ERROR no room"), (tracing::Level::ERROR, "no room"));
    }

    #[test]
    fn a_line_without_a_level_is_information() {
        for line in ["[LightGBM] [Warning] x", "", "info: lower case does not count", "5 rows"] {
            assert_eq!(level_of(line), (tracing::Level::INFO, line));
        }
    }
}
