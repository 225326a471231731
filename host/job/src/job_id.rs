//! The rule of job ids, for the queue, the payload and the keys of Redis alike.
//!
//! In: a text. Out: whether it can be an id. Invariant: no other code decides what an id is.

/// Longest id, in characters.
const MAX_CHARS: usize = 200;

/// Returns whether a text can be the id of a job: 1 to 200 printable characters, not all of them blanks.
pub fn is_job_id(text: &str) -> bool {
    !text.trim().is_empty() && text.chars().count() <= MAX_CHARS && !text.contains(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_printable_and_neither_blank_nor_too_long() {
        let longest = "ü".repeat(MAX_CHARS);
        for id in ["build:1", "a b", "../x", &longest] {
            assert!(is_job_id(id), "{id}");
        }
        for id in ["", "  ", "a\nb", &format!("{longest}x")] {
            assert!(!is_job_id(id), "{id}");
        }
    }
}
