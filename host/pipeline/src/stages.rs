//! How far a job is: the phases' shares of the whole, told as progress.

use parking_lot::{Mutex, MutexGuard};
use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::bars::FetchProgress;
use super::fitter::FitProgress;
use super::metrics::Finite;
use super::models::{FamilyProgress, FitKind};
use super::search::TrialEvent;
use oculus_job::progress::{Phase, Progress, Status};

/// Where each phase begins and ends in percent of a usual job's time: with one family the search is most of it, with
/// several their training is.
fn share(phase: Phase, n_families: usize) -> (f64, f64) {
    let searched = if n_families > 1 { 35.0 } else { 85.0 };
    match phase {
        Phase::Queued => (0.0, 0.0),
        Phase::DataFetch => (0.0, 3.0),
        Phase::FeatureEngineering => (3.0, 6.0),
        Phase::ConfigSearch => (6.0, searched),
        Phase::Training => (searched, 95.0),
        Phase::RuleExtraction => (95.0, 98.0),
        Phase::StrategyOptimization => (98.0, 99.0),
        Phase::Complete => (100.0, 100.0),
    }
}

/// Share of the training that the families' fits take; the rest is the canaries'.
const FITS_OF_TRAINING: f64 = 0.8;

/// The stage that a job is in, and who hears of it.
pub(super) struct Stages<'a> {
    tell: &'a (dyn Fn(Progress) + Sync),
    n_families: usize,
    course: Mutex<Course>,
}

/// What has been told. Kept while something is told, so that families side by side do not overtake each other.
#[derive(Default)]
struct Course {
    current: Option<Phase>,
    /// How far each fit of each family has come, by the plugin's id.
    fits: BTreeMap<(String, FitKind), f64>,
}

impl<'a> Stages<'a> {
    pub(super) fn new(n_families: usize, tell: &'a (dyn Fn(Progress) + Sync)) -> Self {
        Self { tell, n_families, course: Mutex::default() }
    }

    /// Ends the phase before and begins this one.
    pub(super) fn enter(&self, phase: Phase, message: &str) {
        self.finish();
        self.course().current = Some(phase);
        self.say(phase, Status::InProgress, 0.0, object(json!({ "message": message })));
    }

    /// Ends the current phase.
    pub(super) fn finish(&self) {
        let ended = self.course().current.take();
        if let Some(phase) = ended {
            self.say(phase, Status::Completed, 1.0, object(json!({ "message": "done" })));
        }
    }

    /// Bars have come.
    pub(super) fn fetched(&self, news: &FetchProgress) {
        let FetchProgress { message, symbol, n_rows, n_pages, fraction, eta_s } = news;
        let mut details = object(json!({
            "message": message,
            "symbol": symbol,
            "n_rows": n_rows,
            "n_pages": n_pages,
            "fetch_eta_s": eta_s.map(|eta_s| (eta_s * 10.0).round() / 10.0),
        }));
        details.retain(|_, value| !value.is_null());
        self.say(Phase::DataFetch, Status::InProgress, *fraction, details);
    }

    /// A trial of the search is over.
    pub(super) fn trial(&self, event: &TrialEvent<'_>) {
        let TrialEvent { trial, n_trials, best_score } = *event;
        let best = best_score.map_or("none yet".to_owned(), |score| format!("{score:+.3}"));
        let details = json!({
            "message": format!("trial {} of {n_trials}, best score {best}", trial.number),
            "trial": trial.number,
            "n_trials": n_trials,
            "score": trial.score,
            "best_score": best_score.and_then(Finite::new),
        });
        let fraction = trial.number as f64 / n_trials.max(1) as f64;
        self.say(Phase::ConfigSearch, Status::InProgress, fraction, object(details));
    }

    /// A family's fit has come on.
    pub(super) fn family(&self, family: &FamilyProgress<'_>) {
        let mut course = self.course();
        let done = course.fits.entry((family.manifest.id.clone(), family.fit)).or_default();
        // A process that was started again begins anew.
        *done = done.max(family.news.fraction);
        // The lead was fitted on the last fold by the search.
        let n_fits = 2 * self.n_families.max(1) - 1;
        let fraction = FITS_OF_TRAINING * course.fits.values().sum::<f64>() / n_fits as f64;
        self.say(Phase::Training, Status::InProgress, fraction, details(family));
    }

    /// Canaries came back: fits of the lead to labels shifted in time, the last part of the training.
    pub(super) fn shifted(&self, n_done: usize, n_shifts: usize) {
        let details = json!({ "message": format!("canaries: {n_done} of {n_shifts} shifted labels fitted") });
        let fraction = FITS_OF_TRAINING + (1.0 - FITS_OF_TRAINING) * n_done as f64 / n_shifts.max(1) as f64;
        self.say(Phase::Training, Status::InProgress, fraction, object(details));
    }

    fn say(&self, phase: Phase, status: Status, fraction: f64, mut details: Map<String, Value>) {
        let (from, to) = share(phase, self.n_families);
        let percent = from + (to - from) * fraction.clamp(0.0, 1.0);
        details.insert("percent".to_owned(), json!((percent * 10.0).round() / 10.0));
        (self.tell)(Progress { phase, status, details });
    }

    fn course(&self) -> MutexGuard<'_, Course> {
        self.course.lock()
    }
}

