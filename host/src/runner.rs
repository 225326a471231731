//! One job from its payload to its result: what a job process and `train` do.
//!
//! In: the job's text, its plugins, what it may use. Out: an [`Ending`], whatever happens. Here, around the pure
//! pipeline, are the clock, the host's name, the plugin processes and the folder of artifacts.

mod capacity;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use crate::artifacts::{Attempt, Contents};
use crate::job::channel::{JobSpec, Setting};
use crate::job::failure::{Failure, Kind};
use crate::job::progress::{Phase, Progress};
use crate::job::request::Job;
use crate::pipeline::features::{self, FeatureTable};
use crate::pipeline::fitter::Fitter;
use crate::pipeline::miner::Miner;
use crate::pipeline::report::Report;
use crate::pipeline::{self, Inputs, Opened, Output};
use crate::plugins::InstalledPlugin;
use crate::plugins::gpu::Gpu;
use crate::plugins::process::Listener;
use crate::plugins::protocol::Event;
use crate::plugins::selection::{self, Selection};
use crate::plugins::session::{Session, Terms};
use crate::plugins::table::SharedTable;
use crate::plugins::usage::{Record, Use};

/// How a job ended.
#[derive(Clone, Debug)]
pub struct Ending {
    /// `None` for a success.
    pub failure: Option<Kind>,
    /// The result object, of a success as of a failure.
    pub result: Value,
    /// How the plugins fared that the job used.
    pub plugins: Vec<Use>,
}

/// Runs a job to its end.
pub fn run(spec: &JobSpec, report: &(dyn Fn(Progress) + Sync)) -> Ending {
    let clock = Clock::start();
    let timed = |progress: Progress| {
        clock.note(progress.phase);
        report(progress);
    };
    let job = match Job::parse(&identified(spec)) {
        Ok(job) => job,
        Err(failure) => return failed(&with_families(failure, spec), &spec.build_id, Value::Null),
    };
    let record = Arc::default();
    let ending = match train(&job, (spec, &record), &timed) {
        Ok(Output { mut report, contents }) => {
            report.run = run_block(spec, &clock, &report);
            keep(&mut report, &contents, spec);
            succeeded(report)
        }
        Err(failure) => failed(&failure, &job.build_id, job.design_config()),
    };
    Ending { plugins: record.uses(), ..ending }
}

/// The refusal of a job's own fields, with that of its families' parameters: all that is wrong at once.
fn with_families(failure: Failure, spec: &JobSpec) -> Failure {
    let of_families = || {
        let mut payload: Value = serde_json::from_str(&spec.payload).ok()?;
        let config = payload.pointer_mut("/design/ml_training_config")?.as_object_mut()?;
        // What remains says which families are asked for, and how.
        config.retain(|name, _| !["cv_folds", "seed"].contains(&name.as_str()));
        let job = json!({ "build_id": "job", "symbols": ["A"], "design": { "ml_training_config": config } });
        selection::select(&Job::parse(&job.to_string()).ok()?, &spec.plugins, &spec.refused).err()
    };
    match of_families() {
        Some(other) => Failure { message: format!("{}; {}", failure.message, other.message), ..failure },
        None => failure,
    }
}

/// The job's text; with the id that the worker knows it by where it has none of its own. A blank id is none.
fn identified(spec: &JobSpec) -> Cow<'_, str> {
    const IDS: [&str; 2] = ["job_id", "build_id"];
    let is_blank = |value: &Value| value.is_null() || value.as_str().is_some_and(|id| id.trim().is_empty());
    let Ok(Value::Object(mut fields)) = serde_json::from_str(&spec.payload) else {
        return Cow::Borrowed(&spec.payload);
    };
    if !IDS.iter().any(|id| fields.get(*id).is_some_and(is_blank)) && IDS.iter().any(|id| fields.contains_key(*id)) {
        return Cow::Borrowed(&spec.payload);
    }
    fields.retain(|name, value| !IDS.contains(&name.as_str()) || !is_blank(value));
    if !IDS.iter().any(|id| fields.contains_key(*id)) {
        fields.insert("build_id".to_owned(), spec.build_id.clone().into());
    }
    Value::Object(fields).to_string().into()
}

