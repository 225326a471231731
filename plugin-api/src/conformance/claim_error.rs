//! The reason why a claim does not hold, as text that an author can act on.

use std::fmt::Display;

use crate::{PluginError, code};

/// Largest number of characters in a line of a reason.
const MAX_LINE: usize = 200;

/// The result of the test of a claim.
pub(crate) type ClaimResult = Result<(), ClaimError>;

/// The reason why a claim does not hold or does not apply.
#[derive(Debug)]
pub(crate) enum ClaimError {
    /// The claim does not hold.
    Broken(String),
    /// The claim does not apply to this plugin.
    Inapplicable(String),
}

impl ClaimError {
    /// Creates a reason of three lines, which state what was found, what was expected, and what to
    /// do.
    pub(crate) fn broken(found: impl Display, expected: impl Display, remedy: impl Display) -> Self {
        let found = line(found);
        let expected = line(expected);
        let remedy = line(remedy);
        Self::Broken(format!("found {found}\nexpected {expected}\n{remedy}"))
    }

    /// Creates the reason why a claim does not apply.
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

/// Converts a text, which may come from a third party, to one line of limited length.
fn line(text: impl Display) -> String {
    // A line break in a plugin's message would add lines to the reason, which must have exactly
    // three.
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
    fn a_reason_has_three_short_lines_for_any_error_message() {
        let long = PluginError::data("ä\nrow\n".repeat(200));
        let ClaimError::Broken(reason) = ClaimError::broken(describe(&long), "a model", "fit one") else {
            panic!("not broken")
        };
        let lines: Vec<_> = reason.lines().collect();
        assert!(lines[0].starts_with("found an error of code 2 (DATA): ä row ä row"), "{reason}");
        assert!(lines[0].ends_with('…') && lines[0].chars().count() < 210, "{reason}");
        assert_eq!(lines[1..], ["expected a model", "fit one"]);
    }
}
