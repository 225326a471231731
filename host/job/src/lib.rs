//! A training job on the wire: the request, its progress, and the result of a job that did not succeed.
//!
//! In: JSON as the backend writes it. Out: checked types, and JSON as the backend reads it.
//! Invariant: this crate has no queue, no file and no plugin: it maps between JSON and types.

pub mod code;
pub mod failure;
pub mod hash;
pub mod job_id;
pub mod progress;
pub mod request;
pub mod result;
pub mod warning;
