//! A host that records what a plugin reports.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use abi_stable::erased_types::TD_Opaque;
use abi_stable::std_types::RStr;

use crate::abi;

/// A host that records the reports of a plugin. It can cancel the job at a chosen check.
///
/// ```
/// # use oculus_plugin_api::prelude::*;
/// # struct Constant;
/// # struct Half;
/// # impl Family for Constant {
/// #     type Model = Half;
/// #     fn manifest() -> Manifest { Manifest::new("constant", "1.0.0") }
/// #     fn fit(_: &Table<'_>, _: &Task<'_>, _: &Params, ctx: &Ctx<'_, '_>) -> Result<Half> {
/// #         ctx.progress(0.5, "half");
/// #         ctx.check().map(|()| Half)
/// #     }
/// # }
/// # impl Model for Half {
/// #     fn predict(&self, _: &Table<'_>, _: &[u32], out: &mut [f32]) -> Result<()> { out.fill(0.5); Ok(()) }
/// #     fn save(&self) -> Result<Vec<u8>> { Ok(Vec::new()) }
/// #     fn load(_: &[u8]) -> Result<Self> { Ok(Half) }
/// # }
/// # use oculus_plugin_api::{code, testing::{Frame, Harness, Listener}};
/// # let frame = Frame::new(1, 1);
/// # let prepared = Harness::family::<Constant>().prepare(&frame, &[0])?;
/// # let task = Task { label: &[1.0], train_rows: &[0], tune_rows: &[], seed: 1, threads: 1, device: "auto" };
/// let listener = Listener::cancelling_at(1);
/// let error = prepared.fit(&task, "{}", &listener).err().expect("the job is cancelled");
/// assert_eq!(error.code, code::CANCELLED);
/// assert_eq!(listener.reports(), ["progress 0.5 half"]);
/// # Ok::<(), PluginError>(())
/// ```
#[derive(Debug)]
pub struct Listener {
    /// Number of remaining checks before the first check that reports a cancelled job.
    checks_left: AtomicUsize,
    n_checks: AtomicUsize,
    reports: Mutex<Vec<String>>,
}

impl Default for Listener {
    /// Creates a host that never cancels the job.
    fn default() -> Self {
        Self::cancelling_at(usize::MAX)
    }
}

impl Listener {
    /// Creates a host that reports a cancelled job from the `n_checks`-th check on, counted from 1.
    pub fn cancelling_at(n_checks: usize) -> Self {
        // The counter starts one lower, because it must be 0 when the chosen check reads it.
        let checks_left = AtomicUsize::new(n_checks.saturating_sub(1));
        Self { checks_left, n_checks: AtomicUsize::new(0), reports: Mutex::default() }
    }

    /// Returns the number of times that the plugin checked for cancellation.
    pub fn n_asked(&self) -> usize {
        self.n_checks.load(Ordering::Relaxed)
    }

    /// Returns all reports of the plugin, in order, such as `progress 0.5 half`,
    /// `metric loss 3 0.7` and `log 2 few rows`.
    pub fn reports(&self) -> Vec<String> {
        self.reports.lock().map(|reports| reports.clone()).unwrap_or_default()
    }

    /// Returns all reports of the plugin. In API 1.0, [`Listener::reports`] had this name.
    #[deprecated(note = "renamed to `Listener::reports`")]
    pub fn heard(&self) -> Vec<String> {
        self.reports()
    }

    pub(super) fn host(&self) -> abi::HostRef<'_> {
        // `TD_Opaque` disables downcasts: a `TypeId` has no meaning in code of another compiler.
        abi::Host_TO::from_ptr(self, TD_Opaque)
    }

    fn record(&self, report: String) {
        // If the lock is poisoned, the test has already panicked, so the report can be dropped.
        if let Ok(mut reports) = self.reports.lock() {
            reports.push(report);
        }
    }
}

impl abi::Host for Listener {
    fn progress(&self, fraction: f64, message: RStr<'_>) {
        self.record(format!("progress {fraction} {message}"));
    }

    fn metric(&self, name: RStr<'_>, step: u64, value: f64) {
        self.record(format!("metric {name} {step} {value}"));
    }

    fn log(&self, level: u32, message: RStr<'_>) {
        self.record(format!("log {level} {message}"));
    }

    fn cancelled(&self) -> bool {
        // `Relaxed`: each counter is independent of other memory, and tests read it after the call.
        self.n_checks.fetch_add(1, Ordering::Relaxed);
        // `checked_sub` fails from the chosen check on, and leaves the counter at 0.
        self.checks_left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_err()
    }
}
