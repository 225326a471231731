//! Decodes percent-encoded parts of URLs.

/// Returns the decoded text. A `%` that is not followed by two hexadecimal digits stays as it is.
/// Returns `None` if the decoded bytes are not UTF-8.
pub(super) fn decode(text: &str) -> Option<String> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        match encoded_byte(rest) {
            Some(byte) => {
                decoded.push(byte);
                rest = &rest[3..];
            }
            None => {
                decoded.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8(decoded).ok()
}

/// Returns the decoded value of an option in a query, in which `+` stands for a space.
pub(super) fn decode_query(text: &str) -> Option<String> {
    decode(&text.replace('+', " "))
}

/// Returns the byte that a text such as `%2F…` starts with.
fn encoded_byte(text: &[u8]) -> Option<u8> {
    let [b'%', high, low, ..] = text else { return None };
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    u8::try_from(digit(high)? * 16 + digit(low)?).ok()
}
