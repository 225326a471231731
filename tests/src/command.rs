//! Runs the real binary to completion, as a user does.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

use crate::log::LogEvent;
use crate::{build, jobs};

/// The output and the exit code of a finished command.
#[derive(Clone, Debug)]
pub struct CommandOutput {
    /// The exit code.
    pub code: i32,
    /// Standard output, which contains the result.
    pub stdout: String,
    /// Standard error, which contains log and progress.
    pub stderr: String,
}

/// Runs the binary in an empty folder. `settings` override the defaults of the tests: the bars of
/// [`jobs::bars`] and the plugins of the build.
///
/// # Panics
/// Panics if a signal terminated it.
pub fn run(arguments: &[&str], settings: &[(&str, &str)]) -> CommandOutput {
    run_in(&tempfile::tempdir().unwrap(), arguments, settings)
}

/// Runs a command that takes a job file: `train` or `submit`, followed by its flags.
///
/// # Panics
/// Panics if a signal terminated it.
pub fn run_on(job: &Value, arguments: &[&str], settings: &[(&str, &str)]) -> CommandOutput {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("job.json"), job.to_string()).unwrap();
    run_in(&folder, &[&arguments[..1], &["job.json"], &arguments[1..]].concat(), settings)
}

/// Trains a job in the foreground and returns its result.
///
/// # Panics
/// Panics if the job does not succeed.
pub fn train(job: &Value, settings: &[(&str, &str)]) -> Value {
    let output = run_on(job, &["train", "--json"], settings);
    assert_eq!(output.code, 0, "{output:?}");
    output.json()
}

/// Trains a job in the foreground on the bars of a folder and returns its result.
///
/// # Panics
/// Panics if the job does not succeed.
pub fn train_on(bars: &Path, job: &Value) -> Value {
    train(job, &[("BARS_SOURCE", &format!("dir:{}", bars.display()))])
}

impl CommandOutput {
    /// Parses stdout as one JSON value.
    ///
    /// # Panics
    /// Panics if stdout is not JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }

    /// Returns the log on stderr of a command that was run with `LOG_FORMAT=json`.
    pub fn events(&self) -> Vec<LogEvent> {
        self.stderr.lines().map(LogEvent::parse).collect()
    }

    /// Returns the warnings of that log.
    pub fn warnings(&self) -> Vec<LogEvent> {
        self.events().into_iter().filter(|event| event.level() == "WARN").collect()
    }
}

/// Sets a command's working folder and home to `folder`. Its environment contains only `HOME`,
/// `PATH`, the bars of [`jobs::bars`] and the plugins of the build.
pub fn isolated(mut command: Command, folder: &Path) -> Command {
    command.env_clear().current_dir(folder).env("HOME", folder);
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.env("BARS_SOURCE", format!("dir:{}", jobs::bars().display())).env("PLUGINS_DIR", build::plugins());
    command
}

fn run_in(folder: &TempDir, arguments: &[&str], settings: &[(&str, &str)]) -> CommandOutput {
    let mut command = isolated(Command::new(build::host()), folder.path());
    command.envs(settings.iter().copied()).args(arguments);
    let Output { status, stdout, stderr } = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let stdout = text(stdout);
    let stderr = text(stderr);
    let code = status.code().unwrap_or_else(|| panic!("{arguments:?} was terminated by {status}: {stderr}"));
    CommandOutput { code, stdout, stderr }
}
