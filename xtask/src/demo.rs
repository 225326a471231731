//! One real job through a private Redis and a worker, with live progress and the result.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::shell::root;
use crate::{cargo, plugins, setup};

/// Sets up, builds, and shows a job from queue to result.
pub fn run() -> Result<()> {
    setup::run()?;
    plugins::publish(&[])?;
    let host = cargo::built()?.join("oculus-host");
    let folder = Folder::make()?;
    let (port, _redis) = redis(&folder.0)?;
    let mut worker = worker(&host, port, &folder.0)?;
    eprintln!("demo: redis-server on port {port}, worker {}; now examples/job.json", worker.process.id());
    let started = Instant::now();
    let job = root().join("examples/job.json");
    let submit = host_command(&host, port, &folder.0).args(["submit", "--wait"]).arg(job).spawn();
    worker.outlive(submit.context("cannot start `oculus-host submit`")?)?;
    eprintln!("demo: from the queue to the result in {:.1} s", started.elapsed().as_secs_f64());
    Ok(())
}

/// A redis-server on a free port.
fn redis(folder: &Path) -> Result<(u16, Server)> {
    // Bound and let go: the port was free a moment ago.
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let mut command = Command::new("redis-server");
    command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--dir"]).arg(folder);
    Ok((port, Server::start("redis-server", &mut command, "Ready to accept connections")?))
}

fn worker(host: &Path, redis_port: u16, folder: &Path) -> Result<Server> {
    let mut command = host_command(host, redis_port, folder);
    command.arg("--plugins").arg(root().join("plugins")).arg("--bars").arg(root().join("examples/bars"));
    command.env("ARTIFACTS_DIR", folder.join("artifacts"));
    Server::start("the worker", &mut command, "worker ready")
}

/// The host with this demo's Redis and nothing of the user's own configuration: no variable, no `.env`, no backend.
fn host_command(host: &Path, redis_port: u16, folder: &Path) -> Command {
    let kept = std::env::vars_os().filter(|(name, _)| ["PATH", "HOME", "TERM"].iter().any(|kept| name == kept));
    let mut command = Command::new(host);
    command.env_clear().envs(kept).current_dir(folder);
    command.env("REDIS_URL", format!("redis://127.0.0.1:{redis_port}/0")).env("BACKEND_URL", "http://127.0.0.1:9");
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

/// A program in the background, its output kept; it ends with this value.
struct Server {
    name: &'static str,
    process: Child,
    log: Arc<Mutex<Vec<String>>>,
    /// Hears of the line that says it is ready, then of its end.
    news: mpsc::Receiver<News>,
    tell: mpsc::Sender<News>,
}

enum News {
    Ready,
    Ended,
    CommandEnded(std::io::Result<std::process::ExitStatus>),
}

impl Server {
    /// Starts it, and waits for the line that says it is ready.
    fn start(name: &'static str, command: &mut Command, ready: &'static str) -> Result<Self> {
        let spawned = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
        let mut process = spawned.with_context(|| format!("cannot start {name}"))?;
        let output = process.stdout.take().with_context(|| format!("{name} has no output"))?;
        let (tell, news) = mpsc::channel();
        let log = Arc::default();
        let server = Self { name, process, log: Arc::clone(&log), news, tell: tell.clone() };
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if line.contains(ready) {
                    let _ = tell.send(News::Ready);
                }
                log.lock().unwrap_or_else(PoisonError::into_inner).push(line);
            }
            let _ = tell.send(News::Ended);
        });
        match server.news.recv_timeout(Duration::from_secs(20)) {
            Ok(News::Ready) => Ok(server),
            _ => bail!("{name} did not start; {}", server.said()),
        }
    }

    /// Waits for a command that needs this server; fails as soon as one of the two does.
    fn outlive(&mut self, mut command: Child) -> Result<()> {
        let tell = self.tell.clone();
        std::thread::spawn(move || tell.send(News::CommandEnded(command.wait())));
        match self.news.recv() {
            Ok(News::CommandEnded(Ok(status))) if status.success() => Ok(()),
            Ok(News::CommandEnded(status)) => bail!("the job did not succeed ({status:?}); {}", self.said()),
            _ => bail!("{} ended; {}", self.name, self.said()),
        }
    }

    fn said(&self) -> String {
        let log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        format!("what {} said:\n{}", self.name, log.join("\n"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
