//! What the pipeline needs of a model family: tables prepared once, fitted many times.
//!
//! The pipeline does not know how a family runs; a plugin process stands behind this trait in a real job.

use oculus_plugin_api::{Manifest, Setting, Summary};
use serde_json::{Map, Value};

/// A model family at work on one feature table.
pub trait Fitter: Sync {
    /// Who it is and what it takes.
    fn manifest(&self) -> &Manifest;

    /// Makes the table ready; every statistic comes from `learn_rows` alone.
    ///
    /// * `hear`: told how it comes on.
    ///
    /// # Errors
    /// What the family says, or that its process died.
    fn prepare(&self, learn_rows: &[u32], setting: &Setting, hear: &FitProgressFn<'_>) -> Result<PreparedId, FitError>;

    /// Fits one model, and predicts with it.
    ///
    /// # Errors
    /// What the family says, or that its process died.
    fn fit(&self, request: &FitRequest<'_>) -> Result<Fitted, FitError>;
}

/// Threads of a preparation and of a fit: fixed, so that load never changes a byte.
pub const FIT_THREADS: usize = 1;

/// How a family prepares a table.
pub fn setting(device: &str, seed: u64) -> Setting {
    Setting { device: device.to_owned(), threads: FIT_THREADS, seed }
}

/// Who hears how a preparation or a fit comes on, from the thread that asked for it.
pub type FitProgressFn<'a> = dyn Fn(&FitProgress) + Sync + 'a;

/// How a preparation or a fit comes on.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FitProgress {
    /// Share of the work that is done, 0 to 1.
    pub fraction: f64,
    /// The last epoch or round that a figure was told of, from 1.
    pub epoch: Option<u64>,
    /// Loss of the training rows at that epoch.
    pub loss: Option<f64>,
    /// Loss of the rows for early stopping at that epoch.
    pub tune_loss: Option<f64>,
    /// Seconds left, at the pace so far.
    pub eta_s: Option<f64>,
    /// Whether it stands still until another job lets go of the GPU.
    pub waits_for_gpu: bool,
}

/// A prepared table in its family's memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PreparedId(pub usize);

/// One fit and what is wanted of it.
#[derive(Clone, Copy)]
pub struct FitRequest<'a> {
    /// What to fit on.
    pub prepared: PreparedId,
    /// One a row of the table: 0, 1, or NaN.
    pub label: &'a [f32],
    /// Ascending rows to fit on.
    pub train_rows: &'a [u32],
    /// Ascending rows for early stopping; may be empty.
    pub tune_rows: &'a [u32],
    /// Parameters that differ from the family's defaults.
    pub params: &'a Map<String, Value>,
    /// Where all randomness of the fit starts.
    pub seed: u64,
    /// Device to fit on, or `auto`.
    pub device: &'a str,
    /// Ascending rows to score with the fitted model; may be empty.
    pub predict_rows: &'a [u32],
    /// Whether the model itself is wanted.
    pub keep: Keep,
    /// Told how the fit comes on.
    pub hear: &'a FitProgressFn<'a>,
}

/// What to bring back beside the scores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// Nothing: the model is dropped where it was fitted.
    Scores,
    /// The model's bytes and importance.
    Model,
}

/// What a fit made.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Fitted {
    /// One score for each of `predict_rows`.
    pub scores: Vec<f32>,
    /// Rounds kept, device used.
    pub summary: Summary,
    /// With [`Keep::Model`]: the bytes of the model.
    pub model: Option<Vec<u8>>,
    /// With [`Keep::Model`], where the family knows it: the share of each column of the table.
    pub importance: Option<Vec<f64>>,
}

/// Why a fit made nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FitError {
    /// The family said no; `code` is one of `oculus_plugin_api::code`.
    #[error("{message}")]
    Refused {
        /// One of `oculus_plugin_api::code`.
        code: u32,
        /// What was found and needed.
        message: String,
    },
    /// The family's process died, once more than it may.
    #[error("the plugin process died ({cause}){}", last_lines(.stderr))]
    Died {
        /// Signal or exit code, in words.
        cause: String,
        /// Its last lines on stderr.
        stderr: Vec<String>,
    },
    /// The job was asked to end.
    #[error("cancelled")]
    Cancelled,
}

/// Lines of a dead process, and characters of each, that a result carries. The log has more.
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
    fn a_death_is_told_with_the_last_lines_and_no_more_than_a_result_bears() {
        let died = |stderr| FitError::Died { cause: "signal 11 (SIGSEGV)".to_owned(), stderr }.to_string();
        assert_eq!(died(vec![]), "the plugin process died (signal 11 (SIGSEGV))");
        let lines = (1..=9).map(|n| format!("line {n}")).chain([String::new()]).collect();
        assert!(died(lines).ends_with("; its last words: line 5 | line 6 | line 7 | line 8 | line 9"));
        assert!(died(vec!["x".repeat(4096); 50]).len() < 2000);
    }
}
