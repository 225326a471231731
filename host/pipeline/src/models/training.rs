//! The result of the model stage.

use oculus_job::warning::Warning;
use serde_json::{Map, Value};

use super::{
    calibration::Calibration,
    candidate::Evaluated,
    ensemble::Ensemble,
    rank_scale::{self, RankScale},
    report_row::ModelRow,
    signal_rule::SignalRule,
    test_metrics::TestMetrics,
};
use crate::baseline::VolatilityModel;
use crate::canaries::ChanceAuc;
use crate::metrics::ScoreScale;
use crate::metrics::UndefinedError;

/// A family's model, fitted on the whole development period, or the ensemble of these models.
#[derive(Clone, Debug, PartialEq)]
pub struct FinalModel {
    /// Display name of the family or the ensemble.
    pub name: String,
    /// Id of the plugin, or `ensemble`.
    pub plugin: String,
    /// The members, if this is the ensemble.
    pub ensemble: Option<Ensemble>,
    /// Parameters of the fit that differ from the family's defaults.
    pub params: Map<String, Value>,
    /// The volatility model whose log-odds the scores of this model contain, if it was fitted with
    /// base scores.
    pub base: Option<VolatilityModel>,
    /// Rounds or epochs, if the folds determined them.
    pub rounds: Option<u32>,
    /// Device of the fit; `None` if the family does not report one, which means the CPU.
    pub device: Option<String>,
    /// Score from which a row is flagged; `None` if none of the rows has an out-of-fold score.
    pub threshold: Option<f32>,
    /// Conversion of the model's scores into probabilities; `None` if the out-of-fold rows lack a
    /// class.
    pub calibration: Option<Calibration>,
    /// The rule that decides which rows are signals.
    pub signal_rule: SignalRule,
    /// Conversion of the model's scores into rank scores; `None` without the features of the
    /// volatility baseline.
    pub rank_scale: Option<RankScale>,
    /// Whether the family, or a member of the ensemble, reads a window of rows per score.
    pub reads_windows: bool,
    /// The model in the format of its family; of the ensemble, the JSON of its members.
    pub bytes: Vec<u8>,
    /// Whether this is the winner's model, which the result describes.
    pub is_winner: bool,
}

impl FinalModel {
    /// Returns the scores of this model from those of the models that score rows for it, see
    /// [`Training::scoring_models`].
    ///
    /// * `scores`: per model, one score per row.
    pub(crate) fn combine(&self, mut scores: Vec<Vec<f32>>) -> Vec<f32> {
        match &self.ensemble {
            Some(ensemble) => ensemble.scores(&scores),
            None => scores.pop().unwrap_or_default(),
        }
    }
}

/// Scores of the model of the result.
#[derive(Clone, Debug)]
pub struct Winner {
    /// Out-of-fold scores, one per row of the table, NaN for rows without one.
    pub oof_scores: Vec<f32>,
    /// Scores of the test rows, in the order of the rows.
    pub test_scores: Vec<f32>,
    /// Whether each test row is a signal, in the order of the rows; `None` without enough earlier
    /// scores.
    pub test_flags: Vec<Option<bool>>,
    /// Out-of-fold and test scores, standardised by the scores that each model assigns to its own
    /// training rows; one per row of the table, NaN for rows without one.
    pub standard_scores: Vec<f32>,
    /// The part of the standardised scores that volatility does not explain; one per row of the
    /// table, NaN for rows without a score.
    pub rank_scores: Vec<f32>,
    /// Scale of the final model's scores of its own training rows; `None` if that fit failed.
    pub score_scale: Option<ScoreScale>,
    /// Importance of each column of the table as a share, if the family reports it.
    pub importance: Option<Vec<f64>>,
}

/// Out-of-fold scores of a family or the ensemble, one per row of the table, NaN for rows without
/// one.
#[derive(Clone, Debug)]
pub struct FamilyScores {
    /// Id of the plugin, or `ensemble`.
    pub plugin: String,
    /// Scores of the models of the folds.
    pub scores: Vec<f32>,
    /// Scores in standard deviations from the mean score that the fold's model assigns to its
    /// training rows. Scores of different folds can be pooled in this unit.
    pub standard_scores: Vec<f32>,
    /// The part of the standard scores that volatility does not explain.
    pub rank_scores: Vec<f32>,
}

impl FamilyScores {
    /// Returns the scores of an evaluated model.
    ///
    /// * `baseline`: out-of-fold scores of the volatility baseline in deviations, one per row of the
    ///   table.
    pub(super) fn new(evaluated: &Evaluated<'_>, baseline: Option<&[f32]>) -> Self {
        let Evaluated { oof, .. } = evaluated;
        Self {
            plugin: evaluated.id().to_owned(),
            scores: oof.scores.clone(),
            standard_scores: oof.standard_scores.clone(),
            rank_scores: rank_scale::out_of_fold(&oof.standard_scores, baseline),
        }
    }
}

/// The models of a job.
#[derive(Clone, Debug)]
pub struct Training {
    /// One row per family and, if the job requests it, one of the ensemble; the lead first.
    pub rows: Vec<ModelRow>,
    /// The model of every family whose final fit succeeded and of the ensemble, the winner's first;
    /// at least one.
    pub models: Vec<FinalModel>,
    /// Scores of the winner.
    pub winner: Winner,
    /// Out-of-fold scores of every evaluated family and the ensemble, the lead first.
    pub out_of_fold: Vec<FamilyScores>,
    /// Metrics of the winner on the test period.
    pub test: TestMetrics,
    /// Warnings of the job.
    pub warnings: Vec<Warning>,
}

impl Training {
    /// Adds the AUC that the model of the result reaches by chance, and the warning
    /// `auc_within_chance` if the AUC of the test period is not clearly above.
    pub(crate) fn compare_with_chance(&mut self, chance: Result<ChanceAuc, UndefinedError>) {
        self.test.set_chance(chance);
        self.warnings.extend(self.test.chance_warning());
    }

    /// Returns the model of the result.
    pub fn winning_model(&self) -> &FinalModel {
        &self.models[0]
    }

    /// Returns the models of the families that score rows for the model of the result: the members
    /// of the ensemble in their order, or the model itself.
    pub(crate) fn scoring_models(&self) -> Vec<&FinalModel> {
        let winner = self.winning_model();
        let Some(ensemble) = &winner.ensemble else { return vec![winner] };
        let model_of = |plugin: &str| self.models.iter().find(|model| model.plugin == plugin);
        ensemble.members.iter().filter_map(|member| model_of(&member.plugin)).collect()
    }
}
