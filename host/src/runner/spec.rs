//! The messages between the worker and a job process over the control channel, as JSON frames.

use std::path::PathBuf;
use std::sync::LazyLock;

use oculus_job::code::ErrorCode;
use oculus_job::error::{JobError, JobErrorKind};
use oculus_job::progress::{Phase, Progress};
use oculus_job::submission::{Submission, SubmissionHistory};
use oculus_market_data::SourceConfig;
use oculus_plugin_host::discover::RefusedLibrary;
use oculus_plugin_host::health::PluginHealth;
use oculus_plugin_host::installed::InstalledPlugin;
use oculus_plugin_host::limits::Limits;
use oculus_plugin_host::{device, gpu};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::artifacts::ArtifactsLocation;
use crate::config::{BarsSource, JobsConfig};

/// The only message to a job process: the job, the plugins and the resources that it may use.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct JobSpec {
    /// The job's id, as it appears in the keys of its result and its progress channel.
    pub job_id: String,
    /// The id that the result contains.
    pub build_id: String,
    /// The JSON text of the job, as the backend wrote it.
    pub payload: String,
    /// The plugin generations that this job uses, even if other generations become active
    /// meanwhile.
    pub plugins: Vec<InstalledPlugin>,
    /// The libraries of the plugins folder that cannot be used. If a family is missing, the failure
    /// of the job names these libraries.
    pub refused: Vec<RefusedLibrary>,
    /// The resources that the job may use.
    pub resources: JobResources,
    /// The location of the models and the report.
    pub artifacts: ArtifactsLocation,
    /// The earlier submissions of the job's user in its timeframe.
    pub history: SubmissionHistory,
}

/// The number of cores that this process may use. On Linux, finding it requires several files to be
/// read, so it is found only once.
static N_CORES: LazyLock<usize> = LazyLock::new(|| std::thread::available_parallelism().map_or(1, usize::from));

/// The resources of the machine that a job may use.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct JobResources {
    /// The source of bars.
    pub bars: SourceConfig,
    /// The number of fits in parallel: the cores divided by the number of concurrent jobs, but at
    /// least 1. It does not change the result outside the `run` block.
    pub parallel_fits: usize,
    /// The number of jobs that share the machine's memory, including this one.
    pub jobs_at_once: usize,
    /// True if the job may use a GPU.
    pub gpu_enabled: bool,
    /// The lock file of the GPU. Only the process that holds the lock may use the GPU.
    pub gpu_lock: PathBuf,
    /// The limits of each plugin process.
    pub limits: Limits,
    /// The file with the measured speeds of this machine.
    pub speeds: PathBuf,
    /// The id of the worker, for the `run` block.
    pub worker: String,
}

impl JobResources {
    /// Returns the device of a family for which the job names no device.
    pub(crate) fn device(&self) -> &'static str {
        if self.gpu_enabled { device::AUTO } else { device::CPU }
    }

    /// Returns the resources of one job. The cores are divided by the configured number of
    /// concurrent jobs.
    ///
    /// * `worker`: the id of the worker, for the `run` block.
    ///
    /// # Errors
    /// Returns `bars_source_unavailable` if no source of bars is configured, its folder does not
    /// exist, or its API key is missing.
    pub(crate) fn from_config(jobs: &JobsConfig, worker: &str) -> Result<Self, JobError> {
        let bars = bars_source(jobs)?;
        Ok(Self {
            bars,
            parallel_fits: (*N_CORES / jobs.concurrency).max(1),
            jobs_at_once: jobs.concurrency,
            gpu_enabled: jobs.gpu_enabled,
            gpu_lock: gpu::default_lock_path(),
            limits: jobs.plugins.limits,
            speeds: jobs.plugins.state_dir.join("speeds.json"),
            worker: worker.to_owned(),
        })
    }
}

/// Returns the configured source of bars. The source is checked for each job and not only at the
/// start of the worker, because a folder can be mounted later.
fn bars_source(jobs: &JobsConfig) -> Result<SourceConfig, JobError> {
    let unavailable = |message: &str, hint: &str| {
        Err(JobError::failed(Phase::DataFetch, ErrorCode::BarsSourceUnavailable, message, hint))
    };
    match (&jobs.bars, &jobs.polygon) {
        (BarsSource::Dir(folder), _) if folder.is_dir() => Ok(SourceConfig::Folder(folder.clone())),
        (BarsSource::Dir(folder), _) => unavailable(
            &format!("the folder of bars `{}` does not exist", folder.display()),
            "mount or create it, or set another folder with --bars DIR or BARS_SOURCE=dir:PATH",
        ),
        (BarsSource::Polygon, Some(polygon)) => Ok(SourceConfig::Polygon(polygon.clone())),
        (BarsSource::Polygon, None) => unavailable(
            "BARS_SOURCE is `polygon`, but POLYGON_API_KEY is not set",
            "set POLYGON_API_KEY, or set a folder of bars with --bars DIR or BARS_SOURCE=dir:PATH",
        ),
        (BarsSource::Unset, _) => unavailable(
            "no source of bars is configured",
            "set POLYGON_API_KEY, or set a folder with SYMBOL.csv or SYMBOL.parquet files with --bars DIR or \
             BARS_SOURCE=dir:PATH",
        ),
    }
}

/// A message from a job process to the worker.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(crate) enum JobEvent {
    /// The job has made progress.
    Progress(Progress),
    /// The job has finished. This is the last message.
    Finished {
        /// The kind of failure; `None` for a success.
        failure: Option<JobErrorKind>,
        /// The result object of the success or the failure.
        result: Value,
        /// The health of the plugins that the job used.
        plugins: Vec<PluginHealth>,
        /// The test of the job's design, for the ledger of submissions; `None` for a failure.
        submission: Option<Submission>,
    },
}
