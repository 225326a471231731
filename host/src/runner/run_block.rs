//! The `run` block of a result: everything that differs between two runs of the same job.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use oculus_job::progress::Phase;
use oculus_pipeline::report::Report;
use oculus_plugin_host::installed::InstalledPlugin;
use parking_lot::Mutex;
use serde_json::{Map, Value, json};

use super::spec::JobSpec;

/// Returns the fields that differ between two runs of the same job.
pub(super) fn run_block(spec: &JobSpec, clock: &Clock, report: &Report) -> Map<String, Value> {
    let uname = rustix::system::uname();
    let devices = report.models.iter().filter_map(|row| Some((row.name.as_str(), row.device.as_deref()?)));
    let used = |plugin: &&InstalledPlugin| report.provenance.plugins.iter().any(|used| used.sha256 == plugin.sha256);
    let generations = spec.plugins.iter().filter(used).map(|plugin| (plugin.manifest.id.as_str(), plugin.generation));
    let block = json!({
        "worker": spec.resources.worker,
        "host": uname.nodename().to_string_lossy(),
        "started_at": clock.started_at,
        "seconds": clock.total_s(),
        "seconds_by_phase": clock.by_phase(),
        "fits_side_by_side": spec.resources.parallel_fits,
        "gpu_enabled": spec.resources.gpu_enabled,
        "plugin_generations": generations.collect::<BTreeMap<_, _>>(),
        "devices": devices.collect::<BTreeMap<_, _>>(),
    });
    match block {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

/// When the job entered each phase.
pub(super) struct Clock {
    started: Instant,
    started_at: String,
    entered: Mutex<Vec<(Phase, Instant)>>,
}

impl Clock {
    pub(super) fn start() -> Self {
        let started_at = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S").to_string();
        Self { started: Instant::now(), started_at, entered: Mutex::default() }
    }

    pub(super) fn note(&self, phase: Phase) {
        let mut entered = self.entered.lock();
        if entered.last().is_none_or(|(last, _)| *last != phase) {
            entered.push((phase, Instant::now()));
        }
    }

    fn by_phase(&self) -> Map<String, Value> {
        let entered = self.entered.lock();
        let ends = entered.iter().skip(1).map(|(_, at)| *at).chain([Instant::now()]);
        let spans = entered.iter().zip(ends);
        spans.map(|((phase, from), to)| (phase.name().to_owned(), millis(to - *from).into())).collect()
    }

    fn total_s(&self) -> f64 {
        millis(self.started.elapsed())
    }
}

/// Returns a duration in seconds, rounded to milliseconds.
fn millis(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e3).round() / 1e3
}
