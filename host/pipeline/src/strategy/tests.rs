//! Claims about strategies: the engine equals a slow reference implementation, results depend only
//! on their inputs, and a planted edge is found.

mod engine;
mod search;
