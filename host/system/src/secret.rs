//! Values that must not appear in logs, errors or results. They are displayed as `***`.
//!
//! In: a key, a password, or a URL that contains one. Out: the value for the caller that calls
//! `reveal`, and `***` in every other place. Invariant: `Debug` and `Display` never write a secret.

use std::fmt;

/// A key, token or password.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Creates a secret from its text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Returns the text of the secret. Call it only where a request needs the text.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Serializes a secret in plain text, for `#[serde(with)]`. Use it only for a channel to another
/// process of this program, and only if no third process can read the channel.
pub mod revealed {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::Secret;

    /// Serializes the text of the secret.
    ///
    /// # Errors
    /// Returns the error of the serializer.
    pub fn serialize<S: Serializer>(secret: &Secret, serializer: S) -> Result<S::Ok, S::Error> {
        secret.reveal().serialize(serializer)
    }

    /// Deserializes a secret from its text.
    ///
    /// # Errors
    /// Returns the error of the deserializer if the value is not a string.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Secret, D::Error> {
        String::deserialize(deserializer).map(Secret::new)
    }
}

/// Returns a URL with `***` in every position that may contain a password. The text may be an
/// invalid URL or another setting, because error messages quote rejected settings.
pub fn without_password(url: &str) -> String {
    let start = url.find("://").map_or(0, |position| position + 3);
    let (scheme, rest) = url.split_at(start);
    let (head, query) = match rest.find('?') {
        Some(position) if start > 0 || rest.contains("pass") => rest.split_at(position),
        _ => (rest, ""),
    };
    // An `@` after `?` ends a password that is not escaped, or belongs to a password in the query.
    if query.contains('@') {
        return format!("{scheme}***");
    }
    let query = if query.is_empty() { "" } else { "?***" };
    // The last `@` ends the password, because an unescaped password may itself contain `@`.
    if let Some((login, host)) = head.rsplit_once('@') {
        let user = login.split_once(':').map_or("", |(user, _)| user);
        return format!("{scheme}{user}:***@{host}{query}");
    }
    // If an `@` is absent or percent-encoded, the text after the colon is a password, not a port.
    let authority = head.split('/').next().unwrap_or_default();
    match authority.rsplit_once(':') {
        Some((host, port))
            if start > 0 && !host.starts_with('[') && !port.bytes().all(|byte| byte.is_ascii_digit()) =>
        {
            format!("{scheme}{host}:***{}{query}", &head[authority.len()..])
        }
        _ => format!("{scheme}{head}{query}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_form_of_url_shows_its_password() {
        for (url, shown) in [
            ("redis://:hunter2@h:1/0", "redis://:***@h:1/0"),
            ("redis://bob:hunter2@h", "redis://bob:***@h"),
            ("redis://bob:hun@ter2@h", "redis://bob:***@h"),
            ("hunter2@h", ":***@h"),
            ("unix:///run/r.sock?db=1&pass=hunter2", "unix:///run/r.sock?***"),
            ("h?password=hunter2", "h?***"),
            ("http://bob:hunter2%40h/path", "http://bob:***/path"),
            ("http://h:80/path?key=hunter2", "http://h:80/path?***"),
            ("http://bob:hun?ter2@h", "http://***"),
            (":hunter2@h", ":***@h"),
            ("a:b", "a:b"),
            ("http://[::1]:8000/", "http://[::1]:8000/"),
            ("redis://h:1/0", "redis://h:1/0"),
        ] {
            assert_eq!(without_password(url), shown);
        }
        assert_eq!(format!("{:?} {}", Secret::new("hunter2"), Secret::new("hunter2")), "*** ***");
    }
}
