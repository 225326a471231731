//! Runs trials in batches and reports each one in order.
//!
//! In: configurations. Out: a [`TrialResult`] per configuration that could be fitted, and a
//! [`Trial`] per configuration.

use oculus_job::error::JobError;
use oculus_job::progress::Phase;
use serde_json::{Map, Value};

use super::{
    baselines::Baselines,
    compare,
    context::{Family, SearchContext},
    fold_fitter::{Configuration, ConfigurationFit, FoldFitter, family_failure},
    labels::LabelName,
    trial::{Trial, TrialEvent, TrialKind, TrialSpec},
    trial_result::{TrialResult, fold_contender},
};

/// Number of trials per batch. It is fixed, so that the number of cores does not change which
/// configurations are drawn.
pub(super) const BATCH: usize = 4;

/// The budget of a search, and the callback for its trials.
#[derive(Clone, Copy)]
pub(super) struct TrialBudget<'a> {
    /// Maximum number of trials.
    pub(super) n_trials: usize,
    /// Receives each trial in order, on the calling thread.
    pub(super) on_trial: &'a dyn Fn(TrialEvent<'_>),
}

/// Fits configurations of one family and stores the finished trials.
pub(super) struct TrialRunner<'a> {
    fitter: FoldFitter<'a>,
    baselines: &'a Baselines<'a>,
    budget: TrialBudget<'a>,
    trials: Vec<Trial>,
}

impl<'a> TrialRunner<'a> {
    /// Returns a runner without trials.
    pub(super) fn new(family: &'a Family<'a>, baselines: &'a Baselines<'a>, budget: TrialBudget<'a>) -> Self {
        Self { fitter: FoldFitter::new(baselines.context, family), baselines, budget, trials: Vec::new() }
    }

    /// Returns the family that is tried.
    pub(super) fn family(&self) -> &'a Family<'a> {
        self.fitter.family
    }

    /// Returns the features, labels and splits.
    pub(super) fn context(&self) -> &'a SearchContext<'a> {
        self.baselines.context
    }

    /// Returns the number of trials left.
    pub(super) fn n_left(&self) -> usize {
        self.budget.n_trials.saturating_sub(self.trials.len())
    }

    /// Returns all trials, in order.
    pub(super) fn into_trials(self) -> Vec<Trial> {
        self.trials
    }

    /// Runs one batch. A configuration that the family rejects adds a trial and has no result.
    ///
    /// # Errors
    /// Returns a failure if the family's process dies permanently, or if the job is cancelled.
    pub(super) fn run_batch(
        &mut self,
        kind: TrialKind,
        batch: Vec<Configuration>,
    ) -> Result<Vec<TrialResult>, JobError> {
        let fatal = |error| family_failure(Phase::ConfigSearch, self.fitter.family, &error);
        let fits = self.fitter.fit_all(&batch).map_err(fatal)?;
        let mut results = Vec::with_capacity(batch.len());
        for (Configuration { label_idx, params }, fit) in batch.into_iter().zip(fits) {
            let spec = self.spec(kind, label_idx, &params);
            match fit {
                ConfigurationFit::Rejected(reason) => self.report(Trial::rejected(spec, reason)),
                ConfigurationFit::Fitted(oof) => {
                    let excess = compare::excess(&fold_contender(self.baselines, label_idx, &oof));
                    self.report(Trial::fitted(spec, &oof, excess.clone()));
                    results.push(TrialResult { label_idx, params, oof, excess: excess.ok() });
                }
            }
        }
        Ok(results)
    }

    fn spec(&self, kind: TrialKind, label_idx: usize, params: &Map<String, Value>) -> TrialSpec {
        TrialSpec {
            number: self.trials.len() + 1,
            kind,
            label: LabelName::from(self.context().labels[label_idx].key),
            params: params.clone(),
        }
    }

    fn report(&mut self, trial: Trial) {
        self.trials.push(trial);
        let scores = self.trials.iter().filter_map(|trial| trial.score).map(|score| score.get());
        let best_score = scores.max_by(f64::total_cmp);
        if let Some(trial) = self.trials.last() {
            (self.budget.on_trial)(TrialEvent { trial, n_trials: self.budget.n_trials, best_score });
        }
    }
}
