//! A training job as a pure function: the stages, in order, and nothing else.
//!
//! In: a checked job, bars, model families behind traits. Out: the report of the result, and the
//! stages' findings. This crate reads no environment, clock, network or global randomness: data,
//! seeds, time and cancellation are arguments, so the same arguments give the same bytes.

pub mod bars;
mod baseline;
mod canaries;
pub mod date;
#[cfg(test)]
mod example_bars;
pub mod features;
pub mod fitter;
mod labels;
pub mod matrix;
pub mod metrics;
pub mod miner;
pub mod models;
pub mod parallel;
pub mod participants;
pub mod report;
pub mod rules;
mod run;
mod search;
mod splits;
mod stages;
pub mod strategy;

pub use self::run::{Findings, Opened, Output, PipelineInputs, run};
