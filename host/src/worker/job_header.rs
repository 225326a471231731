//! The few fields of a job that the worker reads, and the rules for ids and keys. The job process
//! reads all other fields.
//!
//! In: a JSON object, which may be cut off. Out: a [`JobHeader`].

use std::borrow::Cow;
use std::fmt;

use oculus_job::job_id::is_job_id;
use oculus_job::json::{self, JsonError};
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;

/// The maximum length of a key that a producer may name.
const MAX_KEY_BYTES: usize = 512;

/// Returns the text if it is a valid job id.
pub(super) fn usable_id(id: String) -> Option<String> {
    Some(id).filter(|id| is_job_id(id))
}

/// Returns the text if it can be a key's name or a part of such a name.
pub(super) fn usable_key(key: String) -> Option<String> {
    // A key that contains U+FFFD instead of a lone surrogate would name another value.
    let is_printable = |character: char| !character.is_control() && character != json::REPLACEMENT;
    let is_usable = !key.trim().is_empty() && key.len() <= MAX_KEY_BYTES && key.chars().all(is_printable);
    is_usable.then_some(key)
}

/// The fields of a job that the worker reads.
#[derive(Debug, Default)]
pub struct JobHeader {
    /// The field `job_id`.
    pub job_id: Option<String>,
    /// The field `build_id`.
    pub build_id: Option<String>,
    /// The field `payload_key`: the key at which the payload is stored.
    pub payload_key: Option<String>,
    /// The field `user_id`, as text.
    pub user_id: Option<String>,
    /// True if the object has the field `symbols`. An object without it is a reference to a job.
    pub has_symbols: bool,
}

impl JobHeader {
    /// Reads the header of an object. If the object is invalid or cut off, returns the fields
    /// before that point and the error.
    pub fn read(text: &str) -> (Self, Result<(), JsonError>) {
        // The visitor fills the header in place, because a derived `Deserialize` would return
        // nothing if the object is cut off.
        let mut header = Self::default();
        let readable = json::replace_lone_surrogates(text);
        let mut input = serde_json::Deserializer::from_str(&readable);
        let parsed = DeserializeSeed::deserialize(&mut header, &mut input).and_then(|()| input.end());
        (header, parsed.map_err(|_| json::describe(text)))
    }

    /// Returns the job's id: the field `job_id`, or the field `build_id` if there is no `job_id`.
    pub fn id(&self) -> Option<String> {
        self.job_id.clone().or_else(|| self.build_id.clone())
    }
}

impl<'de> DeserializeSeed<'de> for &mut JobHeader {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<(), D::Error> {
        input.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for &mut JobHeader {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<(), A::Error> {
        while let Some(name) = fields.next_key::<Cow<'_, str>>()? {
            match &*name {
                "job_id" => self.job_id = text_or_number(fields.next_value()?).and_then(usable_id),
                "build_id" => self.build_id = text_or_number(fields.next_value()?).and_then(usable_id),
                "payload_key" => self.payload_key = text_or_number(fields.next_value()?).and_then(usable_key),
                "user_id" => self.user_id = text_or_number(fields.next_value()?),
                other => {
                    self.has_symbols |= other == "symbols";
                    fields.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

/// Returns a text, or a number as text. A job whose id is a number is refused later. The number is
/// accepted here, so that the refusal is reported under that id.
fn text_or_number(value: Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_valid_for_the_worker_exactly_if_they_are_valid_for_the_job() {
        let id = |job: &str| JobHeader::read(job).0.id();
        let long = "ü".repeat(200);
        assert_eq!(id(&format!(r#"{{"job_id":"{long}"}}"#)), Some(long.clone()));
        assert_eq!(id(&format!(r#"{{"job_id":"{long}x","build_id":"b"}}"#)), Some("b".into()));
        assert_eq!(id(r#"{"job_id":"","build_id":"b"}"#), Some("b".into()));
        assert_eq!(id(r#"{"job_id":" ","build_id":null}"#), None);
        let parsed = |job_id: &str| {
            let job = serde_json::json!({ "job_id": job_id, "symbols": ["A"], "timeframe": "1d", "design": {} });
            oculus_job::request::Job::parse(&job.to_string()).map(|job| job.id)
        };
        assert_eq!(parsed(&long).unwrap(), long);
        assert!(parsed(&format!("{long}x")).is_err() && parsed(" ").is_err());
    }
}
