//! One configuration on one label: fitted fold by fold, scored on the rows that each fold holds back.

use crate::parallel::side_by_side;
use oculus_job::code::ErrorCode;
use oculus_plugin_api::code;
use serde::Serialize;
use serde_json::{Map, Value};

use super::{Family, LabelName, Study, compare::Excess};
use crate::{
    fitter::{FitError, FitRequest, Fitted, Hear, Keep, PreparedId, setting},
    metrics::{Finite, Spread, auc},
    splits::{Fold, TAIL_SHARE, tail},
};
use oculus_job::{failure::Failure, progress::Phase};

/// Which question a trial answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Which label: the family's prior on each.
    Label,
    /// Which parameters, on one label.
    Params,
}

/// A trial as the result lists it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Trial {
    /// From 1.
    pub number: usize,
    /// Which question it answers.
    pub stage: Stage,
    /// On which label.
    pub label: LabelName,
    /// Parameters that differ from the family's defaults.
    pub params: Map<String, Value>,
    /// Mean AUC over the folds.
    pub auc: Option<Finite>,
    /// AUC of each fold.
    pub fold_aucs: Vec<Option<Finite>>,
    /// Mean AUC less the baseline's, or less 0.5 where that is more.
    pub score: Option<Finite>,
    /// Why there is no score.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl Trial {
    pub(super) fn new(number: usize, stage: Stage, label: LabelName, params: Map<String, Value>) -> Self {
        Self { number, stage, label, params, auc: None, fold_aucs: Vec::new(), score: None, reason: None }
    }

    pub(super) fn judge(&mut self, excess: Result<Excess, String>, oof: &OutOfFold) {
        self.fold_aucs = oof.fold_aucs.iter().map(|auc| auc.and_then(Finite::of)).collect();
        match excess {
            Ok(excess) => {
                self.auc = Finite::of(excess.auc);
                self.score = Finite::of(excess.score());
            }
            Err(reason) => self.reason = Some(oof.refusal.clone().unwrap_or(reason)),
        }
    }
}

/// What a configuration says of rows that it was not fitted on.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OutOfFold {
    /// One a row of the table, NaN outside the validation rows.
    pub scores: Vec<f32>,
    /// The same in deviations from the mean of the training-row scores of the model that gave them, so that scores of
    /// unlike models can be pooled.
    pub standard_scores: Vec<f32>,
    /// AUC of each fold; `None` where it does not exist.
    pub fold_aucs: Vec<Option<f64>>,
    /// Median of the rounds at which early stopping ended, over the folds that had a tail to stop on; `None` where none
    /// had.
    pub rounds: Option<u32>,
    /// Device it was fitted on, where not the CPU.
    pub device: Option<String>,
    /// What the family said where a fold's rows were too little for it.
    pub refusal: Option<String>,
}

/// The rows of one fold for one fit, its table prepared.
struct Plan<'a> {
    prepared: PreparedId,
    fit_rows: Vec<u32>,
    tune_rows: Vec<u32>,
    fold: &'a Fold,
    /// Training and validation rows, ascending.
    predict_rows: Vec<u32>,
}

/// A family with its tables prepared: once a fold, whatever is fitted there.
pub(crate) struct Bench<'a> {
    pub(super) study: &'a Study<'a>,
    pub(super) family: &'a Family<'a>,
    hear: &'a Hear<'a>,
    prepared: Vec<(&'a [u32], PreparedId)>,
    plans: Vec<Option<Vec<Plan<'a>>>>,
}

impl<'a> Bench<'a> {
    pub(crate) fn new(study: &'a Study<'a>, family: &'a Family<'a>) -> Self {
        let plans = study.labels.iter().map(|_| None).collect();
        Self { study, family, hear: &|_| {}, prepared: Vec::new(), plans }
    }

    /// The same with somebody who is told how each fit comes on.
    pub(crate) fn heard_by(self, hear: &'a Hear<'a>) -> Self {
        Self { hear, ..self }
    }

