//! Operating-system services shared by the crates of the host: durable files, child processes and
//! their output, retry pauses, secrets that are never displayed, and short texts for messages.
//!
//! In: paths, processes, numbers. Out: types and errors of the standard library.
//! Invariant: this crate depends on no other crate of the host.

pub mod backoff;
pub mod child;
pub mod control;
pub mod error;
pub mod files;
mod log_line;
pub mod memory;
pub mod process;
pub mod secret;
pub mod text;
