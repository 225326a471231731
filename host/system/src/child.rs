//! What a child process prints, and how it ended.
//!
//! In: its stdout and stderr. Out: log lines, the last lines of each, and the cause of its end. A process may print as much
//! as it likes: no pipe fills up, and neither the log nor memory grows with it.

mod exit;
mod flood;
mod output;

pub use self::exit::{ExitCause, signal_name};
pub use self::flood::LogAllowance;
pub use self::output::{ChildOutput, KEPT_LINES, OutputLabel};
