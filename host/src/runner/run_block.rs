//! The `run` block of a result: all fields that may differ between two runs of the same job.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use oculus_job::progress::Phase;
use oculus_pipeline::report::{Report, RunBlock};
use oculus_plugin_host::installed::InstalledPlugin;
use parking_lot::Mutex;
use serde_json::{Map, Value, json};

use super::spec::JobSpec;

/// Returns the fields that may differ between two runs of the same job. They are in a separate
/// block, because all other bytes of two results must be equal if job, bars and plugins are equal.
pub(super) fn run_block(spec: &JobSpec, clock: &Clock, report: &Report) -> Map<String, Value> {
    let uname = rustix::system::uname();
    let devices = report.models.iter().filter_map(|row| Some((row.name.clone(), row.device.clone()?)));
    // The specification may contain more plugins than the job used.
    let used = |plugin: &&InstalledPlugin| report.provenance.plugins.iter().any(|used| used.sha256 == plugin.sha256);
    let generations = spec.plugins.iter().filter(used).map(|plugin| (plugin.manifest.id.clone(), plugin.generation));
    let block = RunBlock {
        worker: spec.resources.worker.clone(),
        host: uname.nodename().to_string_lossy().into_owned(),
        started_at: clock.started_at.clone(),
        seconds: clock.total_s(),
        seconds_by_phase: clock.by_phase(),
        fits_side_by_side: spec.resources.parallel_fits,
        gpu_enabled: spec.resources.gpu_enabled,
        plugin_generations: generations.collect(),
        devices: devices.collect(),
        artifacts: None,
        artifacts_reason: None,
    };
    match json!(block) {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

/// The clock of a job: the time of its start, and the time at which it entered each phase.
pub(super) struct Clock {
    started: Instant,
    /// The start in UTC, such as `2024-01-15T10:30:00`.
    started_at: String,
    /// The phases in the order in which the job entered them. The list has a lock, because parallel
    /// fits report progress from several threads.
    entered: Mutex<Vec<(Phase, Instant)>>,
}

impl Clock {
    /// Returns a clock of a job that starts now.
    pub(super) fn start() -> Self {
        let started_at = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S").to_string();
        Self { started: Instant::now(), started_at, entered: Mutex::default() }
    }

    /// Returns the start in UTC, such as `2024-01-15T10:30:00`.
    pub(super) fn started_at(&self) -> &str {
        &self.started_at
    }

    /// Returns the start of the job.
    pub(super) fn started(&self) -> Instant {
        self.started
    }

    /// Records that the job is in `phase`.
    pub(super) fn record_phase(&self, phase: Phase) {
        let mut entered = self.entered.lock();
        if entered.last().is_none_or(|(last, _)| *last != phase) {
            entered.push((phase, Instant::now()));
        }
    }

    /// Returns the seconds that the job spent in each phase.
    fn by_phase(&self) -> BTreeMap<&'static str, f64> {
        let entered = self.entered.lock();
        let ends = entered.iter().skip(1).map(|(_, at)| *at).chain([Instant::now()]);
        let spans = entered.iter().zip(ends);
        spans.map(|((phase, from), to)| (phase.name(), rounded_s(to - *from))).collect()
    }

    /// Returns the seconds since the start of the job.
    fn total_s(&self) -> f64 {
        rounded_s(self.started.elapsed())
    }
}

/// Returns a duration in seconds, rounded to milliseconds.
fn rounded_s(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e3).round() / 1e3
}
