//! Child processes: the environment they get, what they print, and how they ended.
//!
//! In: the variables of this process, a child's stdout and stderr. Out: the child's variables, log
//! lines, the last lines of each pipe, and the cause of its end.
//! Invariant: a process may print without limit: no pipe fills up, and neither the log nor memory
//! grows with it.

mod environment;
mod exit;
mod flood;
mod output;

pub use self::environment::{child_environment, is_library_root};
pub use self::exit::{ExitCause, signal_name};
pub use self::flood::LogAllowance;
pub use self::output::{ChildOutput, KEPT_LINES, OutputLabel};
