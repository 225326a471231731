//! The work of a job in units that do not depend on the machine. The host measures the seconds per
//! unit, from which it estimates the remaining time; this crate has no clock.
//!
//! In: the inputs of a job after its features are computed. Out: a [`PlannedStep`] per stage and
//! family. Invariant: the steps of one stage run after the steps of all earlier stages.

use oculus_plugin_api::Manifest;
use serde_json::{Map, Value};

use crate::canaries::{N_SURROGATES, n_chance_rows};
use crate::fitter::FoldShares;
use crate::models::{Families, FamilyCandidate};
use crate::search::{Family, SearchContext, rounds_setting};

/// A kind of step. The variants have the order in which a job passes through them, see
/// [`StepKind::stage`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum StepKind {
    /// The config search.
    Search,
    /// The fits of one family on the folds.
    Folds,
    /// The fits on surrogate markets, which run next to the fits on the folds.
    Surrogates,
    /// The fit of one family on the whole development period.
    Final,
    /// The scores of surrogate markets by the model of the result.
    Chance,
    /// The mining and scoring of rules.
    Rules,
    /// The search for a strategy.
    Strategy,
    /// The report and the artifacts.
    Report,
}

impl StepKind {
    /// Returns the first kind of the stage that this kind belongs to. Steps of one stage may run in
    /// parallel.
    pub fn stage(self) -> Self {
        match self {
            Self::Surrogates => Self::Folds,
            kind => kind,
        }
    }

    /// Returns the name of the kind, which identifies its measured speed.
    pub fn name(self) -> &'static str {
        match self {
            Self::Search => "search",
            Self::Folds => "folds",
            Self::Final => "final",
            Self::Surrogates => "surrogates",
            Self::Chance => "chance",
            Self::Rules => "rules",
            Self::Strategy => "strategy",
            Self::Report => "report",
        }
    }
}

/// A step of a job: a kind of work, and the plugin that does it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Step {
    /// The kind of work.
    pub kind: StepKind,
    /// Id of the plugin; empty if the host does the work.
    pub plugin: String,
}

/// A step with the amount of its work.
#[derive(Clone, Debug, PartialEq)]
pub struct PlannedStep {
    /// The step.
    pub step: Step,
    /// Amount of work, such as the number of fits times their rows and their rounds. Amounts of
    /// different steps cannot be compared.
    pub units: f64,
    /// Number of steps of this stage that run in parallel, at least 1.
    pub n_parallel: usize,
}

/// A report about the work of a job.
#[derive(Clone, Debug, PartialEq)]
pub enum WorkUpdate {
    /// Bars are read. The amount of the further work is not known yet.
    Fetching {
        /// Share that is done, 0 to 1.
        fraction: f64,
        /// Estimate of the source for the remaining time, in seconds.
        eta_s: Option<f64>,
    },
    /// The steps that follow. They replace all planned steps of their kinds.
    Planned(Vec<PlannedStep>),
    /// A step has made progress.
    Progressed {
        /// The step.
        step: Step,
        /// Share of the step that is done, 0 to 1. A step starts with 0 and ends with 1. Fits
        /// that stop early jump to their end.
        fraction: f64,
        /// Details of the fraction, if the step consists of several fits.
        folds: FoldShares,
    },
}

/// Receives the work of a job.
pub type WorkFn<'a> = dyn Fn(&WorkUpdate) + Sync + 'a;

/// The parts of a job that determine its work.
pub(crate) struct WorkInputs<'a> {
    pub(crate) context: &'a SearchContext<'a>,
    pub(crate) families: &'a Families<'a>,
    /// Number of families that are fitted in parallel.
    pub(crate) n_families_at_once: usize,
    /// Id of the rule extractor; empty without one.
    pub(crate) extractor: &'a str,
    /// Number of trials of the config search.
    pub(crate) n_trials: usize,
    /// Number of trials of the search for a strategy.
    pub(crate) n_strategy_trials: usize,
}

impl WorkInputs<'_> {
    /// Plans all steps after the features.
    pub(crate) fn plan(&self) -> Vec<PlannedStep> {
        let n_rows = self.context.table.n_rows() as f64;
        let n_folds = self.context.splits.iter().map(|splits| splits.folds.len()).max().unwrap_or(0);
        let n_fold_rows = n_rows * n_folds as f64;
        let lead = self.families.lead.fitter.manifest();
        let others = self.families.others.iter().filter_map(|candidate| match candidate {
            FamilyCandidate::Ready(family) => Some(family),
            FamilyCandidate::Unavailable { .. } => None,
        });
        let others: Vec<&Family<'_>> = others.chain(&self.families.baseline).collect();
        let mut steps = vec![planned(StepKind::Search, &lead.id, n_fold_rows * self.n_trials as f64)];
        for family in &others {
            steps.push(self.plan_fit(StepKind::Folds, family, n_fold_rows));
        }
        let surrogates = planned(StepKind::Surrogates, &lead.id, n_fold_rows * N_SURROGATES as f64);
        steps.push(PlannedStep { n_parallel: self.n_families_at_once.max(1), ..surrogates });
        for family in [&self.families.lead].into_iter().chain(others) {
            steps.push(self.plan_fit(StepKind::Final, family, n_rows));
        }
        steps.push(self.plan_chance(0, &lead.id, lead.lookback_param.is_some(), 1));
        steps.push(planned(StepKind::Rules, self.extractor, n_rows));
        steps.push(planned(StepKind::Strategy, "", n_rows * self.n_strategy_trials as f64));
        steps.push(planned(StepKind::Report, "", n_rows));
        steps
    }

    /// Plans a step of fits, which runs next to the fits of other families.
    fn plan_fit(&self, kind: StepKind, family: &Family<'_>, n_fitted_rows: f64) -> PlannedStep {
        let manifest = family.fitter.manifest();
        let units = n_fitted_rows * n_rounds(manifest, family.params);
        PlannedStep { n_parallel: self.n_families_at_once.max(1), ..planned(kind, &manifest.id, units) }
    }

    /// Plans the scores of surrogate markets by the model of the result.
    ///
    /// * `label_idx`: the chosen label.
    /// * `plugin`: the family of the model, or the ensemble.
    /// * `reads_windows`: whether the model reads a window of rows per score.
    /// * `n_models`: the number of models that score each row.
    pub(crate) fn plan_chance(
        &self,
        label_idx: usize,
        plugin: &str,
        reads_windows: bool,
        n_models: usize,
    ) -> PlannedStep {
        let n_rows = n_chance_rows(self.context.splits[label_idx].test_rows.len(), reads_windows);
        planned(StepKind::Chance, plugin, (n_rows * n_models) as f64)
    }
}

fn planned(kind: StepKind, plugin: &str, units: f64) -> PlannedStep {
    PlannedStep { step: Step { kind, plugin: plugin.to_owned() }, units, n_parallel: 1 }
}

/// Returns the maximum number of rounds or epochs of a fit; 1 if the family does not count them.
fn n_rounds(manifest: &Manifest, params: &Map<String, Value>) -> f64 {
    rounds_setting(manifest, params).map_or(1.0, |(_, n_rounds)| n_rounds.max(1) as f64)
}
