//! Fits a configuration fold by fold, and scores the validation rows of each fold.
//!
//! In: a family, configurations. Out: [`OutOfFold`] scores. Tables are prepared once per fold, for
//! all configurations.

use oculus_job::code::ErrorCode;
use oculus_job::failure::Failure;
use oculus_job::progress::Phase;
use oculus_plugin_api::code;
use serde_json::{Map, Value};

use super::{
    context::{Family, SearchContext},
    row_scores::{every_row_scored, merge_rows, separate_scores},
};
use crate::{
    fitter::{FitError, FitProgressFn, FitRequest, Fitted, Keep, PreparedId, setting},
    metrics::{ScoreScale, auc},
    parallel::side_by_side,
    splits::{Fold, TAIL_SHARE, tail},
};

/// Scores of rows by models that were not fitted on them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OutOfFold {
    /// One score per row of the table, NaN outside the validation rows.
    pub scores: Vec<f32>,
    /// The scores in deviations from the mean score of the training rows of the fold's model, so
    /// that scores of different models can be pooled.
    pub standard_scores: Vec<f32>,
    /// AUC of each fold; `None` where it does not exist.
    pub fold_aucs: Vec<Option<f64>>,
    /// Median of the rounds at which early stopping ended, over the folds that had rows to stop on;
    /// `None` without such folds.
    pub rounds: Option<u32>,
    /// Device that the models were fitted on; `None` for the CPU.
    pub device: Option<String>,
    /// The family's reason, if one of the folds has too few rows for it.
    pub refusal: Option<String>,
}

/// Parameters to fit on one label.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Configuration {
    /// Position of the label.
    pub(super) label_idx: usize,
    /// Parameters that differ from the family's defaults.
    pub(super) params: Map<String, Value>,
}

/// The outcome of fitting a configuration on all folds.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum ConfigurationFit {
    /// The family fitted it.
    Fitted(OutOfFold),
    /// The family refused it, with the reason.
    Refused(String),
}

/// Fits one family on folds.
pub(crate) struct FoldFitter<'a> {
    pub(super) context: &'a SearchContext<'a>,
    pub(super) family: &'a Family<'a>,
    on_progress: &'a FitProgressFn<'a>,
    /// Prepared tables by the rows that they were prepared from.
    prepared: Vec<(&'a [u32], PreparedId)>,
    /// Plans of each label's folds, made when the label is first fitted.
    plans: Vec<Option<Vec<FoldPlan<'a>>>>,
}

/// The rows of one fold for one fit, its table prepared.
struct FoldPlan<'a> {
    prepared: PreparedId,
    fit_rows: Vec<u32>,
    tune_rows: Vec<u32>,
    fold: &'a Fold,
    /// Training and validation rows, ascending.
    predict_rows: Vec<u32>,
}

/// One fit: the plan of its fold, the values of the label, and parameters.
struct FoldFit<'f, 'a> {
    plan: &'f FoldPlan<'a>,
    label: &'f [f32],
    params: &'f Map<String, Value>,
}

impl<'a> FoldFitter<'a> {
    /// Returns a fitter without prepared tables.
    pub(crate) fn new(context: &'a SearchContext<'a>, family: &'a Family<'a>) -> Self {
        let plans = context.labels.iter().map(|_| None).collect();
        Self { context, family, on_progress: &|_| {}, prepared: Vec::new(), plans }
    }

    /// Sets the callback for the progress of each fit.
    pub(crate) fn with_progress(self, on_progress: &'a FitProgressFn<'a>) -> Self {
        Self { on_progress, ..self }
    }

    /// Fits configurations on all folds of their labels, up to `n_side_by_side` fits at once.
    ///
    /// # Errors
    /// If the family's process dies for good, or the job is cancelled.
    pub(super) fn fit_all(&mut self, batch: &[Configuration]) -> Result<Vec<ConfigurationFit>, Failure> {
        let fatal = |error: FitError| family_failure(Phase::ConfigSearch, self.family, &error);
        for configuration in batch {
            self.plan(configuration.label_idx).map_err(fatal)?;
        }
        let fits: Vec<FoldFit<'_, '_>> = batch
            .iter()
            .flat_map(|Configuration { label_idx, params }| {
                let label = &self.context.labels[*label_idx].value;
                self.plans(*label_idx).map(move |plan| FoldFit { plan, label, params })
            })
            .collect();
        let mut results = self.fit_folds(&fits).into_iter();
        batch
            .iter()
            .map(|Configuration { label_idx, .. }| {
                let folds = self.plans(*label_idx).zip(results.by_ref()).collect();
                self.collect(&self.context.labels[*label_idx].value, folds).map_err(fatal)
            })
            .collect()
    }

