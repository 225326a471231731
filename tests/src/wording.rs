//! Sentences of the product that tests have to recognise, each in this one place: a sentence is rewritten here and in
//! the product, and no test changes.
//!
//! A fact that the product reports in a form for programs (a code, a state, a field, an exit code) does not belong here.

/// Log: the first job process that could not be started, until one can.
pub const NO_JOB_PROCESS: &str = "no job process can be started";
/// Log: the end of that.
pub const JOB_PROCESSES_AGAIN: &str = "job processes can be started again";
/// Log: the backend answered a heartbeat with 404.
pub const WORKER_UNKNOWN: &str = "the backend does not know this worker";
/// Log: a plugin process prints more than the log takes.
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
/// Why a library is refused: it failed when asked for its manifest.
pub const NO_MANIFEST: &str = "cannot say who it is";
/// Why a library is refused: its models differ once they are saved and loaded. A claim of `oculus_plugin_api::conformance`.
pub const SAVED_MODEL_DIFFERS: &str = "a small fit is the same after saving and loading";
/// Precedes the remedy of a failure in output for people.
pub const REMEDY: &str = "what to do: ";

/// How a message names a field of a job and the value found in it.
pub fn found(field: &str, value: &str) -> String {
    format!("{field}: found {value}")
}
