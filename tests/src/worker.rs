//! The real binary run as a worker.

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

/// A running worker; killed when dropped, and its children with it.
pub struct Worker {
    process: Child,
    log: Arc<Mutex<Vec<String>>>,
    /// Working folder, home and parent of the artifacts folder.
    folder: TempDir,
}

impl Worker {
    /// Starts a worker and waits until it takes jobs. `settings` override the tests' own: two jobs
    /// at once, a lease of 2 s, a JSON log, the bars of [`jobs::bars`](crate::jobs::bars), the
    /// plugins of the build, and a backend that does not exist.
    ///
    /// # Panics
    /// When it does not become ready.
    pub fn start(redis: &Redis, settings: &[(&str, &str)]) -> Self {
        let worker = Self::launch(redis, settings);
        worker.wait_for_event("ready worker", |event| event.has("queues") && event.has("concurrency"));
        worker
    }

    /// Starts a worker with the plugins of a folder and waits until it takes jobs.
    ///
    /// # Panics
    /// When it does not become ready.
    pub fn start_with_plugins(redis: &Redis, plugins: &Path, settings: &[(&str, &str)]) -> Self {
        Self::start(redis, &[&[("PLUGINS_DIR", plugins.to_str().unwrap())], settings].concat())
    }

    /// Starts a worker without waiting.
    pub fn launch(redis: &Redis, settings: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut command = command::isolated(Command::new(build::host()), folder.path());
        command.env("REDIS_URL", redis.url()).env("LEASE_SECONDS", "2").env("BACKEND_URL", "http://127.0.0.1:9");
        command.env("LOG_FORMAT", "json").env("ARTIFACTS_DIR", folder.path().join("artifacts"));
        command.envs(settings.iter().copied()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let log = Arc::default();
        follow(process.stdout.take().unwrap(), Arc::clone(&log));
        follow(process.stderr.take().unwrap(), Arc::clone(&log));
        Self { process, log, folder }
    }

    /// Returns the process id.
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Returns the folder of results that wait for Redis.
    pub fn spool(&self) -> PathBuf {
        self.folder.path().join("artifacts/spool")
    }

    /// Returns the folder of its copies of plugins, unless its settings name another.
    pub fn plugins_state(&self) -> PathBuf {
        self.folder.path().join(".local/share/oculus-host/plugins")
    }

    /// Returns the log as it was written.
    pub fn log(&self) -> String {
        self.log.lock().join("\n")
    }

    /// Returns the events of the log.
    pub fn events(&self) -> Vec<LogEvent> {
        self.events_from(0)
    }

    /// Returns the events of the log from a line on, the first being 0.
    pub fn events_from(&self, line_idx: usize) -> Vec<LogEvent> {
        self.log.lock()[line_idx..].iter().map(|line| LogEvent::parse(line)).collect()
    }

    /// Returns how many events of the log satisfy `is_such`.
    pub fn n_events(&self, is_such: impl Fn(&LogEvent) -> bool) -> usize {
        self.events().iter().filter(|event| is_such(event)).count()
    }

    /// Waits for an event of the log and returns the first.
    ///
    /// * `what`: names the event in the panic message.
    pub fn wait_for_event(&self, what: &str, is_such: impl Fn(&LogEvent) -> bool) -> LogEvent {
        self.wait_for_events(what, 1, is_such).remove(0)
    }

    /// Waits for `n` such events of the log, and returns all there are.
    pub fn wait_for_events(&self, what: &str, n: usize, is_such: impl Fn(&LogEvent) -> bool) -> Vec<LogEvent> {
        let mut found = Vec::new();
        let mut n_read = 0;
        eventually(what, SOON, || {
            let events = self.events_from(n_read);
            n_read += events.len();
            found.extend(events.into_iter().filter(|event| is_such(event)));
            (found.len() >= n).then_some(())
        });
        found
    }

    /// Waits for an event whose message contains a text that the test or its plugin has chosen.
    pub fn wait_for_text(&self, text: &str) -> LogEvent {
        self.wait_for_event(text, |event| event.mentions(text))
    }

    /// Waits until a content is active as a generation of its plugin.
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

    /// Sends SIGTERM, as service managers do.
    pub fn terminate(&self) {
        kill_process(Pid::from_raw(self.pid().cast_signed()).unwrap(), Signal::TERM).unwrap();
    }

    /// Kills the worker process only.
    pub fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Waits until the worker has ended.
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

fn follow(pipe: impl std::io::Read + Send + 'static, log: Arc<Mutex<Vec<String>>>) {
    std::thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            log.lock().push(line);
        }
    });
}
