//! Finds plugins, examines them, selects those that a job needs, and runs each in its own process.
//!
//! Invariant: only a plugin process loads a library ([`loader`]), and it loads exactly one. The
//! worker and the job process never load one.

pub mod catalog;
pub mod config;
pub mod device;
pub mod discover;
mod file_id;
pub mod format;
pub mod gpu;
pub mod health;
pub mod installed;
pub mod library;
pub mod limits;
mod load_failure;
pub mod loader;
mod memory;
pub mod plugin_main;
pub mod predictor;
pub mod probe;
pub mod process;
mod progress_throttle;
pub mod protocol;
pub mod selection;
pub mod session;
pub mod store;
pub mod table;
pub mod trust;