    /// Fits the family's own parameters to other values of a label, on the rows of that label's
    /// folds.
    ///
    /// * `labels`: each with one value per row of the table.
    ///
    /// # Errors
    /// If the family's process dies for good, or the job is cancelled.
    pub(super) fn fit_values(
        &mut self,
        label_idx: usize,
        labels: &[Vec<f32>],
    ) -> Result<Vec<ConfigurationFit>, FitError> {
        self.plan(label_idx)?;
        let params = self.family.params;
        let fits: Vec<FoldFit<'_, '_>> = labels
            .iter()
            .flat_map(|label| self.plans(label_idx).map(move |plan| FoldFit { plan, label, params }))
            .collect();
        let mut results = self.fit_folds(&fits).into_iter();
        labels.iter().map(|label| self.collect(label, self.plans(label_idx).zip(results.by_ref()).collect())).collect()
    }

    /// Fits the family's own parameters on the last fold of a label, and prepares that fold alone.
    ///
    /// # Errors
    /// If the family refuses, its process dies for good, or the job is cancelled.
    pub(crate) fn fit_last_fold(&mut self, label_idx: usize) -> Result<OutOfFold, FitError> {
        let refused = |message| FitError::Refused { code: code::DATA, message };
        let n_folds = self.context.splits[label_idx].folds.len();
        let plan = self.plan_fold(label_idx, n_folds.saturating_sub(1))?;
        let plan = plan.ok_or_else(|| refused("there is no fold to judge it on".to_owned()))?;
        let label = &self.context.labels[label_idx].value;
        let result = self.fit_fold(&FoldFit { plan: &plan, label, params: self.family.params });
        match self.collect(label, vec![(&plan, result)])? {
            ConfigurationFit::Fitted(oof) => Ok(oof),
            ConfigurationFit::Refused(reason) => Err(refused(reason)),
        }
    }

    /// Returns the prepared table of some rows.
    fn prepare(&mut self, learn_rows: &'a [u32]) -> Result<PreparedId, FitError> {
        if let Some((_, id)) = self.prepared.iter().find(|(rows, _)| *rows == learn_rows) {
            return Ok(*id);
        }
        let setting = setting(self.family.device, self.context.seed);
        let id = self.family.fitter.prepare(learn_rows, &setting, self.on_progress)?;
        self.prepared.push((learn_rows, id));
        Ok(id)
    }

    /// Plans all folds of a label once.
    fn plan(&mut self, label_idx: usize) -> Result<(), FitError> {
        if self.plans[label_idx].is_some() {
            return Ok(());
        }
        let n_folds = self.context.splits[label_idx].folds.len();
        let mut plans = Vec::with_capacity(n_folds);
        for fold_idx in 0..n_folds {
            plans.extend(self.plan_fold(label_idx, fold_idx)?);
        }
        self.plans[label_idx] = Some(plans);
        Ok(())
    }

