//! Runs a program in the background, and keeps its output for error messages.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use parking_lot::Mutex;

/// Maximum time until a server is ready.
const START_TIMEOUT: Duration = Duration::from_secs(20);

/// A program in the background. It is killed when this value is dropped.
pub(crate) struct Server {
    name: &'static str,
    process: Child,
    log: Arc<Mutex<Vec<String>>>,
    events: mpsc::Receiver<Event>,
    events_sender: mpsc::Sender<Event>,
}

/// An event of the server or its client, reported by the thread that watches it.
enum Event {
    /// The server printed its ready line.
    Ready,
    /// The server closed its output.
    ServerExited,
    /// The client process exited.
    ClientExited(std::io::Result<ExitStatus>),
}

impl Server {
    /// Starts the program and waits until it prints a line that contains `ready_text`.
    ///
    /// # Errors
    /// Returns an error if the program cannot be started, exits, or is not ready within 20 seconds.
    pub(crate) fn start(name: &'static str, command: &mut Command, ready_text: &'static str) -> Result<Self> {
        let spawned = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
        let mut process = spawned.with_context(|| format!("cannot start {name}"))?;
        let output = process.stdout.take().with_context(|| format!("the output of {name} is not piped"))?;
        let (events_sender, events) = mpsc::channel();
        let server = Self { name, process, log: Arc::default(), events, events_sender };
        server.watch_output(output, ready_text);
        match server.events.recv_timeout(START_TIMEOUT) {
            Ok(Event::Ready) => Ok(server),
            _ => bail!("{name} did not start; {}", server.log_text()),
        }
    }

    /// Returns the process id.
    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Waits until a client of this server has exited.
    ///
    /// # Errors
    /// Returns an error if the client fails or the server exits first.
    pub(crate) fn wait_for_client(&mut self, mut client: Child) -> Result<()> {
        let events = self.events_sender.clone();
        std::thread::spawn(move || events.send(Event::ClientExited(client.wait())));
        match self.events.recv() {
            Ok(Event::ClientExited(Ok(status))) if status.success() => Ok(()),
            Ok(Event::ClientExited(status)) => bail!("the job did not succeed ({status:?}); {}", self.log_text()),
            _ => bail!("{} exited; {}", self.name, self.log_text()),
        }
    }

    /// Starts a thread that collects the output of the server.
    fn watch_output(&self, output: ChildStdout, ready_text: &'static str) {
        // The output is always read, because a full pipe would block the server.
        let log = Arc::clone(&self.log);
        let events = self.events_sender.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if line.contains(ready_text) {
                    let _ = events.send(Event::Ready);
                }
                log.lock().push(line);
            }
            let _ = events.send(Event::ServerExited);
        });
    }

    fn log_text(&self) -> String {
        let log = self.log.lock();
        format!("output of {}:\n{}", self.name, log.join("\n"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        // Without this call a zombie process would remain until the task exits.
        let _ = self.process.wait();
    }
}
