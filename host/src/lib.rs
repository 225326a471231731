//! The training worker of the Oculus Strategy Platform.
//!
//! One binary has three roles. The [`worker`] takes jobs from Redis and loads no plugin. A job
//! process runs the pipeline (`runner`). A plugin process fits models with exactly one library.
//! `docs/architecture.md` describes the parts and the invariants.

mod artifacts;
mod charts;
pub mod cli;
pub mod config;
mod eta;
mod logging;
mod runner;
mod submission_files;
pub mod worker;

/// The allocator of the program. It keeps freed memory for later features. If the memory were
/// returned to the system each time, every page would have to be mapped and cleared again. This
/// would take as long as computing the features (`docs/decisions/0023-allocator.md`).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
