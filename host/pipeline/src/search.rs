//! Chooses label and configuration of the family that leads: labels first, then parameters on one label.
//!
//! In: a [`Study`], the lead, a number of trials. Out: an [`Outcome`] with out-of-fold scores, every trial, and every
//! label with its verdict. Trials are proposed in batches of four and told in order, and the seed is the only source of
//! randomness, so the outcome does not depend on what runs side by side. No row of the test period is looked at.
//!
//! A trial's score is the mean over folds of AUC, less the mean AUC of the volatility baseline or 0.5, whichever is
//! more: labels differ in how much of them is mere volatility, and scores are compared across labels.

mod compare;
mod labels;
mod prior;
mod propose;
#[cfg(test)]
pub(crate) mod tests;
mod trial;

use oculus_job::code::ErrorCode;
use oculus_job::warning::Warning;
use oculus_job::warning::WarningCode;
use std::cell::OnceCell;

use serde_json::{Map, Value};

pub(crate) use self::{
    compare::{Contender, gain},
    prior::Prior,
    trial::{Bench, every_row_scored, family_failure, merged, scores_apart},
};
pub use self::{
    labels::{LabelName, LabelRow, LabelStatus},
    trial::{OutOfFold, Stage, Trial},
};
use super::{
    baseline::{self, Volatility},
    features::FeatureTable,
    fitter::Fitter,
    labels::Label,
    metrics::Undefined,
    splits::Splits,
};
use oculus_job::{failure::Failure, progress::Phase};

/// Trials proposed at once, whatever the number of cores.
const BATCH: usize = 4;
/// Why no score on the only label left means anything.
const TOO_RARE: &str = "the label is too rare to be judged";

/// What search and models look at.
#[derive(Clone, Copy)]
pub struct Study<'a> {
    /// Features of all rows.
    pub table: &'a FeatureTable,
    /// All labels of the job; at least one.
    pub labels: &'a [Label],
    /// The splits of each label.
    pub splits: &'a [Splits],
    /// Where all randomness starts.
    pub seed: u64,
    /// Fits side by side; changes no byte of what comes out.
    pub n_side_by_side: usize,
}

/// A family as a job asks for it.
#[derive(Clone, Copy)]
pub struct Family<'a> {
    /// The family at work.
    pub fitter: &'a dyn Fitter,
    /// Parameters that the job fixes, by the family's own names.
    pub params: &'a Map<String, Value>,
    /// Device to fit on, or `auto`.
    pub device: &'a str,
}

/// A finished trial, as progress shows it.
#[derive(Clone, Copy, Debug)]
pub struct TrialEvent<'a> {
    /// The trial.
    pub trial: &'a Trial,
    /// Trials in all.
    pub n_trials: usize,
    /// Best score so far.
    pub best_score: Option<f64>,
}

/// What the search found.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Position of the chosen label.
    pub label_idx: usize,
    /// Parameters of the chosen configuration that differ from the family's defaults.
    pub params: Map<String, Value>,
    /// Out-of-fold scores of the chosen configuration.
    pub oof: OutOfFold,
    /// Out-of-fold scores of the volatility baseline on the chosen label, one a row of the table, NaN elsewhere.
    pub baseline: Option<Vec<f32>>,
    /// Score of the chosen configuration; `None` where the label is too rare to tell.
    pub score: Option<f64>,
    /// Mean over folds of the baseline's AUC.
    pub baseline_auc: Option<f64>,
    /// Gain of the chosen configuration over the prior with its standard error, or why the prior stayed.
    pub gain_over_prior: Result<Gain, Undefined>,
    /// All trials, in order.
    pub trials: Vec<Trial>,
    /// All labels, in the job's order.
    pub labels: Vec<LabelRow>,
    /// What the reader should know.
    pub warnings: Vec<Warning>,
}

impl Outcome {
    /// Why no AUC on the chosen label means anything, where it is too rare to be judged.
    pub fn too_rare(&self) -> Option<Undefined> {
        let row = &self.labels[self.label_idx];
        (row.status == LabelStatus::TooRare).then(|| Undefined::because(format!("{TOO_RARE}: {}", row.reason)))
    }
}

/// By how much one set of scores beats another on the same resampled dates.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gain {
    /// The difference.
    pub value: f64,
    /// Its standard error by the paired date-block bootstrap.
    pub standard_error: f64,
}

impl Gain {
    /// Whether the difference is more than one standard error.
    pub fn is_clear(&self) -> bool {
        self.value > self.standard_error
    }
}

