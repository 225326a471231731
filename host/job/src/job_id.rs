//! Validates the job ids in queue entries, payloads and Redis keys.
//!
//! In: a text. Out: whether the text is a valid job id. Invariant: no other code validates job ids.

use crate::json::REPLACEMENT;

/// Maximum length of an id in characters.
const MAX_CHARS: usize = 200;

/// Returns whether a text is a valid job id. A valid id has 1 to 200 characters: at least one is
/// not blank, and none is a control character or U+FFFD.
pub fn is_job_id(text: &str) -> bool {
    // Control characters are rejected because ids are part of log lines and Redis keys. U+FFFD is
    // rejected because it replaces a part that could not be decoded, so two ids could become equal.
    let is_printable = |character: char| !character.is_control() && character != REPLACEMENT;
    !text.trim().is_empty() && text.chars().count() <= MAX_CHARS && text.chars().all(is_printable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_valid_id_is_printable_and_neither_blank_nor_too_long() {
        let longest = "ü".repeat(MAX_CHARS);
        for id in ["build:1", "a b", "../x", &longest] {
            assert!(is_job_id(id), "{id}");
        }
        for id in ["", "  ", "a\nb", "a\u{fffd}", &format!("{longest}x")] {
            assert!(!is_job_id(id), "{id}");
        }
    }
}
