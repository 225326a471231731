//! One real job through a private Redis and a worker, with live progress and the result.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::shell::{root, run as run_command};
use crate::{cargo, plugins, setup};

/// Sets up, builds, and shows a job from queue to result.
pub fn run() -> Result<()> {
    setup::run()?;
    plugins::publish(&[])?;
    let host = cargo::built()?.join("oculus-host");
    let folder = Folder::make()?;
    let redis = Redis::start(&folder.0)?;
    let worker = Worker::start(&host, &redis, &folder.0)?;
    eprintln!("demo: redis-server on port {}, worker {}; now examples/job.json", redis.port, worker.process.id());
    let started = Instant::now();
    let mut submit = host_command(&host, &redis);
    if let Err(error) = run_command(submit.args(["submit", "--wait", "examples/job.json"])) {
        eprintln!("demo: what the worker logged:\n{}", fs::read_to_string(&worker.log).unwrap_or_default());
        return Err(error);
    }
    eprintln!("demo: from the queue to the result in {:.1} s", started.elapsed().as_secs_f64());
    Ok(())
}

/// The host with this demo's Redis, and nothing of the user's own configuration.
fn host_command(host: &Path, redis: &Redis) -> Command {
    let mut command = Command::new(host);
    command.current_dir(root()).env("REDIS_URL", format!("redis://127.0.0.1:{}/0", redis.port));
    command
}

/// A folder that goes with the demo.
struct Folder(PathBuf);

impl Folder {
    fn make() -> Result<Self> {
        let path = std::env::temp_dir().join(format!("oculus-demo-{}", std::process::id()));
        fs::create_dir_all(&path).with_context(|| format!("cannot make {}", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A redis-server of the demo's own; it ends with this value.
struct Redis {
    server: Child,
    port: u16,
}

impl Redis {
    fn start(folder: &Path) -> Result<Self> {
        // Bound and let go: the port was free a moment ago.
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let mut command = Command::new("redis-server");
        command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--dir"]).arg(folder);
        let server = command.stdout(Stdio::piped()).spawn().context("cannot start redis-server")?;
        let mut redis = Self { server, port };
        let log = redis.server.stdout.take().context("redis-server has no output")?;
        wait_for_line(log, "Ready to accept connections").context("redis-server did not start")?;
        Ok(redis)
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// A worker of the demo's own; it ends with this value.
struct Worker {
    process: Child,
    log: PathBuf,
}

impl Worker {
    fn start(host: &Path, redis: &Redis, folder: &Path) -> Result<Self> {
        let log = folder.join("worker.log");
        let mut command = host_command(host, redis);
        command
            .args(["--plugins", "./plugins", "--bars", "examples/bars"])
            .env("ARTIFACTS_DIR", folder.join("artifacts"));
        let file = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
        let process = command.stdout(file.try_clone()?).stderr(file).spawn().context("cannot start the worker")?;
        Ok(Self { process, log })
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Reads to a line that holds `text`, and lets a thread swallow the rest.
fn wait_for_line(log: impl std::io::Read + Send + 'static, text: &'static str) -> Result<()> {
    let (found, seen) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(log).lines().map_while(Result::ok) {
            if line.contains(text) {
                let _ = found.send(());
            }
        }
    });
    match seen.recv_timeout(Duration::from_secs(20)) {
        Ok(()) => Ok(()),
        Err(_) => bail!("no line with {text:?} within 20 s"),
    }
}