/// What is known of a family's fit; nothing stands for what is not.
fn details(family: &FamilyProgress<'_>) -> Map<String, Value> {
    let FitProgress { fraction, epoch, loss, tune_loss, eta_s, .. } = *family.news;
    let mut details = object(json!({
        "message": message(family),
        "family": family.manifest.title(),
        "fit": fit_name(family.fit),
        "fit_done": (fraction >= 1.0).then_some(true),
        "epoch": epoch,
        "n_epochs": family.n_epochs,
        "loss": loss,
        "tune_loss": tune_loss,
        "family_eta_s": eta_s.map(|eta_s| (eta_s * 10.0).round() / 10.0),
    }));
    details.retain(|_, value| !value.is_null());
    details
}

fn message(family: &FamilyProgress<'_>) -> String {
    let FitProgress { fraction, epoch, loss, eta_s, waits_for_gpu, .. } = *family.news;
    let (title, fit) = (family.manifest.title(), fit_name(family.fit));
    let Some(epoch) = epoch else {
        return match fraction {
            _ if waits_for_gpu => format!("{title}: waiting for the GPU"),
            0.0 => format!("{title}: {fit} begins"),
            1.0 => format!("{title}: {fit} done"),
            _ => format!("{title}: {fit}, {:.0} %", 100.0 * fraction),
        };
    };
    let of_all = family.n_epochs.map(|n_epochs| format!(" of {n_epochs}")).unwrap_or_default();
    let loss = loss.map(|loss| format!(", loss {loss:.4}")).unwrap_or_default();
    let left = eta_s.map(|eta_s| format!(", {eta_s:.0} s left")).unwrap_or_default();
    format!("{title}: epoch {epoch}{of_all}{loss}{left}")
}

fn fit_name(fit: FitKind) -> &'static str {
    match fit {
        FitKind::LastFold => "last fold",
        FitKind::Final => "final",
    }
}

/// The fields of an object that was written as one.
fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use parking_lot::Mutex;

    use oculus_plugin_api::Manifest;

    use super::*;

    fn percents(heard: &[Progress]) -> Vec<f64> {
        heard.iter().map(|progress| progress.details["percent"].as_f64().unwrap()).collect()
    }

    fn told(stages: &Stages<'_>, (id, fit): (&str, FitKind), news: &FitProgress) {
        let manifest = Manifest::new(id, "1.0.0");
        stages.family(&FamilyProgress { manifest: &manifest, fit, n_epochs: Some(250), news });
    }

    fn at(fraction: f64) -> FitProgress {
        FitProgress { fraction, ..FitProgress::default() }
    }

    #[test]
    fn percent_never_falls_and_every_phase_has_a_first_and_a_last_event() {
        let heard = Mutex::new(Vec::new());
        let tell = |progress: Progress| heard.lock().push(progress);
        let stages = Stages::new(3, &tell);
        let phases = [Phase::DataFetch, Phase::FeatureEngineering, Phase::ConfigSearch, Phase::Training];
        for phase in phases {
            stages.enter(phase, "at work");
        }
        // Two families side by side, one of which begins anew; then the final fits.
        for (id, fraction) in [("a", 0.0), ("b", 0.6), ("a", 0.5), ("b", 0.1), ("a", 1.0), ("b", 1.0)] {
            told(&stages, (id, FitKind::LastFold), &at(fraction));
        }
        for id in ["lead", "a", "b"] {
            told(&stages, (id, FitKind::Final), &at(1.0));
        }
        (1..=4).for_each(|n_done| stages.shifted(n_done, 4));
        stages.enter(Phase::RuleExtraction, "scoring rules");
        stages.finish();
        let heard = heard.lock();
        let percents = percents(&heard);
        assert!(percents.is_sorted(), "{percents:?}");
        let last = &percents[percents.len() - 8..];
        assert_eq!(
            last,
            [83.0, 86.0, 89.0, 92.0, 95.0, 95.0, 95.0, 98.0],
            "five fits and the canaries are the training"
        );
        for phase in phases {
            let of_phase: Vec<_> = heard.iter().filter(|progress| progress.phase == phase).collect();
            assert_eq!(of_phase.first().unwrap().status, Status::InProgress);
            assert_eq!(of_phase.last().unwrap().status, Status::Completed);
        }
    }

    #[test]
    fn an_epoch_is_told_with_all_that_is_known_of_it() {
        let heard = Mutex::new(Vec::new());
        let tell = |progress: Progress| heard.lock().push(progress);
        let stages = Stages::new(2, &tell);
        let epoch = FitProgress { epoch: Some(12), loss: Some(0.671_23), eta_s: Some(8.04), ..at(0.048) };
        told(&stages, ("LSTM", FitKind::LastFold), &epoch);
        told(&stages, ("LSTM", FitKind::Final), &FitProgress { waits_for_gpu: true, ..at(0.0) });
        told(&stages, ("LSTM", FitKind::Final), &at(0.0));
        let heard = heard.lock();
        let messages: Vec<_> = heard.iter().map(|progress| progress.details["message"].as_str().unwrap()).collect();
        assert_eq!(
            messages,
            ["LSTM: epoch 12 of 250, loss 0.6712, 8 s left", "LSTM: waiting for the GPU", "LSTM: final begins"]
        );
        let details = &heard[0].details;
        let needed = json!({ "message": messages[0], "family": "LSTM", "fit": "last fold", "epoch": 12,
            "n_epochs": 250, "loss": 0.671_23, "family_eta_s": 8.0, "percent": details["percent"] });
        assert_eq!(Value::Object(details.clone()), needed, "and nothing is null");
    }
}
