//! Runs the real binary as a worker.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::log::LogEvent;
use crate::{Redis, SOON, build, command, eventually, processes};

/// A running worker. It is killed together with its children when dropped.
pub struct Worker {
    process: Child,
    log: Arc<Mutex<Vec<String>>>,
    /// The working folder and home of the worker, which also contains the artifacts folder.
    folder: TempDir,
}

impl Worker {
    /// Starts a worker and waits until it takes jobs.
    ///
    /// `settings` override the defaults of the tests: two concurrent jobs, a lease of 2 s, a JSON
    /// log, the bars of [`jobs::bars`](crate::jobs::bars), the plugins of the build, and a backend
    /// that does not exist.
    ///
    /// # Panics
    /// Panics if the worker does not become ready.
    pub fn start(redis: &Redis, settings: &[(&str, &str)]) -> Self {
        let worker = Self::launch(redis, settings);
        worker.wait_until_ready();
        worker
    }

    /// Waits until the worker takes jobs.
    ///
    /// # Panics
    /// Panics if the worker does not become ready.
    pub fn wait_until_ready(&self) {
        self.wait_for_event("ready worker", |event| event.has("queues") && event.has("concurrency"));
    }

    /// Starts a worker with the plugins of a folder and waits until it takes jobs.
    ///
    /// # Panics
    /// Panics if the worker does not become ready.
    pub fn start_with_plugins(redis: &Redis, plugins: &Path, settings: &[(&str, &str)]) -> Self {
        Self::start(redis, &[&[("PLUGINS_DIR", plugins.to_str().unwrap())], settings].concat())
    }

    /// Starts a worker at a Redis URL and waits until it takes jobs.
    ///
    /// # Panics
    /// Panics if the worker does not become ready.
    pub fn start_at(url: &str, settings: &[(&str, &str)]) -> Self {
        let worker = Self::launch_at(url, settings);
        worker.wait_until_ready();
        worker
    }

    /// Starts a worker without waiting until it is ready.
    pub fn launch(redis: &Redis, settings: &[(&str, &str)]) -> Self {
        Self::launch_at(&redis.url(), settings)
    }

    /// Starts a worker at a Redis URL without waiting until it is ready.
    pub fn launch_at(url: &str, settings: &[(&str, &str)]) -> Self {
        Self::launch_with(url, &[], settings)
    }

    /// Starts a worker with command-line flags, without waiting until it is ready.
    pub fn launch_with_flags(redis: &Redis, flags: &[&str], settings: &[(&str, &str)]) -> Self {
        Self::launch_with(&redis.url(), flags, settings)
    }

    fn launch_with(url: &str, flags: &[&str], settings: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let log = Arc::default();
        let process = spawn(url, folder.path(), flags, settings, &log);
        Self { process, log, folder }
    }

    /// Starts a new process at a Redis URL in the folder of this worker, whose process has
    /// terminated. The new process finds the spool of the old one. Does not wait until the worker
    /// is ready.
    pub fn relaunch_at(&mut self, url: &str, settings: &[(&str, &str)]) {
        self.process = spawn(url, self.folder.path(), &[], settings, &self.log);
    }

    /// Returns the process id.
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Returns the folder of results that wait for Redis.
    pub fn spool(&self) -> PathBuf {
        self.folder.path().join("artifacts/spool")
    }

    /// Returns the folder of the worker's copies of plugins, unless its settings name another.
    pub fn plugins_state(&self) -> PathBuf {
        self.folder.path().join(".local/share/oculus-host/plugins")
    }

    /// Returns the log as text.
    pub fn log(&self) -> String {
        self.log.lock().join("\n")
    }

    /// Returns the events of the log.
    pub fn events(&self) -> Vec<LogEvent> {
        self.events_from(0)
    }

    /// Returns the events of the log from a line index, which is counted from 0.
    pub fn events_from(&self, line_idx: usize) -> Vec<LogEvent> {
        self.log.lock()[line_idx..].iter().map(|line| LogEvent::parse(line)).collect()
    }

    /// Counts the events of the log that satisfy `condition`.
    pub fn n_events(&self, condition: impl Fn(&LogEvent) -> bool) -> usize {
        self.events().iter().filter(|event| condition(event)).count()
    }

