//! Child processes: their environment variables, their output, and the cause of their exit.
//!
//! In: the variables of this process, and the stdout and stderr of a child. Out: the variables of
//! the child, log lines, the last lines of each pipe, and the exit cause.
//! Invariant: a process may print without limit. Its pipes never fill up, and the log and memory
//! stay bounded.

mod environment;
mod exit;
mod log_allowance;
mod output;

pub use self::environment::{child_environment, is_library_root};
pub use self::exit::{ExitCause, signal_name};
pub use self::log_allowance::LogAllowance;
pub use self::output::{ChildOutput, KEPT_LINES, OutputLabel};
