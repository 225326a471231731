//! Runs one real job through a private Redis and a worker, and shows its progress and result.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result};

use crate::capture::Capture;
use crate::server::Server;
use crate::shell::root;
use crate::{cargo, plugins, setup};

/// Sets up the tools, builds the workspace, and runs a job from the queue to its result.
///
/// * `picture`: the SVG file into which the output of the command is drawn.
pub(crate) fn run(picture: Option<&Path>) -> Result<()> {
    setup::run()?;
    plugins::publish(&[])?;
    let host = cargo::build_dir()?.join("oculus-host");
    let folder = DemoFolder::create()?;
    let (redis_port, _redis) = start_redis(&folder.0)?;
    let mut worker = start_worker(&host, redis_port, &folder.0)?;
    eprintln!("demo: redis-server on port {redis_port}, worker {}; submitting examples/job.json", worker.id());
    let started = Instant::now();
    let mut submit = host_command(&host, redis_port, &folder.0);
    submit.args(["submit", "--wait"]).arg(root().join("examples/job.json"));
    let capture = picture.map(|_| Capture::new(&mut submit, &folder.0)).transpose()?;
    worker.wait_for_client(submit.spawn().context("cannot start `oculus-host submit`")?)?;
    eprintln!("demo: {:.1} s from submission to result", started.elapsed().as_secs_f64());
    if let (Some(picture), Some(capture)) = (picture, capture) {
        capture.write("oculus-host submit examples/job.json --wait", picture)?;
    }
    Ok(())
}

/// Starts a redis-server on a free port. Returns the port and the server.
fn start_redis(folder: &Path) -> Result<(u16, Server)> {
    // The listener is dropped immediately, so that redis-server can bind the port that the system
    // chose.
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let mut command = Command::new("redis-server");
    command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--dir"]).arg(folder);
    Ok((port, Server::start("redis-server", &mut command, "Ready to accept connections")?))
}

fn start_worker(host: &Path, redis_port: u16, folder: &Path) -> Result<Server> {
    let mut command = host_command(host, redis_port, folder);
    command.arg("--plugins").arg(root().join("plugins")).arg("--bars").arg(root().join("examples/bars"));
    command.env("ARTIFACTS_DIR", folder.join("artifacts"));
    Server::start("the worker", &mut command, "worker ready")
}

/// Returns a command that runs oculus-host with the demo's Redis.
///
/// The command ignores the user's configuration: it inherits no settings, reads no `.env` file in
/// the demo's folder, and contacts no backend.
fn host_command(host: &Path, redis_port: u16, folder: &Path) -> Command {
    let inherited = std::env::vars_os().filter(|(name, _)| ["PATH", "HOME", "TERM"].iter().any(|kept| name == kept));
    let mut command = Command::new(host);
    command.env_clear().envs(inherited).current_dir(folder);
    // Nothing listens on port 9 (discard), so the demo's worker reaches no real backend.
    command.env("REDIS_URL", format!("redis://127.0.0.1:{redis_port}/0")).env("BACKEND_URL", "http://127.0.0.1:9");
    command
}

/// A temporary folder that is removed when the demo ends.
struct DemoFolder(PathBuf);

impl DemoFolder {
    fn create() -> Result<Self> {
        let path = std::env::temp_dir().join(format!("oculus-demo-{}", std::process::id()));
        fs::create_dir_all(&path).with_context(|| format!("cannot create {}", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for DemoFolder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
