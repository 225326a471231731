//! Fits a configuration fold by fold, and scores the validation rows of each fold.
//!
//! In: a family and configurations. Out: [`OutOfFold`] scores. Tables are prepared once per fold,
//! for all configurations.

use std::borrow::Cow;
use std::cmp::Reverse;

use oculus_job::code::ErrorCode;
use oculus_job::error::JobError;
use oculus_job::progress::Phase;
use oculus_plugin_api::{Manifest, code};
use parking_lot::Mutex;
use serde_json::{Map, Value};

use super::{
    context::{Family, SearchContext},
    row_scores::{every_row_scored, merge_rows, scale_rows, separate_scores},
};
use crate::{
    baseline::Volatility,
    fitter::{FitError, FitOutput, FitProgress, FitProgressFn, FitRequest, Fitted, FoldShares, PreparedId, setting},
    metrics::{ScoreScale, auc},
    parallel::parallel_map,
    splits::{Fold, TAIL_SHARE, tail},
};

/// Scores of rows by models that were not fitted on them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OutOfFold {
    /// One score per row of the table, NaN outside the validation rows.
    pub scores: Vec<f32>,
    /// Standardised scores: in standard deviations from the mean score that the fold's model
    /// assigns to its training rows. Scores of different models can be pooled in this unit.
    pub standard_scores: Vec<f32>,
    /// AUC of each fold; `None` if it is undefined.
    pub fold_aucs: Vec<Option<f64>>,
    /// Median number of rounds that early stopping kept, over the folds that had rows for early
    /// stopping. Without such folds, the number of rounds of the folds. `None` if the family does
    /// not count rounds.
    pub rounds: Option<u32>,
    /// Device that the models were fitted on; `None` for the CPU.
    pub device: Option<String>,
    /// Reason from the family, if one of the folds has too few rows for this family.
    pub rejection: Option<String>,
}

/// Parameters to fit on one label.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Configuration {
    /// Index of the label.
    pub(super) label_idx: usize,
    /// Parameters that differ from the family's defaults.
    pub(super) params: Map<String, Value>,
}

/// The outcome of fitting a configuration on all folds.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum ConfigurationFit {
    /// The family fitted it.
    Fitted(OutOfFold),
    /// The family rejected the configuration; contains the reason.
    Rejected(String),
}

/// Fits one family on folds.
pub(crate) struct FoldFitter<'a> {
    pub(super) context: &'a SearchContext<'a>,
    pub(super) family: &'a Family<'a>,
    /// Volatility of all rows, if the family can start from base scores.
    volatility: Option<Volatility>,
    /// Prepared tables, each with the rows that it was prepared from.
    prepared: Vec<(&'a [u32], PreparedId)>,
    /// Plans of each label's folds, computed when the label is first fitted.
    plans: Vec<Option<Vec<FoldPlan<'a>>>>,
}

/// Largest number of rounds or epochs of a fit without rows for early stopping. More rounds fit
/// noise: where early stopping is possible, it rarely keeps more.
pub(crate) const ROUNDS_WITHOUT_TAIL: u64 = 25;

