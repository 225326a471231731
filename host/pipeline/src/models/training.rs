//! The result of the model stage.

use oculus_job::warning::Warning;
use serde_json::{Map, Value};

use super::{report_row::ModelRow, test_metrics::TestMetrics};
use crate::metrics::ScoreScale;

/// A family's model of the whole development period.
#[derive(Clone, Debug, PartialEq)]
pub struct FinalModel {
    /// The name to show.
    pub name: String,
    /// The plugin's id.
    pub plugin: String,
    /// Parameters of the fit that differ from the family's defaults.
    pub params: Map<String, Value>,
    /// Rounds or epochs, if the folds determined them.
    pub rounds: Option<u32>,
    /// Device of the fit; `None` where the family does not report it, which is the CPU.
    pub device: Option<String>,
    /// Score from which a row is flagged; `None` where no row has an out-of-fold score.
    pub threshold: Option<f32>,
    /// The model in its family's own format.
    pub bytes: Vec<u8>,
    /// Whether it is the model of the result.
    pub is_winner: bool,
}

/// Scores of the model of the result.
#[derive(Clone, Debug)]
pub struct Winner {
    /// Out-of-fold scores, one per row of the table, NaN elsewhere.
    pub oof_scores: Vec<f32>,
    /// Scores of the test rows, in their order.
    pub test_scores: Vec<f32>,
    /// Both in deviations from the mean score of the training rows of the model that gave them, one
    /// per row of the table, NaN elsewhere. Before the first fold that the winner was evaluated on,
    /// those of the family that led the search.
    pub standard_scores: Vec<f32>,
    /// Scale of the final model's scores of its own training rows; `None` where that model failed.
    pub score_scale: Option<ScoreScale>,
    /// Share of each column of the table, if the family reports it.
    pub importance: Option<Vec<f64>>,
}

/// The models of a job.
#[derive(Clone, Debug)]
pub struct Training {
    /// One row per family, the lead first.
    pub rows: Vec<ModelRow>,
    /// The model of every family whose final fit succeeded, the winner's first; at least one.
    pub models: Vec<FinalModel>,
    /// Scores of the winner.
    pub winner: Winner,
    /// The winner on the test.
    pub test: TestMetrics,
    /// Warnings of the job.
    pub warnings: Vec<Warning>,
}

impl Training {
    /// Returns the model of the result.
    pub fn winning_model(&self) -> &FinalModel {
        &self.models[0]
    }
}
