//! How far a job is: the phases' shares of the whole, told as progress.

use std::cell::Cell;

use oculus_plugin_api::Manifest;
use serde_json::{Map, Value, json};

use super::metrics::Finite;
use super::search::TrialEvent;
use crate::job::progress::{Phase, Progress, Status};

/// Where each phase begins and ends in percent of a usual job's time.
fn share(phase: Phase) -> (f64, f64) {
    match phase {
        Phase::Queued => (0.0, 0.0),
        Phase::DataFetch => (0.0, 5.0),
        Phase::FeatureEngineering => (5.0, 10.0),
        Phase::ConfigSearch => (10.0, 75.0),
        Phase::Training => (75.0, 93.0),
        Phase::RuleExtraction => (93.0, 97.0),
        Phase::StrategyOptimization => (97.0, 99.0),
        Phase::Complete => (100.0, 100.0),
    }
}

/// The stage that a job is in, and who hears of it.
pub(super) struct Stages<'a> {
    tell: &'a (dyn Fn(Progress) + Sync),
    current: Cell<Option<Phase>>,
    n_fitted: Cell<usize>,
}

impl<'a> Stages<'a> {
    pub(super) fn new(tell: &'a (dyn Fn(Progress) + Sync)) -> Self {
        Self { tell, current: Cell::new(None), n_fitted: Cell::new(0) }
    }

    /// Ends the phase before and begins this one.
    pub(super) fn enter(&self, phase: Phase, message: &str) {
        self.finish();
        self.current.set(Some(phase));
        self.say(phase, Status::InProgress, 0.0, object(json!({ "message": message })));
    }

    /// Ends the current phase.
    pub(super) fn finish(&self) {
        if let Some(phase) = self.current.take() {
            self.say(phase, Status::Completed, 1.0, object(json!({ "message": "done" })));
        }
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
            "best_score": best_score.and_then(Finite::of),
        });
        let fraction = trial.number as f64 / n_trials.max(1) as f64;
        self.say(Phase::ConfigSearch, Status::InProgress, fraction, object(details));
    }

    /// A family is about to be fitted, one of so many.
    pub(super) fn family(&self, manifest: &Manifest, n_families: usize) {
        let fraction = self.n_fitted.replace(self.n_fitted.get() + 1) as f64 / n_families.max(1) as f64;
        let details = json!({ "message": format!("fitting {}", manifest.title()), "family": manifest.title() });
        self.say(Phase::Training, Status::InProgress, fraction, object(details));
    }

    fn say(&self, phase: Phase, status: Status, fraction: f64, mut details: Map<String, Value>) {
        let (from, to) = share(phase);
        let percent = from + (to - from) * fraction.clamp(0.0, 1.0);
        details.insert("percent".to_owned(), json!((percent * 10.0).round() / 10.0));
        (self.tell)(Progress { phase, status, details });
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
    use std::sync::Mutex;

    use super::*;

    #[test]
    fn percent_never_falls_and_every_phase_has_a_first_and_a_last_event() {
        let heard = Mutex::new(Vec::new());
        let tell = |progress: Progress| heard.lock().unwrap().push(progress);
        let stages = Stages::new(&tell);
        let phases = [Phase::DataFetch, Phase::FeatureEngineering, Phase::ConfigSearch, Phase::Training];
        for phase in phases {
            stages.enter(phase, "at work");
        }
        stages.family(&Manifest::new("trees", "1.0.0"), 2);
        stages.family(&Manifest::new("net", "1.0.0"), 2);
        stages.finish();
        let heard = heard.lock().unwrap();
        let percents: Vec<_> = heard.iter().map(|progress| progress.details["percent"].as_f64().unwrap()).collect();
        assert!(percents.is_sorted(), "{percents:?}");
        for phase in phases {
            let of_phase: Vec<_> = heard.iter().filter(|progress| progress.phase == phase).collect();
            assert_eq!(of_phase.first().unwrap().status, Status::InProgress);
            assert_eq!(of_phase.last().unwrap().status, Status::Completed);
        }
    }
}
