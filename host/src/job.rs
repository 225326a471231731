//! A job on the wire: what the backend asks, what it hears while it waits, what it gets.

pub mod channel;
pub mod failure;
pub mod progress;
pub mod request;
