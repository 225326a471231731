//! Reports the progress of a job: its current phase, and the work that is done.
//!
//! In: the progress of single stages. Out: [`Progress`] events, and a [`WorkUpdate`] before each of
//! them. The host adds the percentage, because it needs the speed of the machine.

use oculus_job::progress::{Phase, Progress, Status};
use parking_lot::Mutex;
use serde_json::{Map, Value, json};

use super::bars::FetchProgress;
use super::fitter::{FitProgress, FoldShares};
use super::metrics::Finite;
use super::models::{FamilyProgress, FitKind};
use super::search::TrialEvent;
use super::work::{PlannedStep, Step, StepKind, WorkFn, WorkUpdate};

/// Reports the progress of a job.
pub(super) struct JobProgress<'a> {
    on_progress: &'a (dyn Fn(Progress) + Sync),
    on_work: &'a WorkFn<'a>,
    /// The current phase. The lock is held until a report is sent, so that reports of parallel fits
    /// stay in order.
    current: Mutex<Option<Phase>>,
}

impl<'a> JobProgress<'a> {
    pub(super) fn new(on_progress: &'a (dyn Fn(Progress) + Sync), on_work: &'a WorkFn<'a>) -> Self {
        Self { on_progress, on_work, current: Mutex::default() }
    }

    /// Completes the current phase and starts the given one.
    pub(super) fn enter(&self, phase: Phase, message: &str) {
        self.finish();
        *self.current.lock() = Some(phase);
        self.report(phase, Status::InProgress, object(json!({ "message": message })));
    }

    /// Completes the current phase.
    pub(super) fn finish(&self) {
        let completed = self.current.lock().take();
        if let Some(phase) = completed {
            self.report(phase, Status::Completed, object(json!({ "message": "done" })));
        }
    }

    /// Reports the steps that follow. They replace the planned steps of their kinds.
    pub(super) fn plan(&self, steps: Vec<PlannedStep>) {
        (self.on_work)(&WorkUpdate::Planned(steps));
    }

    /// Runs a step that reports no progress of its own.
    pub(super) fn step<T>(&self, kind: StepKind, plugin: &str, work: impl FnOnce() -> T) -> T {
        self.start_step(kind, plugin);
        let result = work();
        self.advance(kind, plugin, 1.0, FoldShares::default());
        result
    }

    /// Reports the start of a step.
    pub(super) fn start_step(&self, kind: StepKind, plugin: &str) {
        self.advance(kind, plugin, 0.0, FoldShares::default());
    }

    /// Reports the share of a step that is done.
    fn advance(&self, kind: StepKind, plugin: &str, fraction: f64, folds: FoldShares) {
        (self.on_work)(&WorkUpdate::Progressed { step: Step { kind, plugin: plugin.to_owned() }, fraction, folds });
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
        (self.on_work)(&WorkUpdate::Fetching { fraction: *fraction, eta_s: *eta_s });
        self.report(Phase::DataFetch, Status::InProgress, details);
    }

    /// Reports a finished trial of the search with the family `lead`.
    pub(super) fn report_trial(&self, lead: &str, event: &TrialEvent<'_>) {
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
        self.advance(StepKind::Search, lead, trial.number as f64 / n_trials.max(1) as f64, FoldShares::default());
        self.report(Phase::ConfigSearch, Status::InProgress, details);
    }

    /// Reports the progress of a family's fit.
    pub(super) fn report_fit(&self, family: &FamilyProgress<'_>) {
        let _in_order = self.current.lock();
        let kind = match family.fit {
            FitKind::Folds => StepKind::Folds,
            FitKind::Final => StepKind::Final,
        };
        self.advance(kind, &family.manifest.id, family.progress.fraction, family.progress.folds);
        self.report(Phase::Training, Status::InProgress, details(family));
    }

    /// Reports the progress of the canaries, which the family `lead` is fitted on.
    pub(super) fn report_surrogates(&self, lead: &str, n_done: usize, n_surrogates: usize) {
        let _in_order = self.current.lock();
        let details = json!({ "message": format!("canaries: {n_done} of {n_surrogates} surrogate markets fitted") });
        self.advance(StepKind::Surrogates, lead, n_done as f64 / n_surrogates.max(1) as f64, FoldShares::default());
        self.report(Phase::Training, Status::InProgress, object(details));
    }

    fn report(&self, phase: Phase, status: Status, details: Map<String, Value>) {
        (self.on_progress)(Progress { phase, status, details });
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

    fn report(job: &JobProgress<'_>, id: &str, fit: FitKind, progress: &FitProgress) {
        let manifest = Manifest::new(id, "1.0.0");
        job.report_fit(&FamilyProgress { manifest: &manifest, fit, n_epochs: Some(250), progress });
    }

    fn at(fraction: f64) -> FitProgress {
        FitProgress { fraction, ..FitProgress::default() }
    }

    fn progressed(kind: StepKind, plugin: &str, fraction: f64) -> WorkUpdate {
        let folds = FoldShares::default();
        WorkUpdate::Progressed { step: Step { kind, plugin: plugin.to_owned() }, fraction, folds }
    }

    #[test]
    fn every_phase_starts_and_completes() {
        let events = Mutex::new(Vec::new());
        let on_progress = |progress: Progress| events.lock().push((progress.phase, progress.status));
        let job = JobProgress::new(&on_progress, &|_| {});
        job.enter(Phase::DataFetch, "reading bars");
        job.enter(Phase::Training, "fitting");
        job.finish();
        job.finish();
        let phases = [Phase::DataFetch, Phase::Training];
        let expected = phases.map(|phase| [(phase, Status::InProgress), (phase, Status::Completed)]);
        assert_eq!(*events.lock(), expected.concat());
    }

    #[test]
    fn the_work_of_fits_and_canaries_is_reported_by_step_before_the_event() {
        let reports = Mutex::new(Vec::new());
        let on_progress = |_: Progress| reports.lock().push(None);
        let on_work = |update: &WorkUpdate| reports.lock().push(Some(update.clone()));
        let job = JobProgress::new(&on_progress, &on_work);
        report(&job, "a", FitKind::Folds, &at(0.25));
        report(&job, "b", FitKind::Final, &at(1.0));
        job.report_surrogates("a", 5, 20);
        assert_eq!(job.step(StepKind::Chance, "b", || 7), 7);
        let expected = [
            Some(progressed(StepKind::Folds, "a", 0.25)),
            None,
            Some(progressed(StepKind::Final, "b", 1.0)),
            None,
            Some(progressed(StepKind::Surrogates, "a", 0.25)),
            None,
            Some(progressed(StepKind::Chance, "b", 0.0)),
            Some(progressed(StepKind::Chance, "b", 1.0)),
        ];
        assert_eq!(*reports.lock(), expected);
    }

    #[test]
    fn the_report_of_an_epoch_contains_every_known_detail() {
        let events = Mutex::new(Vec::new());
        let on_progress = |progress: Progress| events.lock().push(progress);
        let job = JobProgress::new(&on_progress, &|_| {});
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
            "n_epochs": 250, "loss": 0.671_23, "family_eta_s": 8.0 });
        assert_eq!(Value::Object(details.clone()), expected, "no field is null");
    }
}
