//! Fits every family on the chosen label, picks a winner by validation rows, and looks at the test once.
//!
//! In: a [`Study`], the search's [`Outcome`], the families. Out: a row and a model a family, the winner's scores, and its
//! [`TestMetrics`]. Invariant: the test rows are scored by the winner's final fit and by nothing else. Families run side
//! by side; how many at once changes no byte of what comes out.

mod evaluate;
mod finals;
mod roc;
mod row;
#[cfg(test)]
mod tests;

use crate::parallel::side_by_side;
use oculus_job::warning::Warning;
use oculus_job::warning::WarningCode;
use parking_lot::Mutex;

use oculus_plugin_api::Manifest;
use serde_json::{Map, Value};

use self::row::{failed_row, skipped_row};
pub use self::{
    evaluate::{SymbolMetrics, TestMetrics},
    row::{ModelRow, ModelStatus, ValidationMetrics},
};
use super::{
    fitter::{FitError, FitNews},
    metrics::{Spread, Undefined},
    search::{self, Bench, Contender, Family, Gain, OutOfFold, Outcome, Study},
};
use oculus_job::{failure::Failure, progress::Phase};

/// A family that the job asked for.
#[derive(Clone, Copy)]
pub enum Candidate<'a> {
    /// One that can be fitted.
    Ready(Family<'a>),
    /// One that cannot, and why.
    Unavailable {
        /// As the job names it.
        name: &'a str,
        /// Why it is skipped.
        reason: &'a str,
    },
}

/// Which of its two fits a family is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FitKind {
    /// On the last fold, to be judged. The family that leads the search has this behind it.
    LastFold,
    /// On the whole development period.
    Final,
}

/// How a family's fit comes on.
#[derive(Clone, Copy, Debug)]
pub struct FamilyNews<'a> {
    /// Which family.
    pub manifest: &'a Manifest,
    /// Which fit.
    pub fit: FitKind,
    /// Epochs or rounds at most, where the family counts them.
    pub n_epochs: Option<u64>,
    /// How far.
    pub news: &'a FitNews,
}

/// Who hears of all families, from whichever thread fits one.
pub type Tell<'a> = dyn Fn(&FamilyNews<'_>) + Sync + 'a;

/// A family's model of the whole development period.
#[derive(Clone, Debug, PartialEq)]
pub struct FinalModel {
    /// The name to show.
    pub name: String,
    /// The plugin's id.
    pub plugin: String,
    /// Parameters of the fit that differ from the family's defaults.
    pub params: Map<String, Value>,
    /// Rounds or epochs, where its folds found them.
    pub rounds: Option<u32>,
    /// Device it was fitted on; `None` where the family does not say, which is the CPU.
    pub device: Option<String>,
    /// Score from which a row is flagged; `None` where no row has an out-of-fold score.
    pub threshold: Option<f32>,
    /// The model in its family's own format.
    pub bytes: Vec<u8>,
    /// Whether it is the model of the result.
    pub is_winner: bool,
}

/// What the model of the result says.
#[derive(Clone, Debug)]
pub struct Winner {
    /// Out-of-fold scores, one a row of the table, NaN elsewhere.
    pub oof_scores: Vec<f32>,
    /// Scores of the test rows, in their order.
    pub test_scores: Vec<f32>,
    /// Both in deviations from the mean of the training-row scores of the model that gave them, one a row of the table,
    /// NaN elsewhere. Before the first fold that the winner was judged on, those of the family that led the search.
    pub standard_scores: Vec<f32>,
    /// Where the final model's scores of its own training rows lie; `None` where that model failed.
    pub spread: Option<Spread>,
    /// Share of each column of the table, where the family knows it.
    pub importance: Option<Vec<f64>>,
}

/// Everything this stage found.
#[derive(Clone, Debug)]
pub struct Training {
    /// One row a family, the lead first.
    pub rows: Vec<ModelRow>,
    /// The model of every family whose final fit went well, the winner's first; at least that one.
    pub models: Vec<FinalModel>,
    /// What the winner says.
    pub winner: Winner,
    /// The winner on the test.
    pub test: TestMetrics,
    /// What the reader should know.
    pub warnings: Vec<Warning>,
}

impl Training {
    /// The model of the result.
    pub fn winning_model(&self) -> &FinalModel {
        &self.models[0]
    }
}

/// A family with its out-of-fold scores.
struct Judged<'a> {
    family: Family<'a>,
    oof: OutOfFold,
    /// Over the lead, or why there is none; `None` for the lead itself.
    gain: Option<Result<Gain, Undefined>>,
}

