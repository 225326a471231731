//! Values that must not appear in logs, errors or results: they are displayed as `***`.
//!
//! In: a key, a password or an address that contains one. Out: the value for the one caller that
//! needs it, `***` for all others. Invariant: neither `Debug` nor `Display` writes a secret.

use std::fmt;

/// A key, token or password.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a text that must not be shown.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Returns the secret itself, for the one request that needs it.
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

/// Serializes a secret for another process of this program, over a channel that no other process
/// reads.
pub mod revealed {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::Secret;

    /// Writes the secret itself.
    ///
    /// # Errors
    /// The serializer's own.
    pub fn serialize<S: Serializer>(secret: &Secret, serializer: S) -> Result<S::Ok, S::Error> {
        secret.reveal().serialize(serializer)
    }

    /// Reads the secret back.
    ///
    /// # Errors
    /// The deserializer's own, for a value that is not a string.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Secret, D::Error> {
        String::deserialize(deserializer).map(Secret::new)
    }
}

/// The address of a Redis server; shown without its password.
#[derive(Clone, PartialEq, Eq)]
pub struct RedisAddress(String);

impl RedisAddress {
    /// Wraps an address such as `redis://user:password@host:6379/0`; the caller has checked its
    /// form.
    pub fn new(url: impl Into<String>) -> Self {
        Self(url.into())
    }

    /// Returns the address with its password, for the connection.
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

/// Returns an address with `***` in every place where a password may be, also if the text is not a
/// valid address.
pub fn without_password(url: &str) -> String {
    let url = match url.split_once("pass=") {
        Some((before, _)) => format!("{before}pass=***"),
        None => url.to_owned(),
    };
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
    fn no_form_of_address_shows_its_password() {
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