    /// Plans one fold; `None` where the label has no such fold.
    fn plan_fold(&mut self, label_idx: usize, fold_idx: usize) -> Result<Option<FoldPlan<'a>>, FitError> {
        let context = self.context;
        let Some(fold) = context.splits[label_idx].folds.get(fold_idx) else { return Ok(None) };
        let prepared = self.prepare(&fold.learn_rows)?;
        let stops_early = self.family.fitter.manifest().rounds_param.is_some();
        let cut = stops_early.then(|| tail(context.table, &context.labels[label_idx], &fold.train_rows, TAIL_SHARE));
        let (fit_rows, tune_rows) = cut.flatten().unwrap_or_else(|| (fold.train_rows.clone(), Vec::new()));
        let predict_rows = merge_rows(&fold.train_rows, &fold.valid_rows);
        Ok(Some(FoldPlan { prepared, fit_rows, tune_rows, fold, predict_rows }))
    }

    fn plans(&self, label_idx: usize) -> impl Iterator<Item = &FoldPlan<'a>> {
        self.plans[label_idx].iter().flatten()
    }

    fn fit_folds(&self, fits: &[FoldFit<'_, '_>]) -> Vec<Result<Fitted, FitError>> {
        side_by_side(self.context.n_side_by_side, fits, |fit| self.fit_fold(fit))
    }

    fn fit_fold(&self, fit: &FoldFit<'_, '_>) -> Result<Fitted, FitError> {
        self.family.fitter.fit(&FitRequest {
            prepared: fit.plan.prepared,
            label: fit.label,
            train_rows: &fit.plan.fit_rows,
            tune_rows: &fit.plan.tune_rows,
            params: fit.params,
            seed: self.context.seed,
            device: self.family.device,
            predict_rows: &fit.plan.predict_rows,
            keep: Keep::Scores,
            on_progress: self.on_progress,
        })
    }

    /// Collects the scores of all folds in one column. A fold with too few rows for the family has
    /// no scores; any other refusal refuses the configuration.
    fn collect(
        &self,
        label: &[f32],
        folds: Vec<(&FoldPlan<'_>, Result<Fitted, FitError>)>,
    ) -> Result<ConfigurationFit, FitError> {
        let mut oof = OutOfFold::without_scores(self.context.table.n_rows());
        let mut rounds = Vec::new();
        for (plan, result) in folds {
            match result {
                Ok(fitted) => {
                    if let Err(error) = every_row_scored(&fitted.scores, &plan.predict_rows) {
                        return Ok(ConfigurationFit::Refused(error.to_string()));
                    }
                    oof.add_fold(label, plan, &fitted);
                    // Without rows to stop on, the rounds are the configuration's own.
                    rounds.extend(fitted.summary.rounds.filter(|_| !plan.tune_rows.is_empty()));
                }
                Err(FitError::Refused { code: code::DATA, message }) => {
                    oof.fold_aucs.push(None);
                    oof.refusal = Some(message);
                }
                Err(FitError::Refused { message, .. }) => return Ok(ConfigurationFit::Refused(message)),
                Err(error) => return Err(error),
            }
        }
        rounds.sort_unstable();
        oof.rounds = rounds.get(rounds.len().saturating_sub(1) / 2).copied();
        Ok(ConfigurationFit::Fitted(oof))
    }
}

impl OutOfFold {
    fn without_scores(n_rows: usize) -> Self {
        let scores = vec![f32::NAN; n_rows];
        Self { standard_scores: scores.clone(), scores, ..Self::default() }
    }

    /// Adds the scores of the validation rows of one fold.
    fn add_fold(&mut self, label: &[f32], plan: &FoldPlan<'_>, fitted: &Fitted) {
        let valid_rows = &plan.fold.valid_rows;
        let scores = separate_scores(&plan.predict_rows, &fitted.scores, valid_rows);
        let scale = ScoreScale::from_scores(&scores.others);
        for (&row, &score) in valid_rows.iter().zip(&scores.wanted) {
            self.scores[row as usize] = score;
            self.standard_scores[row as usize] = scale.standardize(score);
        }
        let labels: Vec<f32> = valid_rows.iter().map(|&row| label[row as usize]).collect();
        self.fold_aucs.push(auc(&labels, &scores.wanted).ok());
        self.device.clone_from(&fitted.summary.device);
    }
}

/// Converts an error of a family into the failure of the job.
pub(crate) fn family_failure(phase: Phase, family: &Family<'_>, error: &FitError) -> Failure {
    let title = family.fitter.manifest().title();
    let message = format!("{title}: {error}");
    match error {
        FitError::Cancelled => Failure::cancelled(phase),
        FitError::Refused { .. } => {
            Failure::failed(phase, ErrorCode::FamilyRefused, message, "change the job's parameters for this family")
        }
        FitError::Died { .. } => Failure::failed(
            phase,
            ErrorCode::PluginDied,
            message,
            "the worker's log has the plugin's last lines; update it",
        ),
    }
}
