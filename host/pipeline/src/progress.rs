//! Reports the progress of a job: its current phase, and the percentage that is done.
//!
//! In: the progress of single stages. Out: [`Progress`] events. Invariant: the percentage never
//! decreases.

use std::collections::BTreeMap;

use oculus_job::progress::{Phase, Progress, Status};
use parking_lot::{Mutex, MutexGuard};
use serde_json::{Map, Value, json};

use super::bars::FetchProgress;
use super::fitter::FitProgress;
use super::metrics::Finite;
use super::models::{FamilyProgress, FitKind};
use super::search::TrialEvent;

/// Returns the start and the end of a phase in percent of the usual duration of a job.
fn share(phase: Phase, n_families: usize) -> (f64, f64) {
    // With one family, the search takes most of the time; with several families, their training
    // takes most of it.
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

/// Share of the training phase that the families' fits take; the canaries take the rest.
const FITS_OF_TRAINING: f64 = 0.8;

/// Reports the progress of a job.
pub(super) struct JobProgress<'a> {
    on_progress: &'a (dyn Fn(Progress) + Sync),
    n_families: usize,
    state: Mutex<ProgressState>,
}

/// The progress so far.
#[derive(Default)]
struct ProgressState {
    current: Option<Phase>,
    /// Fraction of each fit that is done, by the plugin's id and the kind of fit.
    fits: BTreeMap<(String, FitKind), f64>,
}

impl<'a> JobProgress<'a> {
    pub(super) fn new(n_families: usize, on_progress: &'a (dyn Fn(Progress) + Sync)) -> Self {
        Self { on_progress, n_families, state: Mutex::default() }
    }

    /// Completes the current phase and starts the given one.
    pub(super) fn enter(&self, phase: Phase, message: &str) {
        self.finish();
        self.state().current = Some(phase);
        self.report(phase, Status::InProgress, 0.0, object(json!({ "message": message })));
    }

    /// Completes the current phase.
    pub(super) fn finish(&self) {
        let completed = self.state().current.take();
        if let Some(phase) = completed {
            self.report(phase, Status::Completed, 1.0, object(json!({ "message": "done" })));
        }
    }

    /// Reports the progress of reading bars.
    pub(super) fn report_fetch(&self, progress: &FetchProgress) {
        let FetchProgress { message, symbol, n_rows, n_pages, fraction, eta_s } = progress;
        let mut details = object(json!({
            "message": message,
            "symbol": symbol,
            "n_rows": n_rows,
            "n_pages": n_pages,
            "fetch_eta_s": eta_s.map(|eta_s| (eta_s * 10.0).round() / 10.0),
        }));
        details.retain(|_, value| !value.is_null());
        self.report(Phase::DataFetch, Status::InProgress, *fraction, details);
    }

    /// Reports a finished trial of the search.
    pub(super) fn report_trial(&self, event: &TrialEvent<'_>) {
        let TrialEvent { trial, n_trials, best_score } = *event;
        let best = best_score.map_or("none yet".to_owned(), |score| format!("{score:+.3}"));
        let mut details = object(json!({
            "message": format!("trial {} of {n_trials}, best score {best}", trial.number),
            "trial": trial.number,
            "n_trials": n_trials,
            "score": trial.score,
            "best_score": best_score.and_then(Finite::new),
        }));
        details.retain(|_, value| !value.is_null());
        let fraction = trial.number as f64 / n_trials.max(1) as f64;
        self.report(Phase::ConfigSearch, Status::InProgress, fraction, details);
    }

    /// Reports the progress of a family's fit.
    pub(super) fn report_fit(&self, family: &FamilyProgress<'_>) {
        // The lock is held until the report is sent, so that reports of parallel fits stay in
        // order.
        let mut state = self.state();
        let done = state.fits.entry((family.manifest.id.clone(), family.fit)).or_default();
        // If the plugin process was restarted, its fit starts at 0 again, but the percentage must
        // not decrease.
        *done = done.max(family.progress.fraction);
        // Each family has fits on the folds and a final fit. The search has already fitted the lead
        // family on the folds.
        let n_fits = 2 * self.n_families.max(1) - 1;
        let fraction = FITS_OF_TRAINING * state.fits.values().sum::<f64>() / n_fits as f64;
        self.report(Phase::Training, Status::InProgress, fraction, details(family));
    }

    /// Reports the progress of the canaries, which are the last part of the training phase.
    pub(super) fn report_surrogates(&self, n_done: usize, n_surrogates: usize) {
        let details = json!({ "message": format!("canaries: {n_done} of {n_surrogates} surrogate markets fitted") });
        let fraction = FITS_OF_TRAINING + (1.0 - FITS_OF_TRAINING) * n_done as f64 / n_surrogates.max(1) as f64;
        self.report(Phase::Training, Status::InProgress, fraction, object(details));
    }

    fn report(&self, phase: Phase, status: Status, fraction: f64, mut details: Map<String, Value>) {
        let (from, to) = share(phase, self.n_families);
        let percent = from + (to - from) * fraction.clamp(0.0, 1.0);
        details.insert("percent".to_owned(), json!((percent * 10.0).round() / 10.0));
        (self.on_progress)(Progress { phase, status, details });
    }

