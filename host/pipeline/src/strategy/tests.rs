//! Claims about strategies: the engine equals a slow reference implementation, results depend only
//! on their inputs, a planted edge is found, and a strategy without an edge has no excess.

mod best_symbols;
mod engine;
mod excess;
mod search;