/// Fits the other families, picks the winner and evaluates it.
///
/// * `others`: the families beside the lead, in the job's order.
/// * `tell`: told how each fit comes on.
///
/// # Errors
/// When no family is left whose final fit goes well, or the job is cancelled. A family that fails leaves the others.
pub fn run(
    study: &Study<'_>,
    outcome: &Outcome,
    lead: &Family<'_>,
    others: &[Candidate<'_>],
    tell: &Tell<'_>,
) -> Result<Training, Failure> {
    let lead = Judged { family: Family { params: &outcome.params, ..*lead }, oof: outcome.oof.clone(), gain: None };
    let fates = side_by_side(study.n_side_by_side, others, |candidate| match candidate {
        Candidate::Unavailable { name, reason } => Ok(Err(skipped_row(name, reason))),
        Candidate::Ready(family) => judge(study, outcome, (family, &lead), tell),
    });
    let (mut judged, mut unfit) = (vec![lead], Vec::new());
    for fate in fates {
        match fate? {
            Ok(this) => judged.push(this),
            Err(row) => unfit.push(row),
        }
    }
    let finals = finals::fit(study, outcome, &judged, tell)?;
    let (models, winner, test) = finals.of_winner(study, outcome, &judged);
    let mut rows = row::of_judged(study, outcome, &judged);
    finals.complete(&mut rows);
    rows.extend(unfit);
    let failed = rows.iter().filter(|row| row.status == ModelStatus::Failed);
    let warning = |row: &ModelRow| {
        Warning::new(WarningCode::FamilyFailed, format!("{}: {}", row.name, row.reason.as_deref().unwrap_or_default()))
    };
    let warnings = failed.map(warning).chain(finals.fallen_back).collect();
    Ok(Training { rows, models, winner, test, warnings })
}

/// Of the families that are left the lead, unless one beats it by more than a standard error; of several that do, and
/// where the lead is gone, the one of the largest gain. `None` where none is left.
fn pick(judged: &[Judged<'_>], is_left: impl Fn(usize) -> bool) -> Option<usize> {
    let has_lead = is_left(0);
    let gain = |idx: usize| match &judged[idx].gain {
        Some(Ok(gain)) => (!has_lead || gain.is_clear()).then_some(gain.value),
        Some(Err(_)) => (!has_lead).then_some(f64::NEG_INFINITY),
        None => None,
    };
    let rivals = (1..judged.len()).filter(|&idx| is_left(idx)).filter_map(|idx| Some((idx, gain(idx)?)));
    let best = rivals.reduce(|best, next| if next.1 > best.1 { next } else { best }).map(|(idx, _)| idx);
    best.or(has_lead.then_some(0))
}

/// Fits a family on the last fold. The outer error is a cancelled job, the inner one the row of a family that failed.
fn judge<'a>(
    study: &Study<'_>,
    outcome: &Outcome,
    (family, lead): (&Family<'a>, &Judged<'_>),
    tell: &Tell<'_>,
) -> Result<Result<Judged<'a>, ModelRow>, Failure> {
    let label_idx = outcome.label_idx;
    let fit = Telling { tell, family, fit: FitKind::LastFold, n_epochs: n_epochs(family) };
    let fitted = fit.told(|hear| Bench::new(study, family).heard_by(hear).fit_last_fold(label_idx));
    let reason = match fitted {
        Err(error @ FitError::Cancelled) => return Err(search::family_failure(Phase::Training, family, &error)),
        Err(error) => error.to_string(),
        Ok(OutOfFold { refusal: Some(reason), .. }) => reason,
        Ok(oof) => {
            let gain = match outcome.too_rare() {
                Some(reason) => Err(reason),
                None => gain_over_lead(study, label_idx, &oof, &lead.oof),
            };
            return Ok(Ok(Judged { family: *family, oof, gain: Some(gain) }));
        }
    };
    Ok(Err(failed_row(family, reason)))
}

fn gain_over_lead(study: &Study<'_>, label_idx: usize, oof: &OutOfFold, lead: &OutOfFold) -> Result<Gain, Undefined> {
    let both = oof.scores.iter().zip(&lead.scores).enumerate().filter(|(_, (a, b))| !a.is_nan() && !b.is_nan());
    let common: Vec<u32> = both.map(|(row, _)| row as u32).collect();
    let label = &study.labels[label_idx];
    let pooled = |scores| Contender { label, groups: vec![&common], scores, baseline: None };
    search::gain(study, &pooled(&oof.standard_scores), &pooled(&lead.standard_scores))
}

/// One fit of one family, and who hears of it.
struct Telling<'a> {
    tell: &'a Tell<'a>,
    family: &'a Family<'a>,
    fit: FitKind,
    n_epochs: Option<u64>,
}

impl Telling<'_> {
    /// Does the work, and tells its beginning, its course and its end, whichever that is.
    fn told<T>(&self, work: impl FnOnce(&(dyn Fn(&FitNews) + Sync)) -> T) -> T {
        let last = Mutex::new(FitNews::default());
        let remembered = || last.lock();
        let hear = |news: &FitNews| {
            remembered().clone_from(news);
            self.hear(news);
        };
        self.hear(&FitNews::default());
        let done = work(&hear);
        // The end says where the fit ended: the last epoch and its loss.
        let last = remembered().clone();
        self.hear(&FitNews { fraction: 1.0, eta_s: last.eta_s.map(|_| 0.0), waits_for_gpu: false, ..last });
        done
    }

    fn hear(&self, news: &FitNews) {
        let manifest = self.family.fitter.manifest();
        (self.tell)(&FamilyNews { manifest, fit: self.fit, n_epochs: self.n_epochs, news });
    }
}

/// Epochs or rounds of a fit at most, where the family counts them.
fn n_epochs(family: &Family<'_>) -> Option<u64> {
    let manifest = family.fitter.manifest();
    let name = manifest.rounds_param.as_ref()?;
    let default = || manifest.params.iter().find(|param| param.name == *name).map(|param| param.default());
    family.params.get(name).cloned().or_else(default)?.as_u64()
}
