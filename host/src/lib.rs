//! The training worker of the Oculus Strategy Platform.
//!
//! One binary, three roles: the [`worker`] takes jobs from Redis and loads no plugin, a job process runs the
//! [`pipeline`], and a plugin process fits models with exactly one library ([`plugins`]). `docs/architecture.md` has
//! the map and what must always hold.

pub mod artifacts;
pub mod cli;
pub mod config;
pub mod control;
pub mod hash;
pub mod job;
pub mod logging;
pub mod matrix;
pub mod pipeline;
pub mod plugins;
pub mod runner;
pub mod sources;
pub mod synth;
pub mod worker;

/// Keeps the blocks that features free for the next ones: given back each time, their pages would have to be made anew,
/// which takes as long as the features themselves.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
