//! Claims about strategies: the engine equals a slow reference, results depend on their inputs only,
//! and a planted edge is found.

mod engine;
mod search;
