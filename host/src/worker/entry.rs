//! What an entry of the queue says: whose job it is and where the payload is.
//!
//! In: bytes as the producer pushed them. Out: an [`Entry`], or a [`Refusal`] that keeps the id where one can be read.
//! No IO.

use oculus_job::code::ErrorCode;
use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;

use oculus_job::failure::Failure;
use oculus_job::progress::Phase;
use oculus_job::request::MAX_PAYLOAD_BYTES;

/// The most bytes of an entry or a payload: those that a job is read with.
pub const MAX_BYTES: usize = MAX_PAYLOAD_BYTES;
const MAX_ID_CHARS: usize = 200;
const MAX_KEY_BYTES: usize = 512;

/// An entry that can be followed.
#[derive(Debug, PartialEq, Eq)]
pub enum Entry {
    /// The job's id, or the payload's key.
    Name(String),
    /// An object that only names the job.
    Pointer {
        /// The job's id.
        id: String,
        /// Where the payload is, if not at its usual key.
        payload_key: Option<String>,
    },
    /// The job itself.
    Job {
        /// The job's id.
        id: String,
        /// Its JSON.
        payload: String,
    },
}

/// An entry or payload that cannot become a job.
#[derive(Debug)]
pub struct Refusal {
    /// The id, where one can be read.
    pub id: Option<String>,
    /// What is wrong.
    pub failure: Failure,
}

impl Refusal {
    /// A refusal of this job before it could start.
    pub fn new(id: Option<String>, code: ErrorCode, message: impl Into<String>, hint: &str) -> Self {
        Self { id, failure: Failure::refused(Phase::Queued, code, message, hint) }
    }
}

const ENTRY_HINT: &str = "push a job's id, or the job as a JSON object with `job_id` or `build_id`";

/// Reads an entry, of which at most [`MAX_BYTES`] + 1 bytes are needed.
///
/// # Errors
/// Too large, not JSON though it begins like it, or without an id.
pub fn read(bytes: &[u8]) -> Result<Entry, Refusal> {
    if bytes.len() > MAX_BYTES {
        let message = format!("the entry has more than {MAX_BYTES} bytes");
        let hint = "store the payload at the job's key, leave out what the job does not need, and push the id";
        return Err(Refusal::new(Header::read(bytes).0.id(), ErrorCode::EntryTooLarge, message, hint));
    }
    let Ok(text) = std::str::from_utf8(bytes) else {
        return Err(Refusal::new(None, ErrorCode::EntryNotJson, "the entry is not UTF-8", ENTRY_HINT));
    };
    match text.trim_start().chars().next() {
        Some('{') => read_object(text),
        Some('"') => match serde_json::from_str::<String>(text) {
            Ok(name) => usable_key(name).map(Entry::Name).ok_or_else(without_id),
            Err(error) => {
                Err(Refusal::new(None, ErrorCode::EntryNotJson, format!("the entry is not JSON: {error}"), ENTRY_HINT))
            }
        },
        _ => {
            let is_name = !text.trim().contains(char::is_whitespace) && !text.trim_start().starts_with('[');
            let name = usable_key(text.trim().to_owned()).filter(|_| is_name);
            name.map(Entry::Name).ok_or_else(without_id)
        }
    }
}

fn read_object(text: &str) -> Result<Entry, Refusal> {
    let (header, outcome) = Header::read(text.as_bytes());
    let id = header.id();
    if let Err(error) = outcome {
        return Err(Refusal::new(
            id,
            ErrorCode::EntryNotJson,
            format!("the entry is not a JSON object: {error}"),
            ENTRY_HINT,
        ));
    }
    let id = id.ok_or_else(without_id)?;
    match header.has_symbols {
        true => Ok(Entry::Job { id, payload: text.to_owned() }),
        false => Ok(Entry::Pointer { id, payload_key: header.payload_key }),
    }
}

/// Of an entry that names no job.
pub fn without_id() -> Refusal {
    Refusal::new(None, ErrorCode::EntryWithoutId, "the entry has no readable job id", ENTRY_HINT)
}

/// An id by the rules that a job's own ids are read with: 1 to 200 printable characters, not all of them blanks.
pub fn usable_id(id: String) -> Option<String> {
    let is_usable = !id.trim().is_empty() && id.chars().count() <= MAX_ID_CHARS && !id.contains(char::is_control);
    is_usable.then_some(id)
}