/// Writes models and report to where they are kept, and says in the report where. A job whose artifacts cannot be
/// written is a success without them.
fn keep(report: &mut Report, contents: &Contents, spec: &JobSpec) {
    let written_at = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string();
    let kept = Attempt::claim(&spec.artifacts, &spec.job_id).and_then(|attempt| {
        let folder = attempt.folder().display().to_string();
        report.run.insert("artifacts".to_owned(), folder.into());
        attempt.write(contents, report, &written_at)
    });
    if let Err(error) = kept {
        let reason = format!("{:#}", anyhow::Error::from(error));
        tracing::warn!("the job's artifacts are not kept: {reason}");
        report.run.insert("artifacts".to_owned(), Value::Null);
        report.run.insert("artifacts_reason".to_owned(), reason.into());
    }
}

/// Everything between a checked job and its report.
fn train(
    job: &Job,
    (spec, record): (&JobSpec, &Arc<Record>),
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<Output, Failure> {
    let selection = selection::select(job, &spec.plugins, &spec.refused)?;
    let open = |table: &FeatureTable| open_sessions(&selection, (&spec.setting, record), table);
    let source = spec.setting.bars.open();
    let inputs = Inputs {
        source: source.as_ref(),
        selection: &selection,
        open: &open,
        n_side_by_side: spec.setting.parallel_fits,
        n_families_at_once: capacity::families_at_once(&spec.setting),
        device: device(&spec.setting),
        progress,
    };
    pipeline::run(job, &inputs)
}

/// Where families work that the job names no device for.
fn device(setting: &Setting) -> &'static str {
    if setting.gpu_enabled { "auto" } else { "cpu" }
}

/// Starts a session a family and one for the rule extractor, all on one mapping of the table.
fn open_sessions(
    selection: &Selection,
    (setting, record): (&Setting, &Arc<Record>),
    table: &FeatureTable,
) -> Result<Opened<'static>, Failure> {
    let shared = SharedTable::write(table).map_err(|error| features::no_room(&error.into()))?;
    let shared = Arc::new(shared);
    let session = |chosen: &selection::Chosen| {
        let listener = logging_listener(&chosen.plugin.manifest.id);
        let gpu = chosen.may_use_gpu(device(setting)).then(|| way_to_gpu(&setting.gpu_lock)).flatten();
        let terms = Terms { gpu, limits: setting.limits, listener, record: Arc::clone(record) };
        Box::new(Session::new(chosen.plugin.clone(), Arc::clone(&shared), terms))
    };
    let miner = selection.extractor.as_ref().ok().map(session);
    Ok(Opened {
        fitters: selection.chosen.iter().map(|chosen| -> Box<dyn Fitter> { session(chosen) }).collect(),
        miner: miner.map(|miner| -> Box<dyn Miner> { miner }),
    })
}

/// A family whose way is barred goes without: two jobs on one GPU are slow, a job less is lost.
fn way_to_gpu(lock: &Path) -> Option<Gpu> {
    let barred = |error: &io::Error| {
        let path = lock.display();
        tracing::warn!("the GPU cannot be kept from other jobs: `{path}`: {error}; remove it, or set TMPDIR");
    };
    Gpu::at(lock).inspect_err(barred).ok()
}

/// Lines that one plugin may log in one job.
const MOST_LOG_LINES: usize = 5000;

/// Writes what a plugin tells beside its replies into the log.
pub(crate) fn logging_listener(plugin: &str) -> Listener {
    let (plugin, n_lines) = (plugin.to_owned(), AtomicUsize::new(0));
    Arc::new(move |event| match event {
        Event::Log { .. } if n_lines.fetch_add(1, Ordering::Relaxed) > MOST_LOG_LINES => {}
        Event::Log { .. } if n_lines.load(Ordering::Relaxed) > MOST_LOG_LINES => {
            tracing::warn!(plugin, "logs too much: its further lines are not in the log");
        }
        Event::Log { level: 1, message, .. } => tracing::error!(plugin, "{message}"),
        Event::Log { level: 2, message, .. } => tracing::warn!(plugin, "{message}"),
        Event::Log { level: 3, message, .. } => tracing::info!(plugin, "{message}"),
        Event::Log { level: 4, message, .. } => tracing::debug!(plugin, "{message}"),
        Event::Log { message, .. } => tracing::trace!(plugin, "{message}"),
        Event::Progress { fraction, message, .. } => tracing::debug!(plugin, fraction, "{message}"),
        Event::Metric { name, step, value, .. } => tracing::debug!(plugin, name, step, value, "metric"),
        Event::Reply { .. } | Event::Examining { .. } | Event::Found { .. } | Event::Unusable { .. } => {}
    })
}

