//! The wire format of a training job: the request, progress events, and the result of a job that
//! did not succeed.
//!
//! In: JSON written by the backend. Out: validated types, and JSON for the backend. Invariant: this
//! crate only converts between JSON and types. It accesses no queue, file or plugin.

pub mod code;
pub mod error;
pub mod hash;
pub mod job_id;
pub mod json;
pub mod progress;
pub mod request;
pub mod result;
pub mod submission;
pub mod warning;
