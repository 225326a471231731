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

/// The URL of a Redis server. It is displayed without its password.
#[derive(Clone, PartialEq, Eq)]
pub struct RedisAddress(String);

impl RedisAddress {
    /// Creates an address from a URL such as `redis://user:password@host:6379/0`, which the caller
    /// has validated.
    pub fn new(url: impl Into<String>) -> Self {
        Self(url.into())
    }

    /// Returns the URL with its password, for the connection.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RedisAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&without_password(&self.0))
    }
}

impl fmt::Debug for RedisAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Returns a URL with `***` in every position that may contain a password. The text may be an
/// invalid URL, because error messages quote rejected settings.
pub fn without_password(url: &str) -> String {
    // A Unix socket has its password in the query (`unix:///path?pass=…`). Everything after `pass=`
    // is hidden, because an unescaped password may contain any character.
    let url = match url.split_once("pass=") {
        Some((before, _)) => format!("{before}pass=***"),
        None => url.to_owned(),
    };
    // The last `@` ends the password, because an unescaped password may itself contain `@`.
    let Some(at) = url.rfind('@') else { return url };
    let start = url.find("://").map_or(0, |position| position + 3);
    if start > at {
        return url;
    }
    let user = url[start..at].split_once(':').map_or("", |(user, _)| user);
    format!("{}{user}:***{}", &url[..start], &url[at..])
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
            ("unix:///run/r.sock?db=1&pass=hunter2", "unix:///run/r.sock?db=1&pass=***"),
            ("redis://h:1/0", "redis://h:1/0"),
        ] {
            assert_eq!(without_password(url), shown);
        }
        assert_eq!(format!("{:?} {}", Secret::new("hunter2"), Secret::new("hunter2")), "*** ***");
    }
}
