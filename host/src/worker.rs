//! The worker: takes jobs from Redis, runs each in a process of its own, and answers.

pub mod entry;
pub mod link;
pub mod outcome;
pub mod queue;
