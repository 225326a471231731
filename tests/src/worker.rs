//! The real binary as a worker.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::{Redis, SOON, build, eventually, jobs, processes};

/// A running worker; killed when dropped, and its children with it.
pub struct Worker {
    process: Child,
    log: Arc<Mutex<Vec<String>>>,
    /// Working folder, home and place for artifacts.
    folder: TempDir,
}

impl Worker {
    /// Starts a worker and waits until it is ready. `settings` stand above the tests' own: two jobs at once, a lease of
    /// 2 s, the bars of [`jobs::bars`], the plugins of the build, and a backend that does not exist.
    ///
    /// # Panics
    /// When it does not become ready.
    pub fn start(redis: &Redis, settings: &[(&str, &str)]) -> Self {
        let worker = Self::launch(redis, settings);
        worker.wait_for_log("worker ready");
        worker
    }

    /// The same without waiting.
    pub fn launch(redis: &Redis, settings: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new(build::host());
        command.env_clear().current_dir(folder.path()).env("HOME", folder.path());
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("REDIS_URL", redis.url()).env("LEASE_SECONDS", "2").env("BACKEND_URL", "http://127.0.0.1:9");
        command.env("ARTIFACTS_DIR", folder.path().join("artifacts"));
        command.env("BARS_SOURCE", format!("dir:{}", jobs::bars().display())).env("PLUGINS_DIR", build::plugins());
        command.envs(settings.iter().copied()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let log = Arc::default();
        follow(process.stdout.take().unwrap(), Arc::clone(&log));
        follow(process.stderr.take().unwrap(), Arc::clone(&log));
        Self { process, log, folder }
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Where it keeps results that Redis cannot take.
    pub fn spool(&self) -> std::path::PathBuf {
        self.folder.path().join("artifacts/spool")
    }

    /// Where it keeps its copies of plugins, unless its settings say otherwise.
    pub fn plugins_state(&self) -> std::path::PathBuf {
        self.folder.path().join(".local/share/oculus-host/plugins")
    }

    /// All that it has logged.
    pub fn log(&self) -> String {
        self.log.lock().unwrap().join("\n")
    }

    /// What it has logged since a line, the first being 0.
    pub fn log_from(&self, line_idx: usize) -> Vec<String> {
        self.log.lock().unwrap()[line_idx..].to_vec()
    }

    /// Waits for a line of the log that contains `part`.
    pub fn wait_for_log(&self, part: &str) -> String {
        let found = || self.log.lock().unwrap().iter().find(|line| line.contains(part)).cloned();
        let deadline = std::time::Instant::now() + SOON;
        while std::time::Instant::now() < deadline {
            if let Some(line) = found() {
                return line;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        panic!("no `{part}` in the worker's log:\n{}", self.log());
    }

    /// Waits for a job's process to run and answers all processes of all jobs.
    pub fn wait_for_children(&self) -> Vec<u32> {
        eventually("child of the worker", SOON, || {
            Some(processes::descendants_of(self.pid())).filter(|pids| !pids.is_empty())
        })
    }

    /// Waits for a plugin process that has opened a library, and answers its id.
    pub fn wait_for_plugin(&self) -> u32 {
        let folder = self.plugins_state();
        eventually("plugin process", SOON, || {
            let plugins = processes::in_role(&processes::descendants_of(self.pid()), "plugin-process");
            plugins.into_iter().find(|pid| !processes::mapped_from(*pid, &folder).is_empty())
        })
    }

    /// Asks for the end, as service managers do.
    pub fn terminate(&self) {
        kill_process(Pid::from_raw(self.pid().cast_signed()).unwrap(), Signal::TERM).unwrap();
    }

    /// Kills the worker alone, at once.
    pub fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Waits for the end.
    pub fn wait_for_end(&mut self, limit: Duration) -> ExitStatus {
        eventually("end of the worker", limit, || self.process.try_wait().unwrap())
    }

    /// Whether it still runs.
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
            log.lock().unwrap().push(line);
        }
    });
}
