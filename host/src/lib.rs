//! The training worker of the Oculus Strategy Platform.
//!
//! One binary, three roles: the [`worker`] takes jobs from Redis and loads no plugin, a job process runs the pipeline
//! (`runner`), and a plugin process fits models with exactly one library. `docs/architecture.md` has the map and the
//! invariants.

mod artifacts;
mod charts;
pub mod cli;
pub mod config;
mod logging;
mod runner;
pub mod worker;

/// Keeps freed blocks for later features: returning them to the system each time would cost as much as the features
/// themselves, since every page would have to be mapped and cleared again.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
