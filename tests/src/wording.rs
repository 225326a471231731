//! Sentences of the product that tests recognise, each in one place: a reworded sentence changes
//! here, and no test does.
//!
//! A fact that the product reports in machine-readable form (a code, a state, a field, an exit
//! code) does not belong here.

/// Log: a job process could not be started; logged once per outage.
pub const NO_JOB_PROCESS: &str = "no job process can be started";
/// Log: job processes start again after [`NO_JOB_PROCESS`].
pub const JOB_PROCESSES_AGAIN: &str = "job processes can be started again";
/// Log: the backend answered a heartbeat with 404.
pub const WORKER_UNKNOWN: &str = "this worker is not registered with the backend";
/// Log: a plugin process has reached the limit of logged output.
pub const PRINTS_TOO_MUCH: &str = "prints too much for the log";
/// Log: how many lines of a plugin process are not in the log.
pub const LINES_NOT_LOGGED: &str = "more lines, which are not in the log";
/// Message of a progress event: a family's fit waits until another job releases the GPU.
pub const WAITS_FOR_GPU: &str = "waiting for the GPU";
/// Why a process ended: it exited with code 0.
pub const EXIT_CODE_0: &str = "exit code 0";
/// Why a library is refused: it has no type layout to compare.
pub const NO_TYPE_LAYOUT: &str = "exports no type layout";
/// Why a library is refused: its file has no bytes.
pub const EMPTY_FILE: &str = "is empty";
/// Why a library is refused: its manifest function failed.
pub const NO_MANIFEST: &str = "cannot say who it is";
/// Why a library is refused: its models differ after saving and loading. A claim of `oculus_plugin_api::conformance`.
pub const SAVED_MODEL_DIFFERS: &str = "a small fit is the same after saving and loading";
/// Precedes the remedy of a failure in output for people.
pub const REMEDY: &str = "what to do: ";

/// How a message names a field of a job and the value found in it.
pub fn found(field: &str, value: &str) -> String {
    format!("{field}: found {value}")
}
