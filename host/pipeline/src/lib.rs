//! Runs the stages of a training job, in order, as a pure function.
//!
//! In: a checked job, bars, and model families behind traits. Out: the report for the job's result,
//! and the findings of the stages. Invariant: this crate does not read the environment, the clock,
//! the network or a global random generator. Data, seeds, time and cancellation are arguments, so
//! equal arguments produce equal bytes.

pub mod bars;
pub mod baseline;
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
mod progress;
pub mod report;
pub mod rules;
mod run;
mod search;
mod splits;
pub mod strategy;
pub mod submissions;
pub mod work;

pub use self::run::{ArtifactInputs, OpenPlugins, PipelineInputs, PipelineOutput, StartedPlugins, run};