    /// Fits configurations on all folds of their labels, up to `n_side_by_side` fits at once.
    ///
    /// A configuration that the family refuses comes back with the reason.
    pub(super) fn fit_all(
        &mut self,
        asked: &[(usize, Map<String, Value>)],
    ) -> Result<Vec<Result<OutOfFold, String>>, Failure> {
        let fatal = |error: FitError| family_failure(Phase::ConfigSearch, self.family, &error);
        for (label_idx, _) in asked {
            self.plan(*label_idx).map_err(fatal)?;
        }
        let plans = |label_idx: usize| self.plans[label_idx].iter().flatten();
        let pieces: Vec<_> = asked
            .iter()
            .flat_map(|(label_idx, params)| plans(*label_idx).map(move |plan| (*label_idx, params, plan)))
            .collect();
        let labels = self.study.labels;
        let mut fitted = side_by_side(self.study.n_side_by_side, &pieces, |(label_idx, params, plan)| {
            self.fit_fold(&labels[*label_idx].value, params, plan)
        })
        .into_iter();
        asked
            .iter()
            .map(|(label_idx, _)| {
                let folds: Vec<_> = plans(*label_idx).zip(fitted.by_ref()).collect();
                self.collect(&labels[*label_idx].value, folds).map_err(fatal)
            })
            .collect()
    }

    /// Fits the family's own parameters to other values of a label, on the rows of that label's folds.
    ///
    /// * `labels`: each with one value a row of the table.
    pub(super) fn fit_values(
        &mut self,
        label_idx: usize,
        labels: &[Vec<f32>],
    ) -> Result<Vec<Result<OutOfFold, String>>, FitError> {
        self.plan(label_idx)?;
        let plans = || self.plans[label_idx].iter().flatten();
        let pieces: Vec<_> = labels.iter().flat_map(|label| plans().map(move |plan| (label, plan))).collect();
        let mut fitted = side_by_side(self.study.n_side_by_side, &pieces, |(label, plan)| {
            self.fit_fold(label, self.family.params, plan)
        })
        .into_iter();
        labels.iter().map(|label| self.collect(label, plans().zip(fitted.by_ref()).collect())).collect()
    }

    /// Prepares the last fold alone and fits one configuration there.
    pub(crate) fn fit_last_fold(&mut self, label_idx: usize) -> Result<OutOfFold, FitError> {
        let n_folds = self.study.splits[label_idx].folds.len();
        let plan = self.plan_fold(label_idx, n_folds.saturating_sub(1))?;
        let refusal = |message| FitError::Refused { code: code::DATA, message };
        let plan = plan.ok_or_else(|| refusal("there is no fold to judge it on".to_owned()))?;
        let label = &self.study.labels[label_idx].value;
        let fitted = self.fit_fold(label, self.family.params, &plan);
        self.collect(label, vec![(&plan, fitted)])?.map_err(refusal)
    }

    /// The prepared table of some rows.
    pub(crate) fn prepare(&mut self, learn_rows: &'a [u32]) -> Result<PreparedId, FitError> {
        if let Some((_, id)) = self.prepared.iter().find(|(rows, _)| *rows == learn_rows) {
            return Ok(*id);
        }
        let setting = setting(self.family.device, self.study.seed);
        let id = self.family.fitter.prepare(learn_rows, &setting, self.hear)?;
        self.prepared.push((learn_rows, id));
        Ok(id)
    }

    fn plan(&mut self, label_idx: usize) -> Result<(), FitError> {
        if self.plans[label_idx].is_none() {
            let n_folds = self.study.splits[label_idx].folds.len();
            let mut plans = Vec::with_capacity(n_folds);
            for fold_idx in 0..n_folds {
                plans.extend(self.plan_fold(label_idx, fold_idx)?);
            }
            self.plans[label_idx] = Some(plans);
        }
        Ok(())
    }

