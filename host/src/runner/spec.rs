//! The messages between the worker and a job process over the control channel, as JSON frames.

use std::path::PathBuf;

use oculus_job::code::ErrorCode;
use oculus_job::failure::{Failure, Kind};
use oculus_job::progress::{Phase, Progress};
use oculus_market_data::BarsPlace;
use oculus_plugin_host::discover::Refused;
use oculus_plugin_host::health::PluginHealth;
use oculus_plugin_host::installed::InstalledPlugin;
use oculus_plugin_host::limits::Limits;
use oculus_plugin_host::{device, gpu};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::artifacts::ArtifactsPlace;
use crate::config::{BarsSource, JobsConfig};

/// The only message to a job process: everything that its result depends on, and what it may use.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct JobSpec {
    /// The job's id in the keys of its result and of its progress channel.
    pub job_id: String,
    /// The id that the result contains.
    pub build_id: String,
    /// The job's JSON as the backend wrote it.
    pub payload: String,
    /// The plugin generations that this job uses to its end.
    pub plugins: Vec<InstalledPlugin>,
    /// Libraries of the plugins folder that cannot be used; named in the failure of a missing family.
    pub refused: Vec<Refused>,
    /// The resources that the job may use.
    pub resources: JobResources,
    /// Where models and report are written.
    pub artifacts: ArtifactsPlace,
}

/// What a job may use of its machine.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct JobResources {
    /// Where bars come from.
    pub bars: BarsPlace,
    /// The number of fits in parallel: cores divided by concurrent jobs, at least 1. Never changes
    /// a byte of the result.
    pub parallel_fits: usize,
    /// The number of jobs that share the machine's memory, this one included.
    pub jobs_at_once: usize,
    /// Whether a GPU may be used.
    pub gpu_enabled: bool,
    /// The lock file of the GPU: the process that holds its lock may use the GPU.
    pub gpu_lock: PathBuf,
    /// What each plugin process may use.
    pub limits: Limits,
    /// The worker's name, for the `run` block.
    pub worker: String,
}

impl JobResources {
    /// Returns the device of families for which the job names none.
    pub(crate) fn device(&self) -> &'static str {
        if self.gpu_enabled { device::AUTO } else { device::CPU }
    }

    /// Returns the resources of each of the configured number of concurrent jobs.
    ///
    /// * `worker`: the name for the `run` block.
    ///
    /// # Errors
    /// `bars_source_unavailable`: no source of bars is configured, its folder does not exist, or its key is missing.
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

/// Returns the configured source of bars.
fn place_of_bars(jobs: &JobsConfig) -> Result<BarsPlace, Failure> {
    let unavailable = |message: &str, hint: &str| {
        Err(Failure::failed(Phase::DataFetch, ErrorCode::BarsSourceUnavailable, message, hint))
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

/// A message of a job process.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(crate) enum JobEvent {
    /// The job has progressed.
    Progress(Progress),
    /// The last message: the job has ended.
    Finished {
        /// The kind of failure; `None` for a success.
        failure: Option<Kind>,
        /// The result object, of a success or of a failure.
        result: Value,
        /// The health of the plugins that the job used.
        plugins: Vec<PluginHealth>,
    },
}
