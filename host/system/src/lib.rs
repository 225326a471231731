//! What the crates of the host need of the operating system and share: files that survive a crash, child processes and
//! what they print, pauses between attempts, values that must not be shown.

pub mod backoff;
pub mod child;
pub mod control;
pub mod error;
pub mod files;
pub mod log_line;
pub mod memory;
pub mod secret;