/// The rows of one fold for one fit, with the table that was prepared for the fold.
struct FoldPlan<'a> {
    prepared: PreparedId,
    fit_rows: Vec<u32>,
    tune_rows: Vec<u32>,
    fold: &'a Fold,
    /// Log-odds of every row of the table by volatility alone, from which the fit starts.
    base_score: Option<Vec<f32>>,
    /// Validation rows, and training rows whose scores define the scale of the model's scores;
    /// ascending.
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
        let starts_from_base = family.fitter.manifest().base_score;
        let volatility = starts_from_base.then(|| Volatility::from_table(context.table)).flatten();
        Self { context, family, volatility, prepared: Vec::new(), plans }
    }

    /// Fits configurations on all folds of their labels, up to `n_parallel` fits at once.
    ///
    /// # Errors
    /// Returns an error if the family's process dies permanently, or if the job is cancelled.
    pub(super) fn fit_all(&mut self, batch: &[Configuration]) -> Result<Vec<ConfigurationFit>, FitError> {
        // A preparation changes `self`, so all tables are prepared before the parallel fits start.
        for configuration in batch {
            self.plan(configuration.label_idx, &|_| {})?;
        }
        // The folds of all configurations are one list of fits, so that no thread waits for the end
        // of a configuration.
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
                self.collect(&self.context.labels[*label_idx].value, folds)
            })
            .collect()
    }

    /// Fits the family with the job's parameters on all folds of a label, up to `n_parallel` fits at
    /// once.
    ///
    /// * `on_progress`: receives the progress of the whole step: the fraction is the mean over the
    ///   folds.
    ///
    /// # Errors
    /// Returns an error if the family rejects the fit, if its process dies permanently, or if the
    /// job is cancelled.
    pub(crate) fn fit_prior(
        &mut self,
        label_idx: usize,
        on_progress: &FitProgressFn<'_>,
    ) -> Result<OutOfFold, FitError> {
        let rejected = |message| FitError::Rejected { code: code::DATA, message };
        self.plan(label_idx, on_progress)?;
        let label = &self.context.labels[label_idx].value;
        let params = self.family.params;
        let plans: Vec<&FoldPlan<'_>> = self.plans(label_idx).collect();
        if plans.is_empty() {
            return Err(rejected("there is no fold to evaluate the family on".to_owned()));
        }
        // The fold with the most rows starts first, so that no thread is left with a long fit at the
        // end.
        let mut order: Vec<usize> = (0..plans.len()).collect();
        order.sort_by_key(|&idx| Reverse(plans[idx].fit_rows.len()));
        let total = FoldsProgress::new(&plans, on_progress);
        let mut results = parallel_map(self.context.n_parallel, &order, |&idx| {
            let fit = FoldFit { plan: plans[idx], label, params };
            let result = self.fit_fold(&fit, &|progress| total.report(idx, progress));
            total.end(idx);
            (idx, result)
        });
        results.sort_by_key(|(idx, _)| *idx);
        let results = results.into_iter().map(|(_, result)| result);
        match self.collect(label, plans.iter().copied().zip(results).collect())? {
            ConfigurationFit::Fitted(oof) => Ok(oof),
            ConfigurationFit::Rejected(reason) => Err(rejected(reason)),
        }
    }

    /// Returns the table that was prepared from some rows, and prepares it if it does not exist
    /// yet.
    fn prepare(&mut self, learn_rows: &'a [u32], on_progress: &FitProgressFn<'_>) -> Result<PreparedId, FitError> {
        // The `learn_rows` of a fold do not depend on the label, so all labels share the tables.
        // Each label has its own copy of the row list, so the lists are compared by content.
        if let Some((_, id)) = self.prepared.iter().find(|(rows, _)| *rows == learn_rows) {
            return Ok(*id);
        }
        let setting = setting(self.family.device, self.context.seed);
        let id = self.family.fitter.prepare(learn_rows, &setting, on_progress)?;
        self.prepared.push((learn_rows, id));
        Ok(id)
    }

    /// Plans all folds of a label, unless that was done before.
    fn plan(&mut self, label_idx: usize, on_progress: &FitProgressFn<'_>) -> Result<(), FitError> {
        if self.plans[label_idx].is_some() {
            return Ok(());
        }
        let n_folds = self.context.splits[label_idx].folds.len();
        let mut plans = Vec::with_capacity(n_folds);
        for fold_idx in 0..n_folds {
            plans.extend(self.plan_fold(label_idx, fold_idx, on_progress)?);
        }
        self.plans[label_idx] = Some(plans);
        Ok(())
    }

    /// Plans one fold; `None` if the label has no such fold.
    fn plan_fold(
        &mut self,
        label_idx: usize,
        fold_idx: usize,
        on_progress: &FitProgressFn<'_>,
    ) -> Result<Option<FoldPlan<'a>>, FitError> {
        let context = self.context;
        let Some(fold) = context.splits[label_idx].folds.get(fold_idx) else { return Ok(None) };
        let prepared = self.prepare(&fold.learn_rows, on_progress)?;
        let stops_early = self.family.fitter.manifest().rounds_param.is_some();
        // The tail is the last part of the training rows, so that early stopping reads no
        // validation row.
        let cut = stops_early.then(|| tail(context.table, &context.labels[label_idx], &fold.train_rows, TAIL_SHARE));
        let (fit_rows, tune_rows) = cut.flatten().unwrap_or_else(|| (fold.train_rows.clone(), Vec::new()));
        let scale_rows = scale_rows(self.family.fitter.manifest(), &fold.train_rows);
        let predict_rows = merge_rows(&scale_rows, &fold.valid_rows);
        let base_score = self.volatility.as_ref().and_then(|volatility| {
            // Like the fit, the base must not see the rows for early stopping.
            let model = volatility.fit(&context.labels[label_idx].value, &fit_rows)?;
            Some(volatility.base_score(&model))
        });
        Ok(Some(FoldPlan { prepared, fit_rows, tune_rows, fold, base_score, predict_rows }))
    }

    fn plans(&self, label_idx: usize) -> impl Iterator<Item = &FoldPlan<'a>> {
        self.plans[label_idx].iter().flatten()
    }

    fn fit_folds(&self, fits: &[FoldFit<'_, '_>]) -> Vec<Result<Fitted, FitError>> {
        parallel_map(self.context.n_parallel, fits, |fit| self.fit_fold(fit, &|_| {}))
    }

    fn fit_fold(&self, fit: &FoldFit<'_, '_>, on_progress: &FitProgressFn<'_>) -> Result<Fitted, FitError> {
        let params = match fit.plan.tune_rows.is_empty() {
            true => Cow::Owned(with_few_rounds(self.family, fit.params)),
            false => Cow::Borrowed(fit.params),
        };
        self.family.fitter.fit(&FitRequest {
            prepared: fit.plan.prepared,
            label: fit.label,
            train_rows: &fit.plan.fit_rows,
            tune_rows: &fit.plan.tune_rows,
            params: &params,
            seed: self.context.seed,
            device: self.family.device,
            base_score: fit.plan.base_score.as_deref(),
            predict_rows: &fit.plan.predict_rows,
            output: FitOutput::Scores,
            on_progress,
        })
    }

    /// Collects the scores of all folds in one column. A fold with too few rows for the family has
    /// no scores; a rejection for any other reason applies to the whole configuration.
    fn collect(
        &self,
        label: &[f32],
        folds: Vec<(&FoldPlan<'_>, Result<Fitted, FitError>)>,
    ) -> Result<ConfigurationFit, FitError> {
        let mut oof = OutOfFold::without_scores(self.context.table.n_rows());
        let mut rounds = Vec::new();
        let mut untuned_rounds = None;
        for (plan, result) in folds {
            match result {
                Ok(fitted) => {
                    if let Err(error) = every_row_scored(&fitted.scores, &plan.predict_rows) {
                        return Ok(ConfigurationFit::Rejected(error.to_string()));
                    }
                    oof.add_fold(label, plan, &fitted);
                    // Without rows for early stopping, the number of rounds was not found on data.
                    match plan.tune_rows.is_empty() {
                        true => untuned_rounds = fitted.summary.rounds,
                        false => rounds.extend(fitted.summary.rounds),
                    }
                }
                Err(FitError::Rejected { code: code::DATA, message }) => {
                    oof.fold_aucs.push(None);
                    oof.rejection = Some(message);
                }
                Err(FitError::Rejected { message, .. }) => return Ok(ConfigurationFit::Rejected(message)),
                Err(error) => return Err(error),
            }
        }
        rounds.sort_unstable();
        // The lower median is a number of rounds that one of the folds found.
        let median = rounds.get(rounds.len().saturating_sub(1) / 2).copied();
        oof.rounds = median.or(untuned_rounds);
        Ok(ConfigurationFit::Fitted(oof))
    }
}

