//! What the worker and a job process say to each other over the control channel, as JSON frames.

use oculus_job::code::ErrorCode;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::config::{BarsSource, JobsConfig};
use oculus_job::failure::{Failure, Kind};
use oculus_job::progress::{Phase, Progress};
use oculus_market_data::BarsPlace;
use oculus_plugin_host::discover::Refused;
use oculus_plugin_host::gpu;
use oculus_plugin_host::health::PluginHealth;
use oculus_plugin_host::installed::InstalledPlugin;
use oculus_plugin_host::limits::Limits;

/// The first and only message to a job process: everything its result depends on, and what it may use.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct JobSpec {
    /// The name under which the worker knows the job: its result's and progress channel's id.
    pub job_id: String,
    /// What the result echoes.
    pub build_id: String,
    /// The job's JSON as the backend wrote it.
    pub payload: String,
    /// The plugin generations that this job uses to its end.
    pub plugins: Vec<InstalledPlugin>,
    /// Libraries of the plugins folder that cannot be used; named where a family is missing.
    pub refused: Vec<Refused>,
    /// Where and with what the job runs.
    pub resources: JobResources,
    /// Where models and report are kept.
    pub artifacts: ArtifactsPlace,
}

/// Where one attempt keeps what stays of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ArtifactsPlace {
    /// Folder of all jobs.
    pub dir: PathBuf,
    /// The attempt's name: the token of its lease, or one for a job without a queue.
    pub token: String,
}

/// What a job may use of its machine.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct JobResources {
    /// Where bars come from.
    pub bars: BarsPlace,
    /// Fits side by side: cores divided by jobs at once, at least 1. Never changes a byte of the result.
    pub parallel_fits: usize,
    /// Jobs that share the machine's memory with this one, itself included.
    pub jobs_at_once: usize,
    /// Whether a GPU may be used.
    pub gpu_enabled: bool,
    /// The file that stands for the GPU: who has it locked has the GPU.
    pub gpu_lock: PathBuf,
    /// What each plugin process may use.
    pub limits: Limits,
    /// The worker's name, for the `run` block.
    pub worker: String,
}

impl JobResources {
    /// Returns the device of families for which the job names none.
    pub(crate) fn device(&self) -> &'static str {
        if self.gpu_enabled { "auto" } else { "cpu" }
    }

    /// What each of the configured number of jobs at once may use.
    ///
    /// * `worker`: the name for the `run` block.
    ///
    /// # Errors
    /// `bars_source_unavailable`, where no source of bars is configured, its folder is not there or its key is missing.
    pub(crate) fn from_config(jobs: &JobsConfig, worker: &str) -> Result<Self, Failure> {
        let bars = place_of_bars(jobs)?;
        let n_cores = std::thread::available_parallelism().map_or(1, usize::from);
        Ok(Self {
            bars,
            parallel_fits: (n_cores / jobs.concurrency).max(1),
            jobs_at_once: jobs.concurrency,
            gpu_enabled: jobs.gpu_enabled,
            gpu_lock: gpu::usual_path(),
            limits: jobs.plugins.limits,
            worker: worker.to_owned(),
        })
    }
}

/// Where bars come from, if that can be had.
fn place_of_bars(jobs: &JobsConfig) -> Result<BarsPlace, Failure> {
    let unavailable = |message: &str, hint: &str| {
        Err(Failure::failed(Phase::DataFetch, ErrorCode::BarsSourceUnavailable, message, hint).retryable())
    };
    match (&jobs.bars, &jobs.polygon) {
        (BarsSource::Dir(folder), _) if folder.is_dir() => Ok(BarsPlace::Folder(folder.clone())),
        (BarsSource::Dir(folder), _) => unavailable(
            &format!("the folder of bars `{}` is not there", folder.display()),
            "mount or make it, or name another by --bars DIR or BARS_SOURCE=dir:PATH",
        ),
        (BarsSource::Polygon, Some(polygon)) => Ok(BarsPlace::Polygon(polygon.clone())),
        (BarsSource::Polygon, None) => unavailable(
            "bars are to come from Polygon, and there is no key for it",
            "set POLYGON_API_KEY, or name a folder of bars by --bars DIR or BARS_SOURCE=dir:PATH",
        ),
        (BarsSource::Unset, _) => unavailable(
            "there is no source of bars",
            "set POLYGON_API_KEY, or name a folder with SYMBOL.csv or SYMBOL.parquet files by --bars DIR or \
             BARS_SOURCE=dir:PATH",
        ),
    }
}

/// What a job process says.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(crate) enum JobEvent {
    /// The work has come on.
    Progress(Progress),
    /// The end: the last message.
    Finished {
        /// `None` for success; else how it ended.
        failure: Option<Kind>,
        /// The result object, of a success as of a failure.
        result: Value,
        /// How the plugins fared that the job used.
        plugins: Vec<PluginHealth>,
    },
}
