//! Parses entries of the queue: which job an entry refers to, and where the payload is.
//!
//! In: bytes as the producer pushed them. Out: an [`Entry`], or an [`EntryError`], with the id if
//! one can be read. This module does no I/O.

use oculus_job::code::ErrorCode;
use oculus_job::error::JobError;
use oculus_job::json::{self, JsonError};
use oculus_job::progress::Phase;
use oculus_job::request::MAX_PAYLOAD_BYTES;
use serde_json::Value;

use super::job_header::{JobHeader, usable_key};

/// The maximum number of bytes of an entry or a payload. It equals the limit of the job's parser.
pub const MAX_BYTES: usize = MAX_PAYLOAD_BYTES;

/// An entry that refers to a job.
#[derive(Debug, PartialEq, Eq)]
pub enum Entry {
    /// A job id, or the key of a payload.
    Name(String),
    /// A JSON object that refers to a job.
    Pointer {
        /// The job's id.
        id: String,
        /// The key of the payload, if it differs from the default.
        payload_key: Option<String>,
    },
    /// A job as a JSON object.
    Job {
        /// The job's id.
        id: String,
        /// The JSON object.
        payload: String,
    },
}

impl Entry {
    /// Returns the job id, or the key of a payload.
    pub fn name(&self) -> &str {
        match self {
            Self::Name(name) => name,
            Self::Pointer { id, .. } | Self::Job { id, .. } => id,
        }
    }
}

/// An entry or payload that cannot become a job.
#[derive(Debug)]
pub struct EntryError {
    /// The job id, if one can be read.
    pub id: Option<String>,
    /// The cause.
    pub failure: JobError,
}

impl EntryError {
    /// Creates a refusal of a job that has not started.
    pub fn new(id: Option<String>, code: ErrorCode, message: impl Into<String>, hint: &str) -> Self {
        Self { id, failure: JobError::refused(Phase::Queued, code, message, hint) }
    }
}

const ENTRY_HINT: &str = "push the id of a job, or the job as a JSON object with `job_id` or `build_id`";

/// Parses an entry. The caller may cut the entry after [`MAX_BYTES`] + 1 bytes.
///
/// # Errors
/// Returns an [`EntryError`] with one of these codes:
///
/// * [`ErrorCode::EntryTooLarge`] if the entry has more than [`MAX_BYTES`] bytes;
/// * [`ErrorCode::EntryNotJson`] if the entry is not UTF-8, or begins like JSON but is not JSON;
/// * [`ErrorCode::EntryWithoutId`] if the entry has no usable id.
pub fn read(bytes: &[u8]) -> Result<Entry, EntryError> {
    if bytes.len() > MAX_BYTES {
        let message = format!("the entry is too large: found more than the allowed {MAX_BYTES} bytes");
        let hint = "store the payload at the job's key, remove the fields that the job does not need, and push the id";
        // The entry is cut off, so it cannot be parsed as a whole. An id before the cut can still
        // be reported.
        let (header, _) = JobHeader::read(&String::from_utf8_lossy(bytes));
        return Err(EntryError::new(header.id(), ErrorCode::EntryTooLarge, message, hint));
    }
    let Ok(text) = std::str::from_utf8(bytes) else {
        return Err(EntryError::new(None, ErrorCode::EntryNotJson, "the entry is not UTF-8", ENTRY_HINT));
    };
    match text.trim_start().chars().next() {
        Some('{') => read_object(text),
        Some('"') => read_json_string(text),
        _ => read_plain(text.trim()),
    }
}

/// Parses an entry that begins like a JSON string.
fn read_json_string(text: &str) -> Result<Entry, EntryError> {
    let Ok(Value::String(name)) = json::parse(text) else {
        let message = "the entry begins with `\"`, but is not one JSON string";
        return Err(EntryError::new(None, ErrorCode::EntryNotJson, message, ENTRY_HINT));
    };
    usable_key(name).map(Entry::Name).ok_or_else(missing_id)
}

/// Parses an entry that is neither a JSON string nor a JSON object.
fn read_plain(text: &str) -> Result<Entry, EntryError> {
    // A job may stand in a Markdown code fence, or between sentences.
    if text.contains('{') {
        return Err(not_an_object(None, &json::describe(text)));
    }
    // Neither a text that contains spaces nor a JSON array is an id.
    let is_name = !text.contains(char::is_whitespace) && !text.starts_with('[');
    usable_key(text.to_owned()).filter(|_| is_name).map(Entry::Name).ok_or_else(missing_id)
}

