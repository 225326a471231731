//! Holds off the idle sleep of the machine while jobs run.
//!
//! In: a [`Wakefulness`] per running job. Out: one process of a system tool, which holds off idle
//! sleep as long as it runs. On other systems than macOS, sleep is not held off. Closing the lid
//! still suspends a laptop; its jobs then continue when it wakes up.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use parking_lot::Mutex;

/// Starts the system tool while jobs run. Clones share the process.
#[derive(Clone)]
pub(super) struct SleepInhibitor {
    /// The program and its arguments; empty if sleep is not held off.
    command: Arc<[OsString]>,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    n_jobs: usize,
    process: Option<Child>,
}

/// A request to hold off idle sleep, which ends when the value is dropped.
pub(super) struct Wakefulness(SleepInhibitor);

impl SleepInhibitor {
    /// Creates the inhibitor of this system.
    ///
    /// * `is_enabled`: false if the machine may sleep while jobs run.
    pub(super) fn new(is_enabled: bool) -> Self {
        if is_enabled && cfg!(target_os = "macos") {
            // `-i` holds off idle sleep. With `-w`, the tool exits together with the worker, even
            // if the worker is killed.
            Self::with_command(["caffeinate", "-i", "-w", &std::process::id().to_string()])
        } else {
            Self::with_command([])
        }
    }

    fn with_command<const N: usize>(command: [&str; N]) -> Self {
        Self { command: command.iter().map(OsString::from).collect(), state: Arc::default() }
    }

    /// Holds off sleep until the returned value is dropped.
    pub(super) fn hold(&self) -> Wakefulness {
        let mut state = self.state.lock();
        state.n_jobs += 1;
        // A tool that has exited on its own is started again.
        let is_running = state.process.as_mut().is_some_and(|process| matches!(process.try_wait(), Ok(None)));
        if !is_running {
            state.process = self.spawn();
        }
        drop(state);
        Wakefulness(self.clone())
    }

    /// Starts the tool. A machine without it may sleep, which delays its jobs but loses none.
    fn spawn(&self) -> Option<Child> {
        let (program, arguments) = self.command.split_first()?;
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        // Ctrl-C in a terminal must not end the tool while jobs drain.
        command.process_group(0);
        command
            .spawn()
            .inspect_err(|error| {
                let program = program.to_string_lossy();
                tracing::warn!("cannot start `{program}`, so the machine may sleep while jobs run: {error}");
            })
            .ok()
    }
}

impl Drop for Wakefulness {
    fn drop(&mut self) {
        let mut state = self.0.state.lock();
        state.n_jobs -= 1;
        if state.n_jobs == 0
            && let Some(mut process) = state.process.take()
        {
            // An error means that the process has already exited.
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the process id of the running tool.
    fn running(inhibitor: &SleepInhibitor) -> Option<u32> {
        let mut state = inhibitor.state.lock();
        let process = state.process.as_mut()?;
        process.try_wait().unwrap().is_none().then(|| process.id())
    }

    #[test]
    fn the_tool_runs_once_from_the_first_job_to_the_end_of_the_last() {
        let inhibitor = SleepInhibitor::with_command(["sleep", "1000"]);
        let first = inhibitor.hold();
        let process = running(&inhibitor);
        assert!(process.is_some());
        let second = inhibitor.hold();
        drop(first);
        assert_eq!(running(&inhibitor), process);
        drop(second);
        assert_eq!(running(&inhibitor), None);
        let _third = inhibitor.hold();
        assert!(running(&inhibitor).is_some());
    }

    #[test]
    fn a_tool_that_has_exited_is_started_again_for_the_next_job() {
        let inhibitor = SleepInhibitor::with_command(["sleep", "1000"]);
        let _first = inhibitor.hold();
        let mut state = inhibitor.state.lock();
        state.process.as_mut().unwrap().kill().unwrap();
        state.process.as_mut().unwrap().wait().unwrap();
        drop(state);
        let _second = inhibitor.hold();
        assert!(running(&inhibitor).is_some());
    }

    #[test]
    fn a_missing_tool_and_a_disabled_inhibitor_do_not_stop_jobs() {
        for inhibitor in [SleepInhibitor::with_command(["/no/such/tool"]), SleepInhibitor::new(false)] {
            drop((inhibitor.hold(), inhibitor.hold()));
            assert_eq!(running(&inhibitor), None);
        }
    }
}
