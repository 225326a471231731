//! Progress of the families' fits.

use oculus_plugin_api::Manifest;
use parking_lot::Mutex;

use crate::{
    fitter::FitProgress,
    search::{Family, rounds_setting},
};

/// One of the two steps of a family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FitKind {
    /// The fits on the folds, which score the validation rows. The lead has no such step, because
    /// the search has already fitted it on the folds.
    Folds,
    /// The fit on the whole development period.
    Final,
}

/// Progress of one fit of one family.
#[derive(Clone, Copy, Debug)]
pub struct FamilyProgress<'a> {
    /// The family.
    pub manifest: &'a Manifest,
    /// The fit.
    pub fit: FitKind,
    /// Maximum number of epochs or rounds, if the family counts them.
    pub n_epochs: Option<u64>,
    /// Progress of the fit.
    pub progress: &'a FitProgress,
}

/// Receives the progress of all families, on the thread that fits.
pub type FamilyProgressFn<'a> = dyn Fn(&FamilyProgress<'_>) + Sync + 'a;

/// Reports the progress of one fit of one family.
pub(super) struct FitReporter<'a> {
    pub(super) on_progress: &'a FamilyProgressFn<'a>,
    pub(super) family: &'a Family<'a>,
    pub(super) fit: FitKind,
    pub(super) n_epochs: Option<u64>,
}

impl FitReporter<'_> {
    /// Runs a fit and reports its start, its progress and its end, whether it succeeds or fails.
    pub(super) fn run<T>(&self, fit: impl FnOnce(&(dyn Fn(&FitProgress) + Sync)) -> T) -> T {
        let last = Mutex::new(FitProgress::default());
        let lock = || last.lock();
        self.report(&FitProgress::default());
        let result = fit(&|progress: &FitProgress| {
            lock().clone_from(progress);
            self.report(progress);
        });
        // The final report repeats the last epoch and its loss, so that they stay visible after the
        // fit.
        let last = lock().clone();
        // A family that never estimated the remaining time has no estimate at the end either.
        let eta_s = last.eta_s.map(|_| 0.0);
        let end = FitProgress { fraction: 1.0, eta_s, waits_for_gpu: false, ..last.clone() };
        // The end of the last fold has been reported already.
        if end != last {
            self.report(&end);
        }
        result
    }

    fn report(&self, progress: &FitProgress) {
        let manifest = self.family.fitter.manifest();
        (self.on_progress)(&FamilyProgress { manifest, fit: self.fit, n_epochs: self.n_epochs, progress });
    }
}

/// Returns the maximum number of epochs or rounds of a fit, if the family counts them.
pub(super) fn n_epochs(family: &Family<'_>) -> Option<u64> {
    rounds_setting(family.fitter.manifest(), family.params).map(|(_, n_rounds)| n_rounds)
}