/// Returns parameters with at most [`ROUNDS_WITHOUT_TAIL`] rounds, if the family counts rounds.
fn with_few_rounds(family: &Family<'_>, params: &Map<String, Value>) -> Map<String, Value> {
    let mut params = params.clone();
    if let Some((name, n_rounds)) = rounds_setting(family.fitter.manifest(), &params) {
        params.insert(name, n_rounds.min(ROUNDS_WITHOUT_TAIL).into());
    }
    params
}

/// Returns the name and the value of the parameter that sets the number of rounds or epochs, if the
/// family counts them.
pub(crate) fn rounds_setting(manifest: &Manifest, params: &Map<String, Value>) -> Option<(String, u64)> {
    let name = manifest.rounds_param.clone()?;
    let default = || manifest.params.iter().find(|param| param.name == name).map(|param| param.default());
    let n_rounds = params.get(&name).cloned().or_else(default)?.as_u64()?;
    Some((name, n_rounds))
}

/// The progress of parallel fits on the folds. Each fit counts as much as its share of all rows.
struct FoldsProgress<'a> {
    folds: Mutex<Vec<FoldProgress>>,
    on_progress: &'a FitProgressFn<'a>,
}

/// The progress of the fit on one fold.
struct FoldProgress {
    /// Share of the fit among the rows of all fits.
    weight: f64,
    /// Whether the fit has rows for early stopping.
    stops_early: bool,
    /// Latest report of the fit.
    latest: FitProgress,
    has_ended: bool,
}

