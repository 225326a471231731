//! The stages of a job, called in order and nothing else.

pub mod bars;
pub mod baseline;
pub mod features;
pub mod fitter;
pub mod labels;
pub mod metrics;
pub mod models;
pub mod report;
pub mod rules;
pub mod search;
pub mod splits;
