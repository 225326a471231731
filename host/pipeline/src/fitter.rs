//! The interface of a model family: tables that are prepared once and fitted many times.
//!
//! The pipeline does not depend on how a family runs; in a real job a plugin process implements this trait.

use oculus_plugin_api::{Manifest, Setting, Summary};
use serde_json::{Map, Value};

/// A model family at work on one feature table.
pub trait Fitter: Sync {
    /// Returns its identity, parameters and capabilities.
    fn manifest(&self) -> &Manifest;

    /// Prepares the table; every statistic comes from `learn_rows` alone.
    ///
    /// * `on_progress`: receives the progress of the preparation.
    ///
    /// # Errors
    /// If the family refuses, its process died, or the job is cancelled.
    fn prepare(
        &self,
        learn_rows: &[u32],
        setting: &Setting,
        on_progress: &FitProgressFn<'_>,
    ) -> Result<PreparedId, FitError>;

    /// Fits one model, and predicts with it.
    ///
    /// # Errors
    /// If the family refuses, its process died, or the job is cancelled.
    fn fit(&self, request: &FitRequest<'_>) -> Result<Fitted, FitError>;
}

/// Threads of a preparation and of a fit: fixed, so that load never changes a byte.
pub const FIT_THREADS: usize = 1;

/// Returns the setting with which a family prepares a table.
pub fn setting(device: &str, seed: u64) -> Setting {
    Setting { device: device.to_owned(), threads: FIT_THREADS, seed }
}

/// Receives the progress of a preparation or a fit, on the thread that requested it.
pub type FitProgressFn<'a> = dyn Fn(&FitProgress) + Sync + 'a;

/// The progress of a preparation or a fit.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FitProgress {
    /// Share of the work that is done, 0 to 1.
    pub fraction: f64,
    /// The last epoch or round that reported a figure, from 1.
    pub epoch: Option<u64>,
    /// Loss of the training rows at that epoch.
    pub loss: Option<f64>,
    /// Loss of the rows for early stopping at that epoch.
    pub tune_loss: Option<f64>,
    /// Seconds left, at the pace so far.
    pub eta_s: Option<f64>,
    /// Whether it waits until another job releases the GPU.
    pub waits_for_gpu: bool,
}

/// A prepared table in its family's memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PreparedId(pub usize);

/// One fit and the results that it must return.
#[derive(Clone, Copy)]
pub struct FitRequest<'a> {
    /// What to fit on.
    pub prepared: PreparedId,
    /// One per row of the table: 0, 1, or NaN.
    pub label: &'a [f32],
    /// Ascending rows to fit on.
    pub train_rows: &'a [u32],
    /// Ascending rows for early stopping; may be empty.
    pub tune_rows: &'a [u32],
    /// Parameters that differ from the family's defaults.
    pub params: &'a Map<String, Value>,
    /// Seed of all random numbers of the fit.
    pub seed: u64,
    /// Device to fit on, or `auto`.
    pub device: &'a str,
    /// Ascending rows to score with the fitted model; may be empty.
    pub predict_rows: &'a [u32],
    /// Whether the fit returns the model itself.
    pub keep: Keep,
    /// Receives the progress of the fit.
    pub on_progress: &'a FitProgressFn<'a>,
}

/// What a fit returns in addition to the scores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// Nothing: the model is dropped where it was fitted.
    Scores,
    /// The model's bytes and importance.
    Model,
}

/// The result of a fit.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Fitted {
    /// One score for each of `predict_rows`.
    pub scores: Vec<f32>,
    /// Rounds kept, device used.
    pub summary: Summary,
    /// With [`Keep::Model`]: the bytes of the model.
    pub model: Option<Vec<u8>>,
    /// With [`Keep::Model`], if the family reports it: the importance of each column of the table, as a share.
    pub importance: Option<Vec<f64>>,
}

/// Why a fit has no result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FitError {
    /// The family refused; `code` is one of `oculus_plugin_api::code`.
    #[error("{message}")]
    Refused {
        /// One of `oculus_plugin_api::code`.
        code: u32,
        /// The finding and the requirement.
        message: String,
    },
    /// The family's process died more often than it may.
    #[error("the plugin process died ({cause}){}", last_lines(.stderr))]
    Died {
        /// Signal or exit code, in words.
        cause: String,
        /// Its last lines on stderr.
        stderr: Vec<String>,
    },
    /// The job was cancelled.
    #[error("cancelled")]
    Cancelled,
}

/// Lines of a dead process, and characters per line, that a result contains. The log has more.
const LAST_LINES: usize = 5;
const LONGEST_LAST_LINE: usize = 300;

fn last_lines(stderr: &[String]) -> String {
    let last = stderr.iter().rev().filter(|line| !line.trim().is_empty()).take(LAST_LINES);
    let mut last: Vec<String> = last.map(|line| line.chars().take(LONGEST_LAST_LINE).collect()).collect();
    last.reverse();
    if last.is_empty() { String::new() } else { format!("; its last words: {}", last.join(" | ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_death_is_reported_with_the_last_lines_and_a_bounded_length() {
        let died = |stderr| FitError::Died { cause: "signal 11 (SIGSEGV)".to_owned(), stderr }.to_string();
        assert_eq!(died(vec![]), "the plugin process died (signal 11 (SIGSEGV))");
        let lines = (1..=9).map(|n| format!("line {n}")).chain([String::new()]).collect();
        assert!(died(lines).ends_with("; its last words: line 5 | line 6 | line 7 | line 8 | line 9"));
        assert!(died(vec!["x".repeat(4096); 50]).len() < 2000);
    }
}
