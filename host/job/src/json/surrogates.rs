//! Replaces escapes of lone surrogates, such as `\ud83d`, which programs write that cut a text
//! between the two halves of a character.
//!
//! In: a JSON text. Out: a JSON text of the same values, in which each lone surrogate is U+FFFD.

use std::borrow::Cow;

/// The character that stands for text that could not be decoded.
pub const REPLACEMENT: char = char::REPLACEMENT_CHARACTER;

/// The length of an escape such as `\ud83d` in bytes.
const ESCAPE_BYTES: usize = 6;

/// Replaces each escape of a lone surrogate by the escape of U+FFFD. Does not change other texts.
pub fn replace_lone_surrogates(text: &str) -> Cow<'_, str> {
    let mut replaced = String::new();
    let mut n_copied = 0;
    let mut idx = 0;
    while let Some(offset) = text[idx..].find('\\') {
        idx += offset;
        match escaped_unit(text, idx) {
            Some(0xD800..=0xDBFF) if is_low(escaped_unit(text, idx + ESCAPE_BYTES)) => idx += 2 * ESCAPE_BYTES,
            Some(0xD800..=0xDFFF) => {
                replaced.push_str(&text[n_copied..idx]);
                replaced.push_str("\\ufffd");
                idx += ESCAPE_BYTES;
                n_copied = idx;
            }
            // The character after a backslash is skipped, because it may be a second backslash.
            _ => idx += 1 + text[idx + 1..].chars().next().map_or(0, char::len_utf8),
        }
    }
    if n_copied == 0 {
        return Cow::Borrowed(text);
    }
    replaced.push_str(&text[n_copied..]);
    Cow::Owned(replaced)
}

/// Returns the UTF-16 unit of the escape that begins at `idx`, or `None` if none begins there.
fn escaped_unit(text: &str, idx: usize) -> Option<u16> {
    let digits = text.get(idx..idx + ESCAPE_BYTES)?.strip_prefix("\\u")?;
    // `from_str_radix` would also accept a sign.
    let is_hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    u16::from_str_radix(digits, 16).ok().filter(|_| is_hex)
}

fn is_low(unit: Option<u16>) -> bool {
    unit.is_some_and(|unit| (0xDC00..=0xDFFF).contains(&unit))
}