/// The name of a key, or an id that may be one.
fn usable_key(key: String) -> Option<String> {
    let is_usable = !key.trim().is_empty() && key.len() <= MAX_KEY_BYTES && !key.contains(char::is_control);
    is_usable.then_some(key)
}

/// The few fields of a job that the worker itself needs.
#[derive(Debug, Default)]
pub struct Header {
    /// The field `job_id`.
    pub job_id: Option<String>,
    /// The field `build_id`.
    pub build_id: Option<String>,
    /// Where the payload is said to be.
    pub payload_key: Option<String>,
    /// Whether the object is a job and not only its name.
    pub has_symbols: bool,
}

impl Header {
    /// Reads an object's header, also of one that breaks off: then as far as it goes, beside the error.
    pub fn read(json: &[u8]) -> (Self, serde_json::Result<()>) {
        let mut header = Self::default();
        let mut input = serde_json::Deserializer::from_slice(json);
        let outcome = DeserializeSeed::deserialize(&mut header, &mut input).and_then(|()| input.end());
        (header, outcome)
    }

    /// The job's id: `job_id`, else `build_id`.
    pub fn id(&self) -> Option<String> {
        self.job_id.clone().or_else(|| self.build_id.clone())
    }
}

impl<'de> DeserializeSeed<'de> for &mut Header {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<(), D::Error> {
        input.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for &mut Header {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<(), A::Error> {
        while let Some(name) = fields.next_key::<Cow<'_, str>>()? {
            match &*name {
                "job_id" => self.job_id = text_of(fields.next_value()?).and_then(usable_id),
                "build_id" => self.build_id = text_of(fields.next_value()?).and_then(usable_id),
                "payload_key" => self.payload_key = text_of(fields.next_value()?).and_then(usable_key),
                other => {
                    self.has_symbols |= other == "symbols";
                    fields.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

/// A number is a name too: its job is refused by that name, and not without one.
fn text_of(value: Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn name(id: &str) -> Entry {
        Entry::Name(id.to_owned())
    }

    #[test]
    fn an_id_is_read_plain_as_a_json_string_or_from_an_object() {
        assert_eq!(read(b"build:1").unwrap(), name("build:1"));
        assert_eq!(read(b"\"build:1\"").unwrap(), name("build:1"));
        assert_eq!(read(b"17").unwrap(), name("17"));
        let pointer = Entry::Pointer { id: "1".into(), payload_key: Some("k".into()) };
        assert_eq!(read(br#"{"job_id":1,"build_id":"2","payload_key":"k"}"#).unwrap(), pointer);
        let text = r#"{"build_id":"2","symbols":["A"]}"#;
        assert_eq!(read(text.as_bytes()).unwrap(), Entry::Job { id: "2".into(), payload: text.into() });
    }

    #[test]
    fn ids_are_read_by_the_rules_of_the_job_itself() {
        let id = |job: &str| Header::read(job.as_bytes()).0.id();
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

    #[test]
    fn what_is_no_job_is_refused_with_a_code_and_with_the_id_where_it_can_be_read() {
        let long = format!("{{\"build_id\":\"b\",\"x\":\"{}", "y".repeat(MAX_BYTES));
        for (entry, code, id) in [
            (&b"{\"build_id\":\"b\",\"symbols\":["[..], "entry_not_json", Some("b")),
            (b"{\"build_id\":\"b\"} more", "entry_not_json", Some("b")),
            (b"{\"symbols\":[]}", "entry_without_id", None),
            (b"{\"build_id\":[1],\"symbols\":[]}", "entry_without_id", None),
            (b"[\"b\"]", "entry_without_id", None),
            (b"this is no job", "entry_without_id", None),
            (b"\"open", "entry_not_json", None),
            (b"", "entry_without_id", None),
            (b"\xff\xfe", "entry_not_json", None),
            (long.as_bytes(), "entry_too_large", Some("b")),
        ] {
            let refusal = read(entry).unwrap_err();
            assert_eq!((refusal.failure.code.as_str(), refusal.id.as_deref()), (code, id));
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic_and_every_id_can_be_part_of_a_key(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            match read(&bytes) {
                Ok(Entry::Name(name)) => prop_assert!(usable_key(name).is_some()),
                Ok(Entry::Pointer { id, .. } | Entry::Job { id, .. }) => prop_assert!(usable_id(id).is_some()),
                Err(_) => {}
            }
        }
    }
}
