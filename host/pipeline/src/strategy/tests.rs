//! Claims about strategies: the engine beside a slow one, what depends on what, and that an edge is
//! found.
#![allow(clippy::unwrap_used)]

mod engine;
mod search;
