//! `run`: the fields of a result that differ between two runs of the same job.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

/// The fields of a result that may differ between two runs of the same job. All other bytes of two
/// results are equal if job, bars and plugins are equal.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct RunBlock {
    /// Id of the worker; `train` for the command of this name.
    pub worker: String,
    /// Host name of the machine.
    pub host: String,
    /// Start of the job in UTC, with whole seconds and without an offset.
    pub started_at: String,
    /// Duration of the job in seconds.
    pub seconds: f64,
    /// Seconds that the job spent in each phase, by the name of the phase.
    pub seconds_by_phase: BTreeMap<&'static str, f64>,
    /// Number of fits that ran in parallel.
    pub fits_side_by_side: usize,
    /// Whether families may use a GPU.
    pub gpu_enabled: bool,
    /// Generation of each plugin that the job used, by the plugin's id: the number of the build
    /// since the plugin was first installed on this worker.
    pub plugin_generations: BTreeMap<String, u32>,
    /// Device of each fitted family, by the family's name.
    pub devices: BTreeMap<String, String>,
    /// Folder of the artifacts on the worker's machine; null if they could not be written.
    pub artifacts: Option<String>,
    /// Reason why the artifacts could not be written; present only if `artifacts` is null.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub artifacts_reason: Option<String>,
}
