//! Names of features in the alphabet of engines and file formats.

use crate::{PluginError, Result};

/// Escapes a feature name for an engine or a file that accepts only plain names.
///
/// Features carry the names of users, such as `BETA_^GSPC_60` for a benchmark. Many engines refuse
/// some of their characters: LightGBM refuses `, : [ ] { } "` and spaces, and its model text
/// separates names with spaces. The result contains only ASCII letters, digits, `_`, `-`, `.` and
/// `%`. Every other byte of the name is written as `%` and two hexadecimal digits, as in URLs (RFC
/// 3986). Different names have different results, and a plain name is not changed.
///
/// ```
/// use oculus_plugin_api::{escape_name, unescape_name};
///
/// assert_eq!(escape_name("RSI_14"), "RSI_14");
/// assert_eq!(escape_name("BETA_^GSPC_60"), "BETA_%5EGSPC_60");
/// assert_eq!(unescape_name("BETA_%5EGSPC_60")?, "BETA_^GSPC_60");
/// # Ok::<(), oculus_plugin_api::PluginError>(())
/// ```
pub fn escape_name(name: &str) -> String {
    let mut escaped = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.') {
            escaped.push(char::from(byte));
        } else {
            escaped += &format!("%{byte:02X}");
        }
    }
    escaped
}

/// Returns the name that [`escape_name`] escaped.
///
/// # Errors
/// [`code::MODEL`](crate::code::MODEL) if a `%` is not followed by two hexadecimal digits, or if the
/// result is not UTF-8.
pub fn unescape_name(escaped: &str) -> Result<String> {
    let invalid =
        || PluginError::model(format!("invalid feature name {escaped:?}, expected `%` before two hex digits"));
    let mut bytes = Vec::with_capacity(escaped.len());
    let mut rest = escaped.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        if byte == b'%' {
            let (digits, after) = after.split_at_checked(2).ok_or_else(invalid)?;
            // `from_str_radix` would accept a sign.
            let digits = std::str::from_utf8(digits).ok().filter(|it| it.bytes().all(|b| b.is_ascii_hexdigit()));
            bytes.push(digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()).ok_or_else(invalid)?);
            rest = after;
        } else {
            bytes.push(byte);
            rest = after;
        }
    }
    String::from_utf8(bytes).map_err(|_| invalid())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code;

    #[test]
    fn an_escaped_name_is_plain_and_is_read_back() {
        for name in ["", "RSI_14", "BETA_^IDX_60", "a:b=c d", "%5E", "Größe 5 %", "{\"a\",[1]}\n", "日経"] {
            let escaped = escape_name(name);
            let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.%".contains(&byte);
            assert!(escaped.bytes().all(is_plain), "{escaped}");
            assert_eq!(unescape_name(&escaped).unwrap(), name);
        }
    }

    #[test]
    fn an_invalid_escape_is_rejected() {
        for escaped in ["%", "a%5", "%5G", "%+1", "%FF", "%é"] {
            assert_eq!(unescape_name(escaped).unwrap_err().code, code::MODEL, "{escaped}");
        }
    }
}