/// Parses an entry that begins like a JSON object.
fn read_object(text: &str) -> Result<Entry, EntryError> {
    let (header, parsed) = JobHeader::read(text);
    let id = header.id();
    if let Err(error) = parsed {
        return Err(not_an_object(id, &error));
    }
    let id = id.ok_or_else(missing_id)?;
    if header.has_symbols {
        Ok(Entry::Job { id, payload: text.to_owned() })
    } else {
        Ok(Entry::Pointer { id, payload_key: header.payload_key })
    }
}

/// Returns the refusal of an entry that should be a JSON object.
fn not_an_object(id: Option<String>, error: &JsonError) -> EntryError {
    let message = format!("the entry is not a JSON object: {error}");
    EntryError::new(id, ErrorCode::EntryNotJson, message, error.hint())
}

/// Returns the refusal of an entry that has no usable id.
pub fn missing_id() -> EntryError {
    EntryError::new(None, ErrorCode::EntryWithoutId, "the entry has no readable job id", ENTRY_HINT)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::job_header::usable_id;
    use super::*;

    fn name(id: &str) -> Entry {
        Entry::Name(id.to_owned())
    }

    #[test]
    fn an_id_is_read_from_plain_text_a_json_string_or_an_object() {
        assert_eq!(read(b"build:1").unwrap(), name("build:1"));
        assert_eq!(read(b"\"build:1\"").unwrap(), name("build:1"));
        assert_eq!(read(b"17").unwrap(), name("17"));
        let pointer = Entry::Pointer { id: "1".into(), payload_key: Some("k".into()) };
        assert_eq!(read(br#"{"job_id":1,"build_id":"2","payload_key":"k"}"#).unwrap(), pointer);
        let text = r#"{"build_id":"2","symbols":["A"]}"#;
        assert_eq!(read(text.as_bytes()).unwrap(), Entry::Job { id: "2".into(), payload: text.into() });
    }

    #[test]
    fn an_entry_that_is_not_a_job_is_refused_with_a_code_and_any_readable_id() {
        let long = format!("{{\"build_id\":\"b\",\"x\":\"{}", "y".repeat(MAX_BYTES));
        for (entry, code, id) in [
            (&b"{\"build_id\":\"b\",\"symbols\":["[..], "entry_not_json", Some("b")),
            (b"{\"build_id\":\"b\"} more", "entry_not_json", Some("b")),
            (b"{\"symbols\":[]}", "entry_without_id", None),
            (b"{\"build_id\":[1],\"symbols\":[]}", "entry_without_id", None),
            (b"[\"b\"]", "entry_without_id", None),
            (b"this is not a job", "entry_without_id", None),
            (b"```json\n{\"build_id\":\"b\",\"symbols\":[\"A\"]}\n```", "entry_not_json", None),
            (br#"{"build_id":"b","symbols":["A"],"x":NaN}"#, "entry_not_json", Some("b")),
            (br#""\ud83d""#, "entry_without_id", None),
            (b"\"open", "entry_not_json", None),
            (b"", "entry_without_id", None),
            (b"\xff\xfe", "entry_not_json", None),
            (long.as_bytes(), "entry_too_large", Some("b")),
        ] {
            let refusal = read(entry).unwrap_err();
            assert_eq!((refusal.failure.code.as_str(), refusal.id.as_deref()), (code, id));
        }
    }

    #[test]
    fn a_lone_surrogate_in_another_field_hides_no_id() {
        let text = r#"{"x":"\ud83d","build_id":"b","symbols":["A"]}"#;
        assert_eq!(read(text.as_bytes()).unwrap(), Entry::Job { id: "b".into(), payload: text.into() });
    }

    proptest! {
        #[test]
        fn any_bytes_parse_and_every_id_can_be_part_of_a_key(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            match read(&bytes) {
                Ok(Entry::Name(name)) => prop_assert!(usable_key(name).is_some()),
                Ok(Entry::Pointer { id, .. } | Entry::Job { id, .. }) => prop_assert!(usable_id(id).is_some()),
                Err(_) => {}
            }
        }
    }
}
