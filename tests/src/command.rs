//! The real binary run to its end, as a user runs it.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

use crate::log::LogEvent;
use crate::{build, jobs};

/// What a command said and how it ended.
#[derive(Clone, Debug)]
pub struct Said {
    /// The exit code.
    pub code: i32,
    /// Its answer.
    pub stdout: String,
    /// Its log and its progress.
    pub stderr: String,
}

/// Runs the binary in an empty folder. `settings` stand above the tests' own: the bars of [`jobs::bars`] and the plugins
/// of the build.
///
/// # Panics
/// When a signal ended it.
pub fn run(arguments: &[&str], settings: &[(&str, &str)]) -> Said {
    run_in(&tempfile::tempdir().unwrap(), arguments, settings)
}

/// Runs a command that takes a job's file: `train` or `submit`, its flags after it.
///
/// # Panics
/// When a signal ended it.
pub fn run_on(job: &Value, arguments: &[&str], settings: &[(&str, &str)]) -> Said {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("job.json"), job.to_string()).unwrap();
    run_in(&folder, &[&arguments[..1], &["job.json"], &arguments[1..]].concat(), settings)
}

/// The result of a job that is trained in the foreground.
///
/// # Panics
/// When the job does not succeed.
pub fn train(job: &Value, settings: &[(&str, &str)]) -> Value {
    let said = run_on(job, &["train", "--json"], settings);
    assert_eq!(said.code, 0, "{said:?}");
    said.json()
}

/// The same on bars of the test's own.
///
/// # Panics
/// When the job does not succeed.
pub fn train_on(bars: &Path, job: &Value) -> Value {
    train(job, &[("BARS_SOURCE", &format!("dir:{}", bars.display()))])
}

impl Said {
    /// The object on stdout.
    ///
    /// # Panics
    /// When there is anything else.
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

/// Makes a program run in a folder of its own, with an environment of nothing but that folder, `PATH`, the bars of
/// [`jobs::bars`] and the plugins of the build.
pub fn isolated(mut command: Command, folder: &Path) -> Command {
    command.env_clear().current_dir(folder).env("HOME", folder);
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.env("BARS_SOURCE", format!("dir:{}", jobs::bars().display())).env("PLUGINS_DIR", build::plugins());
    command
}

fn run_in(folder: &TempDir, arguments: &[&str], settings: &[(&str, &str)]) -> Said {
    let mut command = isolated(Command::new(build::host()), folder.path());
    command.envs(settings.iter().copied()).args(arguments);
    let Output { status, stdout, stderr } = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let (stdout, stderr) = (text(stdout), text(stderr));
    let code = status.code().unwrap_or_else(|| panic!("{arguments:?} ended by {status}: {stderr}"));
    Said { code, stdout, stderr }
}