    fn plan_fold(&mut self, label_idx: usize, fold_idx: usize) -> Result<Option<Plan<'a>>, FitError> {
        let study = self.study;
        let Some(fold) = study.splits[label_idx].folds.get(fold_idx) else { return Ok(None) };
        let prepared = self.prepare(&fold.learn_rows)?;
        let stops_early = self.family.fitter.manifest().rounds_param.is_some();
        let cut = stops_early.then(|| tail(study.table, &study.labels[label_idx], &fold.train_rows, TAIL_SHARE));
        let (fit_rows, tune_rows) = cut.flatten().unwrap_or_else(|| (fold.train_rows.clone(), Vec::new()));
        let predict_rows = merged(&fold.train_rows, &fold.valid_rows);
        Ok(Some(Plan { prepared, fit_rows, tune_rows, fold, predict_rows }))
    }

    fn fit_fold(&self, label: &[f32], params: &Map<String, Value>, plan: &Plan<'_>) -> Result<Fitted, FitError> {
        self.family.fitter.fit(&FitRequest {
            prepared: plan.prepared,
            label,
            train_rows: &plan.fit_rows,
            tune_rows: &plan.tune_rows,
            params,
            seed: self.study.seed,
            device: self.family.device,
            predict_rows: &plan.predict_rows,
            keep: Keep::Scores,
            hear: self.hear,
        })
    }

    /// The folds' scores as one column. The inner error is the family's refusal of the configuration; too little data
    /// in one fold leaves that fold without scores.
    fn collect(
        &self,
        label: &[f32],
        folds: Vec<(&Plan<'_>, Result<Fitted, FitError>)>,
    ) -> Result<Result<OutOfFold, String>, FitError> {
        let unscored = vec![f32::NAN; self.study.table.n_rows()];
        let mut oof = OutOfFold { scores: unscored.clone(), standard_scores: unscored.clone(), ..OutOfFold::default() };
        let mut rounds = Vec::new();
        for (plan, fitted) in folds {
            match fitted {
                Ok(fitted) => {
                    if let Err(reason) = every_row_scored(&fitted.scores, &plan.predict_rows) {
                        return Ok(Err(reason));
                    }
                    let (trained, valid) = scores_apart(&plan.predict_rows, &fitted.scores, &plan.fold.valid_rows);
                    let spread = Spread::of(&trained);
                    for (&row, &score) in plan.fold.valid_rows.iter().zip(&valid) {
                        oof.scores[row as usize] = score;
                        oof.standard_scores[row as usize] = spread.standard(score);
                    }
                    let labels: Vec<f32> = plan.fold.valid_rows.iter().map(|&row| label[row as usize]).collect();
                    oof.fold_aucs.push(auc(&labels, &valid).ok());
                    oof.device = fitted.summary.device;
                    // Without a tail the rounds are the configuration's own: nothing was found.
                    rounds.extend(fitted.summary.rounds.filter(|_| !plan.tune_rows.is_empty()));
                }
                Err(FitError::Refused { code: code::DATA, message }) => {
                    oof.fold_aucs.push(None);
                    oof.refusal = Some(message);
                }
                Err(FitError::Refused { message, .. }) => return Ok(Err(message)),
                Err(error) => return Err(error),
            }
        }
        rounds.sort_unstable();
        oof.rounds = rounds.get(rounds.len().saturating_sub(1) / 2).copied();
        Ok(Ok(oof))
    }
}

/// Two ascending sets of rows without a common one, as one.
pub(crate) fn merged(some: &[u32], others: &[u32]) -> Vec<u32> {
    let mut rows = [some, others].concat();
    rows.sort_unstable();
    rows
}

/// The scores of all other rows, then those of `wanted`, an ascending subset of `rows`.
pub(crate) fn scores_apart(rows: &[u32], scores: &[f32], wanted: &[u32]) -> (Vec<f32>, Vec<f32>) {
    let (others, wanted): (Vec<_>, Vec<_>) =
        rows.iter().zip(scores).partition(|(row, _)| wanted.binary_search(row).is_err());
    let scores = |pairs: Vec<(&u32, &f32)>| pairs.into_iter().map(|(_, &score)| score).collect();
    (scores(others), scores(wanted))
}

/// All families are judged on the same rows, so one that leaves rows out cannot be judged.
pub(crate) fn every_row_scored(scores: &[f32], rows: &[u32]) -> Result<(), String> {
    if scores.len() != rows.len() {
        return Err(format!("the family returned {} scores for {} rows", scores.len(), rows.len()));
    }
    match scores.iter().filter(|score| !score.is_finite()).count() {
        0 => Ok(()),
        n_missing => Err(format!("the family left {n_missing} of {} rows without a score", rows.len())),
    }
}

/// How the end of a family ends the job.
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
        )
        .retryable(),
    }
}