    fn state(&self) -> MutexGuard<'_, ProgressState> {
        self.state.lock()
    }
}

/// Returns the details that a family reports about its fit.
fn details(family: &FamilyProgress<'_>) -> Map<String, Value> {
    let FitProgress { fraction, epoch, loss, tune_loss, eta_s, .. } = *family.progress;
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
    let FitProgress { fraction, epoch, loss, eta_s, waits_for_gpu, .. } = *family.progress;
    let title = family.manifest.title();
    let fit = fit_name(family.fit);
    let Some(epoch) = epoch else {
        return match fraction {
            _ if waits_for_gpu => format!("{title}: waiting for the GPU"),
            0.0 => format!("{title}: {fit} fit started"),
            1.0 => format!("{title}: {fit} fit completed"),
            _ => format!("{title}: {fit} fit, {:.0} %", 100.0 * fraction),
        };
    };
    let of_all = family.n_epochs.map(|n_epochs| format!(" of {n_epochs}")).unwrap_or_default();
    let loss = loss.map(|loss| format!(", loss {loss:.4}")).unwrap_or_default();
    let left = eta_s.map(|eta_s| format!(", {eta_s:.0} s left")).unwrap_or_default();
    format!("{title}: epoch {epoch}{of_all}{loss}{left}")
}

fn fit_name(fit: FitKind) -> &'static str {
    match fit {
        FitKind::Folds => "folds",
        FitKind::Final => "final",
    }
}

/// Returns the fields of a JSON object; any other value has no fields.
fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

#[cfg(test)]
mod tests {
    use oculus_plugin_api::Manifest;
    use parking_lot::Mutex;

    use super::*;

    fn percents(events: &[Progress]) -> Vec<f64> {
        events.iter().map(|progress| progress.details["percent"].as_f64().unwrap()).collect()
    }

    fn report(job: &JobProgress<'_>, id: &str, fit: FitKind, progress: &FitProgress) {
        let manifest = Manifest::new(id, "1.0.0");
        job.report_fit(&FamilyProgress { manifest: &manifest, fit, n_epochs: Some(250), progress });
    }

    fn at(fraction: f64) -> FitProgress {
        FitProgress { fraction, ..FitProgress::default() }
    }

    #[test]
    fn the_percentage_never_decreases_and_every_phase_starts_and_completes() {
        let events = Mutex::new(Vec::new());
        let on_progress = |progress: Progress| events.lock().push(progress);
        let job = JobProgress::new(3, &on_progress);
        let phases = [Phase::DataFetch, Phase::FeatureEngineering, Phase::ConfigSearch, Phase::Training];
        for phase in phases {
            job.enter(phase, "in progress");
        }
        // The fits of two families run in parallel, and one is restarted. The final fits follow.
        for (id, fraction) in [("a", 0.0), ("b", 0.6), ("a", 0.5), ("b", 0.1), ("a", 1.0), ("b", 1.0)] {
            report(&job, id, FitKind::Folds, &at(fraction));
        }
        for id in ["first", "a", "b"] {
            report(&job, id, FitKind::Final, &at(1.0));
        }
        (1..=4).for_each(|n_done| job.report_surrogates(n_done, 4));
        job.enter(Phase::RuleExtraction, "scoring rules");
        job.finish();
        let events = events.lock();
        let percents = percents(&events);
        assert!(percents.is_sorted(), "{percents:?}");
        let last = &percents[percents.len() - 8..];
        assert_eq!(
            last,
            [83.0, 86.0, 89.0, 92.0, 95.0, 95.0, 95.0, 98.0],
            "the training phase consists of five fits and the canaries"
        );
        for phase in phases {
            let of_phase: Vec<_> = events.iter().filter(|progress| progress.phase == phase).collect();
            assert_eq!(of_phase.first().unwrap().status, Status::InProgress);
            assert_eq!(of_phase.last().unwrap().status, Status::Completed);
        }
    }

    #[test]
    fn the_report_of_an_epoch_contains_every_known_detail() {
        let events = Mutex::new(Vec::new());
        let on_progress = |progress: Progress| events.lock().push(progress);
        let job = JobProgress::new(2, &on_progress);
        let epoch = FitProgress { epoch: Some(12), loss: Some(0.671_23), eta_s: Some(8.04), ..at(0.048) };
        report(&job, "LSTM", FitKind::Folds, &epoch);
        report(&job, "LSTM", FitKind::Final, &FitProgress { waits_for_gpu: true, ..at(0.0) });
        report(&job, "LSTM", FitKind::Final, &at(0.0));
        let events = events.lock();
        let messages: Vec<_> = events.iter().map(|progress| progress.details["message"].as_str().unwrap()).collect();
        assert_eq!(
            messages,
            ["LSTM: epoch 12 of 250, loss 0.6712, 8 s left", "LSTM: waiting for the GPU", "LSTM: final fit started"]
        );
        let details = &events[0].details;
        let expected = json!({ "message": messages[0], "family": "LSTM", "fit": "folds", "epoch": 12,
            "n_epochs": 250, "loss": 0.671_23, "family_eta_s": 8.0, "percent": details["percent"] });
        assert_eq!(Value::Object(details.clone()), expected, "no field is null");
    }
}
