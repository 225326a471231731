//! Sentences of the product that tests recognise. Each is defined once, so that a reworded sentence
//! is changed only here.
//!
//! A fact that the product reports in machine-readable form (a code, a state, a field, an exit
//! code) does not belong here.

/// Log: a job process could not be started; logged once per outage.
pub const NO_JOB_PROCESS: &str = "no job process can be started";
/// Log: job processes start again after [`NO_JOB_PROCESS`].
pub const JOB_PROCESSES_AGAIN: &str = "job processes can be started again";
/// Log: the backend responded to a heartbeat with 404.
pub const WORKER_UNKNOWN: &str = "this worker is not registered with the backend";
/// Log: a plugin process has reached the limit of logged output.
pub const PRINTS_TOO_MUCH: &str = "prints too much for the log";
/// Log: the number of lines of a plugin process that are not in the log.
pub const LINES_NOT_LOGGED: &str = "more lines, which are not in the log";
/// Message of a progress event: a family's fit waits until another job releases the GPU.
pub const WAITS_FOR_GPU: &str = "waiting for the GPU";
/// Cause of the end of a process: it exited with code 0.
pub const EXIT_CODE_0: &str = "exit code 0";
/// Reason of a rejected library: it exports no type layout to compare.
pub const NO_TYPE_LAYOUT: &str = "exports no type layout";
/// Reason of a rejected library: its file is empty.
pub const EMPTY_FILE: &str = "is empty";
/// Reason of a rejected library: its manifest function failed.
pub const NO_MANIFEST: &str = "cannot return its manifest";
/// Reason of a rejected library: its models differ after saving and loading. It is a claim of
/// `oculus_plugin_api::conformance`.
pub const SAVED_MODEL_DIFFERS: &str = "a small model predicts the same after loading";
/// The text before the remedy, in output that shows a failure to people.
pub const REMEDY: &str = "hint: ";

/// Returns the part of a message that names a field of a job and the value found in it.
pub fn found(field: &str, value: &str) -> String {
    format!("{field}: found {value}")
}