    /// Waits for an event of the log that satisfies `condition`, and returns the first.
    ///
    /// * `description`: name of the event in the panic message.
    pub fn wait_for_event(&self, description: &str, condition: impl Fn(&LogEvent) -> bool) -> LogEvent {
        self.wait_for_events(description, 1, condition).remove(0)
    }

    /// Waits for at least `n` events of the log that satisfy `condition`, and returns all of them.
    ///
    /// * `description`: name of the events in the panic message.
    pub fn wait_for_events(&self, description: &str, n: usize, condition: impl Fn(&LogEvent) -> bool) -> Vec<LogEvent> {
        let mut found = Vec::new();
        let mut n_read = 0;
        eventually(description, SOON, || {
            let events = self.events_from(n_read);
            n_read += events.len();
            found.extend(events.into_iter().filter(|event| condition(event)));
            (found.len() >= n).then_some(())
        });
        found
    }

    /// Waits for an event whose message contains a text.
    pub fn wait_for_text(&self, text: &str) -> LogEvent {
        self.wait_for_event(text, |event| event.mentions(text))
    }

    /// Waits until the build with this hash is active as the given generation of its plugin.
    pub fn wait_until_active(&self, generation: u64, sha256: &str) {
        self.wait_for_event(&format!("generation {generation} of {sha256}"), |event| {
            event.is_activation_of(sha256) && event.number("generation") == Some(generation)
        });
    }

    /// Waits for a job process and returns all descendants of the worker.
    pub fn wait_for_children(&self) -> Vec<u32> {
        eventually("child of the worker", SOON, || {
            Some(processes::descendants_of(self.pid())).filter(|pids| !pids.is_empty())
        })
    }

    /// Waits for a plugin process that has opened a library, and returns its process id.
    pub fn wait_for_plugin(&self) -> u32 {
        let folder = self.plugins_state();
        eventually("plugin process", SOON, || {
            let plugins = processes::in_role(&processes::descendants_of(self.pid()), "plugin-process");
            plugins.into_iter().find(|pid| !processes::mapped_from(*pid, &folder).is_empty())
        })
    }

    /// Returns the working folder of the worker, in which it reads the file `.env`.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Sends SIGTERM, as service managers do.
    pub fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Sends SIGHUP, which makes the worker read its configuration again.
    pub fn reload(&self) {
        self.signal(Signal::HUP);
    }

    /// Sends SIGSTOP: the worker does not run until [`Worker::thaw`].
    pub fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    /// Sends SIGCONT.
    pub fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_raw(self.pid().cast_signed()).unwrap(), signal).unwrap();
    }

    /// Kills the worker process only.
    pub fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Waits until the worker has terminated.
    pub fn wait_for_end(&mut self, limit: Duration) -> ExitStatus {
        eventually("end of the worker", limit, || self.process.try_wait().unwrap())
    }

    /// Returns whether the worker is running.
    pub fn is_running(&self) -> bool {
        processes::is_running(self.pid())
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        if std::thread::panicking() {
            eprintln!("--- log of worker {}\n{}", self.pid(), self.log());
        }
    }
}

/// Starts a worker process at a Redis URL in `folder`; its output is appended to `log`.
fn spawn(url: &str, folder: &Path, flags: &[&str], settings: &[(&str, &str)], log: &Arc<Mutex<Vec<String>>>) -> Child {
    let mut command = command::isolated(Command::new(build::host()), folder);
    command.env("REDIS_URL", url).env("LEASE_SECONDS", "2").env("BACKEND_URL", "http://127.0.0.1:9");
    command.env("LOG_FORMAT", "json").env("ARTIFACTS_DIR", folder.join("artifacts"));
    command.args(flags).envs(settings.iter().copied());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = command.spawn().unwrap();
    follow(process.stdout.take().unwrap(), Arc::clone(log));
    follow(process.stderr.take().unwrap(), Arc::clone(log));
    process
}

/// Appends the lines of a pipe to the log, in a separate thread.
fn follow(pipe: impl std::io::Read + Send + 'static, log: Arc<Mutex<Vec<String>>>) {
    std::thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            log.lock().push(line);
        }
    });
}