/// Searches label and configuration with at most `n_trials` trials.
///
/// * `on_trial`: called in trial order, from the calling thread.
///
/// # Errors
/// When the lead's process dies for good, it refuses every trial, or the job is cancelled.
pub fn run(
    study: &Study<'_>,
    lead: &Family<'_>,
    n_trials: usize,
    on_trial: &dyn Fn(TrialEvent<'_>),
) -> Result<Outcome, Failure> {
    labels::refuse_one_class(study)?;
    let mut labels = labels::examine(study, n_trials / 2);
    let too_rare = labels.iter().position(|row| row.status == LabelStatus::TooRare);
    let mut log = Log { n_trials, too_rare, on_trial, trials: Vec::new() };
    let mut bench = Bench::new(study, lead);
    let baselines = Baselines::new(study);

    let priors = try_labels(&mut bench, &baselines, &labels, &mut log)?;
    let chosen = labels::choose(study, &baselines, &mut labels, &priors);
    let chosen = chosen.ok_or_else(|| fitted_nowhere(lead, &log.trials))?;
    let label_idx = chosen.label_idx;
    let tuned = if chosen.score().is_some() { tune(&mut bench, &baselines, label_idx, &mut log)? } else { None };
    let (best, gain_over_prior) = replace_prior(study, &baselines, chosen, tuned.as_ref());
    let baseline = baselines.of(label_idx);

    let mut warnings = labels::warnings(&labels);
    if baseline.is_none() {
        let message = format!("no volatility baseline without {}; 0.5 stands for it", baseline::FEATURES.join(" and "));
        warnings.push(Warning::new(WarningCode::NoVolatilityBaseline, message));
    }
    Ok(Outcome {
        label_idx,
        params: best.params.clone(),
        oof: best.oof.clone(),
        baseline: baseline.map(<[f32]>::to_vec),
        score: best.score(),
        baseline_auc: best.baseline_auc(),
        gain_over_prior,
        trials: log.trials,
        labels,
        warnings,
    })
}

/// The lead refused each label; a failed result lists no trials, so the message says what they do.
fn fitted_nowhere(lead: &Family<'_>, trials: &[Trial]) -> Failure {
    let title = lead.fitter.manifest().title();
    let why = trials.iter().find_map(|trial| trial.reason.as_deref()).unwrap_or("no label was tried");
    let message = format!("{title} leads the search and could be fitted on no label: {why}");
    let hint = "change the family's parameters or the labels, or let another family lead";
    Failure::failed(Phase::ConfigSearch, ErrorCode::NoLabelFitted, message, hint)
}

/// What is to be tried: a label's position and parameters.
type Configuration = (usize, Map<String, Value>);

/// A configuration tried on a label.
#[derive(Clone, Debug)]
pub(crate) struct Tried {
    pub(crate) label_idx: usize,
    params: Map<String, Value>,
    oof: OutOfFold,
    excess: Option<compare::Excess>,
}

impl Tried {
    fn score(&self) -> Option<f64> {
        self.excess.map(|excess| excess.score())
    }

    fn baseline_auc(&self) -> Option<f64> {
        self.excess.and_then(|excess| excess.baseline_auc)
    }

    fn contender<'a>(&'a self, baselines: &'a Baselines<'a>) -> Contender<'a> {
        let study = baselines.study;
        Contender {
            label: &study.labels[self.label_idx],
            groups: study.splits[self.label_idx].folds.iter().map(|fold| fold.valid_rows.as_slice()).collect(),
            scores: &self.oof.scores,
            baseline: baselines.of(self.label_idx),
        }
    }
}

/// Out-of-fold scores of the volatility baseline, which depend on the label alone: made once each, when asked for.
pub(crate) struct Baselines<'a> {
    study: &'a Study<'a>,
    volatility: Option<Volatility>,
    scores: Vec<OnceCell<Option<Vec<f32>>>>,
}

impl<'a> Baselines<'a> {
    fn new(study: &'a Study<'a>) -> Self {
        let scores = study.labels.iter().map(|_| OnceCell::new()).collect();
        Self { study, volatility: Volatility::of(study.table), scores }
    }

    /// One a row of the table; `None` where the table lacks the baseline's features.
    fn of(&self, label_idx: usize) -> Option<&[f32]> {
        let (label, splits) = (&self.study.labels[label_idx], &self.study.splits[label_idx]);
        let fitted = || Some(compare::baseline_scores(self.volatility.as_ref()?, &label.value, &splits.folds));
        self.scores[label_idx].get_or_init(fitted).as_deref()
    }
}

