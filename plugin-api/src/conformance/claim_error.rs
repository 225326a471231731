//! Why a claim does not hold, in words that an author can act on.

use std::fmt::Display;

use crate::{PluginError, code};

/// Characters of one line of a reason.
const MAX_LINE: usize = 200;

/// What a claim comes to.
pub(crate) type ClaimResult = Result<(), ClaimError>;

/// Why a claim does not hold, or says nothing.
#[derive(Debug)]
pub(crate) enum ClaimError {
    /// It does not hold.
    Broken(String),
    /// It says nothing of such a plugin.
    Inapplicable(String),
}

impl ClaimError {
    /// Three lines: what was found, what was needed, what to do.
    pub(crate) fn broken(found: impl Display, needed: impl Display, remedy: impl Display) -> Self {
        let found = line(found);
        let needed = line(needed);
        let remedy = line(remedy);
        Self::Broken(format!("found {found}\nneeded {needed}\n{remedy}"))
    }

    /// A claim that says nothing, and why.
    pub(crate) fn inapplicable(reason: impl Display) -> Self {
        Self::Inapplicable(line(reason))
    }
}

/// Describes an error with the name of its code.
pub(crate) fn describe(error: &PluginError) -> String {
    format!("an error of code {} ({}): {}", error.code, code_name(error.code), error.message)
}

/// Returns the name of an error code.
pub(crate) fn code_name(code: u32) -> &'static str {
    match code {
        code::PARAMS => "PARAMS",
        code::DATA => "DATA",
        code::CANCELLED => "CANCELLED",
        code::PANIC => "PANIC",
        code::UNSUPPORTED => "UNSUPPORTED",
        code::ENGINE => "ENGINE",
        code::MODEL => "MODEL",
        code::DEVICE => "DEVICE",
        _ => "unknown",
    }
}

/// What somebody else's text becomes: one line that a person reads to its end.
fn line(text: impl Display) -> String {
    let text = text.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
    match text.char_indices().nth(MAX_LINE) {
        None => text,
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_has_three_lines_whatever_a_plugin_says() {
        let wordy = PluginError::data("ä\nrow\n".repeat(200));
        let ClaimError::Broken(reason) = ClaimError::broken(describe(&wordy), "a model", "fit one") else {
            panic!("not broken")
        };
        let lines: Vec<_> = reason.lines().collect();
        assert!(lines[0].starts_with("found an error of code 2 (DATA): ä row ä row"), "{reason}");
        assert!(lines[0].ends_with('…') && lines[0].chars().count() < 210, "{reason}");
        assert_eq!(lines[1..], ["needed a model", "fit one"]);
    }
}
