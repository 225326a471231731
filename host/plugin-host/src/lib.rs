//! Plugins: found, examined, selected by a job, run in processes of their own.
//!
//! Invariant: only a plugin process loads a library ([`loader`]), and exactly one; the worker and the job process load
//! none.

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
pub mod loader;
mod memory;
pub mod predictor;
pub mod probe;
pub mod process;
mod progress_throttle;
pub mod protocol;
pub mod selection;
pub mod serve;
pub mod session;
pub mod store;
pub mod table;
pub mod trust;
