//! The worker's log as events, which `LOG_FORMAT=json` writes as one JSON object per line.
//!
//! Tests recognise an event by its level and fields, because the wording of a message may change at
//! any time.

use serde_json::Value;

/// One line of the log.
#[derive(Clone, Debug)]
pub struct LogEvent(Value);

impl LogEvent {
    /// Reads a line. A line that is not a JSON object is an event without a level, whose message is
    /// the line.
    pub fn parse(line: &str) -> Self {
        let parsed = serde_json::from_str(line).ok().filter(Value::is_object);
        Self(parsed.unwrap_or_else(|| serde_json::json!({ "message": line })))
    }

    /// Returns the level, such as `WARN`.
    pub fn level(&self) -> &str {
        self.text("level").unwrap_or_default()
    }

    /// Returns the message. Job and plugin processes log as text, so their messages end with their
    /// fields, such as `deaths=1`.
    pub fn message(&self) -> &str {
        self.text("message").unwrap_or_default()
    }

    /// Returns a field that is a string.
    pub fn text(&self, field: &str) -> Option<&str> {
        self.0[field].as_str()
    }

    /// Returns a field that is a whole number.
    pub fn number(&self, field: &str) -> Option<u64> {
        self.0[field].as_u64()
    }

    /// Returns whether the event has a field.
    pub fn has(&self, field: &str) -> bool {
        self.0.get(field).is_some()
    }

    /// Returns whether the message contains a text.
    pub fn mentions(&self, text: &str) -> bool {
        self.message().contains(text)
    }

    /// Returns whether the event is a warning whose message contains a text.
    pub fn warns_of(&self, text: &str) -> bool {
        self.level() == "WARN" && self.mentions(text)
    }

    /// Returns whether the event is the start of an attempt at this job.
    pub fn is_start_of(&self, job: &str) -> bool {
        self.text("job") == Some(job) && self.has("attempt") && !self.has("seconds")
    }

    /// Returns whether this worker requeued the job of a vanished worker.
    pub fn is_reap_of(&self, job: &str) -> bool {
        self.text("job") == Some(job) && self.has("vanished_worker")
    }

    /// Returns whether the event reports that a published file is rejected, with the reason in the
    /// message. An event with an `id` and a `generation` names an earlier generation of the file,
    /// which stays active.
    pub fn is_rejection_of(&self, file: &str) -> bool {
        self.level() == "WARN" && self.is_about_file(file)
    }

    /// Returns whether the event reports that a published file was removed.
    pub fn is_removal_of(&self, file: &str) -> bool {
        self.level() == "INFO" && self.is_about_file(file)
    }

    fn is_about_file(&self, file: &str) -> bool {
        self.text("library").is_some_and(|path| path.rsplit('/').next() == Some(file))
    }

    /// Returns whether the event reports that a build of a plugin becomes active.
    pub fn is_activation_of(&self, sha256: &str) -> bool {
        self.text("sha256") == Some(sha256) && self.has("generation")
    }

    /// Returns whether the event reports the `n`-th death of a plugin process of one family in one
    /// job.
    pub fn is_plugin_death(&self, n: u32) -> bool {
        self.message().ends_with(&format!(" deaths={n}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_has_level_message_and_fields() {
        let event = LogEvent::parse(r#"{"level":"WARN","message":"gone","job":"a","attempt":2}"#);
        assert!(event.warns_of("gone") && event.is_start_of("a") && !event.is_start_of("b"));
        assert_eq!(event.number("attempt"), Some(2));
        let finished = LogEvent::parse(r#"{"level":"INFO","message":"done","job":"a","attempt":2,"seconds":0.5}"#);
        assert!(!finished.is_start_of("a"));
        let death = LogEvent::parse(r#"{"level":"WARN","message":"died plugin=\"x\" deaths=1","job":"a"}"#);
        assert!(death.is_plugin_death(1) && !death.is_plugin_death(2));
    }

    #[test]
    fn a_line_that_is_not_json_is_a_message() {
        let event = LogEvent::parse("thread panicked");
        assert_eq!((event.level(), event.message()), ("", "thread panicked"));
    }
}