fn succeeded(report: Report) -> Ending {
    match serde_json::to_value(&report) {
        Ok(result) => Ending { failure: None, result, plugins: Vec::new() },
        Err(error) => {
            let message = format!("the report cannot be written as JSON: {error}");
            let hint = "this is a fault of the worker: report it with the job";
            failed(&Failure::failed(Phase::Complete, "internal", message, hint), &report.build_id, Value::Null)
        }
    }
}

fn failed(failure: &Failure, build_id: &str, design_config: Value) -> Ending {
    Ending { failure: Some(failure.kind), result: failure.to_result(build_id, design_config), plugins: Vec::new() }
}

/// What differs between two runs of the same job.
fn run_block(spec: &JobSpec, clock: &Clock, report: &Report) -> Map<String, Value> {
    let uname = rustix::system::uname();
    let devices = report.models.iter().filter_map(|row| Some((row.name.as_str(), row.device.as_deref()?)));
    let used = |plugin: &&InstalledPlugin| report.provenance.plugins.iter().any(|used| used.sha256 == plugin.sha256);
    let generations = spec.plugins.iter().filter(used).map(|plugin| (plugin.manifest.id.as_str(), plugin.generation));
    let block = json!({
        "worker": spec.setting.worker,
        "host": uname.nodename().to_string_lossy(),
        "started_at": clock.started_at,
        "seconds": clock.total_s(),
        "seconds_by_phase": clock.by_phase(),
        "fits_side_by_side": spec.setting.parallel_fits,
        "gpu_enabled": spec.setting.gpu_enabled,
        "plugin_generations": generations.collect::<BTreeMap<_, _>>(),
        "devices": devices.collect::<BTreeMap<_, _>>(),
    });
    match block {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

/// When the job entered each phase.
struct Clock {
    started: Instant,
    started_at: String,
    entered: Mutex<Vec<(Phase, Instant)>>,
}

impl Clock {
    fn start() -> Self {
        let started_at = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S").to_string();
        Self { started: Instant::now(), started_at, entered: Mutex::default() }
    }

    fn note(&self, phase: Phase) {
        let mut entered = self.entered.lock().unwrap_or_else(PoisonError::into_inner);
        if entered.last().is_none_or(|(last, _)| *last != phase) {
            entered.push((phase, Instant::now()));
        }
    }

    fn by_phase(&self) -> Map<String, Value> {
        let entered = self.entered.lock().unwrap_or_else(PoisonError::into_inner);
        let ends = entered.iter().skip(1).map(|(_, at)| *at).chain([Instant::now()]);
        let spans = entered.iter().zip(ends);
        spans.map(|((phase, from), to)| (phase.name().to_owned(), millis(to - *from).into())).collect()
    }

    fn total_s(&self) -> f64 {
        millis(self.started.elapsed())
    }
}

/// Seconds to the millisecond.
fn millis(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e3).round() / 1e3
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::job::channel::ArtifactsPlace;
    use crate::plugins::limits::Limits;
    use crate::sources::BarsPlace;

    fn ids_of(payload: Value) -> (String, String) {
        let setting = Setting {
            bars: BarsPlace::Folder("/".into()),
            parallel_fits: 1,
            jobs_at_once: 1,
            gpu_enabled: false,
            gpu_lock: "/".into(),
            limits: Limits { memory_bytes: u64::MAX, silence: std::time::Duration::MAX },
            worker: "w".into(),
        };
        let (job_id, build_id) = ("known".to_owned(), "known".to_owned());
        let artifacts = ArtifactsPlace { dir: "/".into(), token: "1".to_owned() };
        let (plugins, refused) = (vec![], vec![]);
        let spec = JobSpec { job_id, build_id, payload: payload.to_string(), plugins, refused, setting, artifacts };
        let job = Job::parse(&identified(&spec)).unwrap();
        (job.id, job.build_id)
    }

    #[test]
    fn a_payload_without_an_id_goes_by_the_one_it_was_found_under() {
        let pair = |id: &str, build_id: &str| (id.to_owned(), build_id.to_owned());
        assert_eq!(ids_of(json!({"symbols": ["A"]})), pair("known", "known"));
        assert_eq!(ids_of(json!({"symbols": ["A"], "job_id": null})), pair("known", "known"));
        assert_eq!(ids_of(json!({"symbols": ["A"], "job_id": "", "build_id": "b"})), pair("b", "b"));
        assert_eq!(ids_of(json!({"symbols": ["A"], "job_id": "j", "build_id": "b"})), pair("j", "b"));
    }
}
