//! The interface of a model family: a table is prepared once and then fitted many times.
//!
//! The pipeline does not depend on how a family runs. In a real job, a plugin process implements
//! this trait.

use oculus_plugin_api::{Manifest, Setting, Summary, code};
use serde_json::{Map, Value};

/// A model family that fits models on one feature table.
pub trait Fitter: Sync {
    /// Returns the identity, the parameters and the capabilities of the family.
    fn manifest(&self) -> &Manifest;

    /// Prepares the table for fits, for example by scaling or binning it.
    ///
    /// * `learn_rows`: the only rows that statistics may be computed from.
    /// * `on_progress`: receives the progress of the preparation.
    ///
    /// # Errors
    /// Returns [`FitError`] if the family rejects the request, its process died, or the job was
    /// cancelled.
    fn prepare(
        &self,
        learn_rows: &[u32],
        setting: &Setting,
        on_progress: &FitProgressFn<'_>,
    ) -> Result<PreparedId, FitError>;

    /// Fits one model and scores rows with it.
    ///
    /// # Errors
    /// Returns [`FitError`] if the family rejects the request, its process died, or the job was
    /// cancelled.
    fn fit(&self, request: &FitRequest<'_>) -> Result<Fitted, FitError>;

    /// Loads a saved model and scores rows of the table with it. Returns one score per row.
    ///
    /// * `model`: bytes from [`Fitted::model`].
    /// * `base_score`: log-odds of every row of the table, if the model was fitted with base scores.
    /// * `rows`: ascending.
    ///
    /// # Errors
    /// Returns [`FitError`] if the family rejects the model, its process died, or the job was
    /// cancelled. The default rejects every model.
    fn score(
        &self,
        _model: &[u8],
        _setting: &Setting,
        _base_score: Option<&[f32]>,
        _rows: &[u32],
    ) -> Result<Vec<f32>, FitError> {
        Err(FitError::Rejected { code: code::UNSUPPORTED, message: "this family loads no models".to_owned() })
    }
}

/// Number of threads of a preparation and of a fit. It is fixed, because with another number of
/// threads a family may add numbers in another order, and its results would differ in their last
/// bits.
pub const FIT_THREADS: usize = 1;

/// Returns the setting with which a family prepares a table.
pub fn setting(device: &str, seed: u64) -> Setting {
    Setting { device: device.to_owned(), threads: FIT_THREADS, seed }
}

/// A callback that receives the progress of a preparation or a fit, on the requesting thread.
pub type FitProgressFn<'a> = dyn Fn(&FitProgress) + Sync + 'a;

/// The progress of a preparation or a fit.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FitProgress {
    /// Share of the work that is done, 0 to 1.
    pub fraction: f64,
    /// Details of the fraction, if the progress is that of several fits.
    pub folds: FoldShares,
    /// Last epoch or round that reported a figure, from 1.
    pub epoch: Option<u64>,
    /// Loss on the training rows at that epoch.
    pub loss: Option<f64>,
    /// Loss on the rows for early stopping at that epoch.
    pub tune_loss: Option<f64>,
    /// Estimated remaining time in seconds, at the pace so far.
    pub eta_s: Option<f64>,
    /// Whether the fit is waiting until another job releases the GPU.
    pub waits_for_gpu: bool,
}

/// Shares of the work of all fits on several folds, 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct FoldShares {
    /// The share that is certainly done: fits that have ended, and running fits that cannot stop
    /// early. The rest of the fraction belongs to running fits that may stop early.
    pub certain: f64,
    /// The share of the fits with early stopping that have ended.
    pub stopped: f64,
    /// The share that these fits had reported at their ends; less than `stopped` if they stopped
    /// early.
    pub reported: f64,
}

/// The id of a prepared table in the memory of its family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PreparedId(pub usize);

/// A request for one fit and for the scores of some rows.
#[derive(Clone, Copy)]
pub struct FitRequest<'a> {
    /// Prepared table to fit on.
    pub prepared: PreparedId,
    /// Label of each row of the table: 0, 1, or NaN.
    pub label: &'a [f32],
    /// Ascending rows to fit on.
    pub train_rows: &'a [u32],
    /// Ascending rows for early stopping; may be empty.
    pub tune_rows: &'a [u32],
    /// Parameters that differ from the family's defaults.
    pub params: &'a Map<String, Value>,
    /// Seed of all random numbers in the fit.
    pub seed: u64,
    /// Device to fit on, or `auto`.
    pub device: &'a str,
    /// Log-odds of class 1 of each row of the table, from which the fit starts and which its scores
    /// contain. The values are NaN in rows that are neither fitted nor scored. A family whose
    /// manifest does not declare `base_score` fits without them.
    pub base_score: Option<&'a [f32]>,
    /// Ascending rows to score with the fitted model; may be empty.
    pub predict_rows: &'a [u32],
    /// Output of the fit.
    pub output: FitOutput,
    /// Receives the progress of the fit.
    pub on_progress: &'a FitProgressFn<'a>,
}

/// The requested output of a fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FitOutput {
    /// The scores only. The family drops the model.
    Scores,
    /// The scores, the bytes of the model, and the importance of the features.
    Model,
}

/// The result of a fit.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Fitted {
    /// Scores, one per row of `predict_rows`.
    pub scores: Vec<f32>,
    /// Summary of the fit, such as the number of rounds and the device.
    pub summary: Summary,
    /// Bytes of the model; present for [`FitOutput::Model`].
    pub model: Option<Vec<u8>>,
    /// Importance of each column of the table, as a share; present for [`FitOutput::Model`] if the
    /// family reports it.
    pub importance: Option<Vec<f64>>,
}

/// A reason why a fit has no result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FitError {
    /// The family rejected the request.
    #[error("{message}")]
    Rejected {
        /// Code of the error, one of `oculus_plugin_api::code`.
        code: u32,
        /// Message with the values found and expected.
        message: String,
    },
    /// The process of the family died more often than it may be restarted.
    #[error("the plugin process died ({cause}){}", last_lines(.stderr))]
    Died {
        /// Signal or exit code, as text for people.
        cause: String,
        /// Last lines that the process wrote to stderr.
        stderr: Vec<String>,
    },
    /// The job was cancelled.
    #[error("cancelled")]
    Cancelled,
}

/// Maximum number of lines that a result quotes from the stderr of a dead process. The log contains
/// more.
const MAX_LINES: usize = 5;
/// Maximum number of characters of each of these lines.
const MAX_LINE_CHARS: usize = 300;

fn last_lines(stderr: &[String]) -> String {
    let last = stderr.iter().rev().filter(|line| !line.trim().is_empty()).take(MAX_LINES);
    let mut last: Vec<String> = last.map(|line| line.chars().take(MAX_LINE_CHARS).collect()).collect();
    last.reverse();
    if last.is_empty() { String::new() } else { format!("; last lines of its stderr: {}", last.join(" | ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_of_a_dead_process_has_its_last_lines_and_a_bounded_length() {
        let died = |stderr| FitError::Died { cause: "signal 11 (SIGSEGV)".to_owned(), stderr }.to_string();
        assert_eq!(died(vec![]), "the plugin process died (signal 11 (SIGSEGV))");
        let lines = (1..=9).map(|n| format!("line {n}")).chain([String::new()]).collect();
        assert!(died(lines).ends_with("; last lines of its stderr: line 5 | line 6 | line 7 | line 8 | line 9"));
        assert!(died(vec!["x".repeat(4096); 50]).len() < 2000);
    }
}