/// The trials so far, and who is told of them.
struct Log<'a> {
    n_trials: usize,
    /// The label whose scores would mean nothing.
    too_rare: Option<usize>,
    on_trial: &'a dyn Fn(TrialEvent<'_>),
    trials: Vec<Trial>,
}

impl Log<'_> {
    fn n_left(&self) -> usize {
        self.n_trials.saturating_sub(self.trials.len())
    }

    fn tell(&mut self, trial: Trial) {
        self.trials.push(trial);
        let scores = self.trials.iter().filter_map(|trial| trial.score).map(|score| score.get());
        let best_score = scores.max_by(f64::total_cmp);
        if let Some(trial) = self.trials.last() {
            (self.on_trial)(TrialEvent { trial, n_trials: self.n_trials, best_score });
        }
    }
}

/// Stage 1: the prior on each label that is worth it.
fn try_labels(
    bench: &mut Bench<'_>,
    baselines: &Baselines<'_>,
    labels: &[LabelRow],
    log: &mut Log<'_>,
) -> Result<Vec<Tried>, Failure> {
    let prior = bench.family.params.clone();
    let to_try: Vec<usize> = (0..labels.len())
        .filter(|&idx| matches!(labels[idx].status, LabelStatus::Tried | LabelStatus::TooRare))
        .collect();
    let mut tried = Vec::new();
    for batch in to_try.chunks(BATCH) {
        let asked: Vec<_> = batch.iter().map(|&label_idx| (label_idx, prior.clone())).collect();
        tried.extend(try_batch(bench, baselines, (Stage::Label, asked), log)?);
    }
    Ok(tried)
}

/// Stage 2: configurations drawn at random on one label. The family's default is known by now: it is the prior. Only
/// the best is kept, the first of equals.
fn tune(
    bench: &mut Bench<'_>,
    baselines: &Baselines<'_>,
    label_idx: usize,
    log: &mut Log<'_>,
) -> Result<Option<Tried>, Failure> {
    let mut proposals = propose::Proposals::new(bench.study.seed, bench.family);
    let score = |tried: &Tried| tried.score().unwrap_or(f64::NEG_INFINITY);
    let mut best = None;
    while log.n_left() > 0 && proposals.has_choice() {
        let asked = (0..BATCH.min(log.n_left())).map(|_| (label_idx, proposals.draw())).collect();
        let tried = try_batch(bench, baselines, (Stage::Params, asked), log)?;
        best = best.into_iter().chain(tried).reduce(|best, next| if score(&next) > score(&best) { next } else { best });
    }
    Ok(best)
}

fn try_batch(
    bench: &mut Bench<'_>,
    baselines: &Baselines<'_>,
    (stage, asked): (Stage, Vec<Configuration>),
    log: &mut Log<'_>,
) -> Result<Vec<Tried>, Failure> {
    let study = *bench.study;
    let fitted = bench.fit_all(&asked)?;
    let mut tried = Vec::new();
    for ((label_idx, params), fitted) in asked.into_iter().zip(fitted) {
        let name = LabelName::from(study.labels[label_idx].key);
        let mut trial = Trial::new(log.trials.len() + 1, stage, name, params.clone());
        match fitted {
            Err(reason) => trial.reason = Some(reason),
            Ok(oof) => {
                let mut this = Tried { label_idx, params, oof, excess: None };
                let excess = if log.too_rare == Some(label_idx) {
                    this.oof.fold_aucs.fill(None);
                    Err(TOO_RARE.to_owned())
                } else {
                    compare::excess(&this.contender(baselines)).map_err(|reason| reason.to_string())
                };
                this.excess = excess.as_ref().ok().copied();
                trial.judge(excess, &this.oof);
                tried.push(this);
            }
        }
        log.tell(trial);
    }
    Ok(tried)
}

/// The best configuration, where its paired gain over the prior is clear; else the prior, and why it stayed.
fn replace_prior<'t>(
    study: &Study<'_>,
    baselines: &Baselines<'_>,
    prior: &'t Tried,
    best: Option<&'t Tried>,
) -> (&'t Tried, Result<Gain, Undefined>) {
    let stayed = |why: String| (prior, Err(Undefined::because(format!("the family's prior stayed: {why}"))));
    let Some(best) = best else { return stayed("no other configuration was fitted".to_owned()) };
    match gain(study, &best.contender(baselines), &prior.contender(baselines)) {
        Ok(gain) if gain.is_clear() => (best, Ok(gain)),
        Ok(Gain { value, standard_error }) => stayed(format!(
            "the best other configuration gains {value:+.4}, needs more than a standard error of {standard_error:.4}"
        )),
        Err(reason) => stayed(format!("the best other configuration cannot be compared with it: {reason}")),
    }
}