impl<'a> FoldsProgress<'a> {
    fn new(plans: &[&FoldPlan<'_>], on_progress: &'a FitProgressFn<'a>) -> Self {
        let n_rows: usize = plans.iter().map(|plan| plan.fit_rows.len()).sum();
        let fold = |plan: &&FoldPlan<'_>| FoldProgress {
            weight: plan.fit_rows.len() as f64 / n_rows.max(1) as f64,
            stops_early: !plan.tune_rows.is_empty(),
            latest: FitProgress::default(),
            has_ended: false,
        };
        Self { folds: Mutex::new(plans.iter().map(fold).collect()), on_progress }
    }

    /// Reports the progress of the fit on one fold.
    fn report(&self, fold_idx: usize, progress: &FitProgress) {
        // The lock is held during the report, so that fractions of parallel fits stay in order.
        let mut folds = self.folds.lock();
        folds[fold_idx].latest = progress.clone();
        self.report_all(&folds, progress);
    }

    /// Reports the end of the fit on one fold.
    fn end(&self, fold_idx: usize) {
        let mut folds = self.folds.lock();
        let fold = &mut folds[fold_idx];
        fold.has_ended = true;
        let end = FitProgress { eta_s: fold.latest.eta_s.map(|_| 0.0), waits_for_gpu: false, ..fold.latest.clone() };
        self.report_all(&folds, &end);
    }

    fn report_all(&self, folds: &[FoldProgress], latest: &FitProgress) {
        let (mut shares, mut running) = (FoldShares::default(), 0.0);
        for FoldProgress { weight, stops_early, latest, has_ended } in folds {
            let reported = weight * latest.fraction;
            match (has_ended, stops_early) {
                (true, false) => shares.certain += weight,
                (true, true) => {
                    shares.certain += weight;
                    shares.stopped += weight;
                    shares.reported += reported;
                }
                (false, false) => shares.certain += reported,
                (false, true) => running += reported,
            }
        }
        (self.on_progress)(&FitProgress { fraction: shares.certain + running, folds: shares, ..latest.clone() });
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
        // `others` are the scores of the training rows, which define the scale of the model.
        let scale = ScoreScale::from_scores(&scores.others);
        for (&row, &score) in valid_rows.iter().zip(&scores.selected) {
            self.scores[row as usize] = score;
            self.standard_scores[row as usize] = scale.standardise(score);
        }
        let labels: Vec<f32> = valid_rows.iter().map(|&row| label[row as usize]).collect();
        self.fold_aucs.push(auc(&labels, &scores.selected).ok());
        self.device.clone_from(&fitted.summary.device);
    }
}

/// Converts an error of a family into the failure of the job.
pub(crate) fn family_failure(phase: Phase, family: &Family<'_>, error: &FitError) -> JobError {
    let title = family.fitter.manifest().title();
    let message = format!("{title}: {error}");
    match error {
        FitError::Cancelled => JobError::cancelled(phase),
        FitError::Rejected { .. } => {
            JobError::failed(phase, ErrorCode::FamilyRefused, message, "change the job's parameters for this family")
        }
        FitError::Died { .. } => JobError::failed(
            phase,
            ErrorCode::PluginDied,
            message,
            "read the plugin's last lines in the worker's log; update the plugin",
        ),
    }
}
