//! A training job on the wire: the request, its progress, and the result of a job that did not succeed.
//!
//! In: JSON as the backend writes it. Out: checked types, and JSON as the backend reads it. This crate knows no queue, no
//! file and no plugin.

pub mod code;
pub mod failure;
pub mod hash;
pub mod job_id;
pub mod progress;
pub mod request;
pub mod result;
pub mod warning;
