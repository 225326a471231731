//! Operating-system services that the crates of the host share: files that survive a crash, child
//! processes and their output, pauses between attempts, values that must not be shown.
//!
//! In: paths, processes, numbers. Out: the standard library's types and errors.
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
