//! Claims about strategies: the engine equals a slow reference implementation, results depend only
//! on their inputs, a planted edge is found, and a strategy without an edge has no excess.

mod engine;
mod search;
mod excess;
