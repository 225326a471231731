//! A redis-server for one test, on a socket in its own folder.

use std::ffi::OsString;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};

use redis::{Connection, FromRedisValue};
use serde_json::Value;
use tempfile::TempDir;

use crate::{SOON, eventually};

/// The list that workers take entries from by default.
pub const QUEUE: &str = "oculus:training_queue";
/// The list of the queue's dead letters.
pub const DEAD: &str = "{oculus:training_queue}:dead";
/// The sorted set of the queue's leases, by token.
pub const LEASES: &str = "{oculus:training_queue}:leases";

/// A running redis-server; killed when dropped.
pub struct Redis {
    folder: TempDir,
    server: Child,
    persistence: Persistence,
    /// The TCP port, or 0 if the server listens only on its socket.
    port: u16,
    /// Further options of the command line.
    options: Vec<String>,
}

/// The persistence of a server's data.
#[derive(Clone, Copy)]
enum Persistence {
    /// Every write is persisted.
    AppendOnlyFile,
    /// Only the state at the last [`Redis::save`] is persisted.
    Snapshot,
}

impl Redis {
    /// Starts an empty server.
    ///
    /// # Panics
    /// Panics if redis-server is not installed or does not start.
    pub fn start() -> Self {
        Self::start_with(Persistence::AppendOnlyFile, 0, &[])
    }

    /// Starts an empty server that also listens on a TCP port.
    ///
    /// * `options`: further options of redis-server, such as `--requirepass`.
    ///
    /// # Panics
    /// Panics if redis-server is not installed or does not start.
    pub fn start_on_tcp(options: &[&str]) -> Self {
        Self::start_on_port(free_port(), options)
    }

    /// Starts an empty server that also listens on a given TCP port; 0 for none.
    ///
    /// * `options`: further options of redis-server.
    ///
    /// # Panics
    /// Panics if redis-server is not installed or does not start.
    pub fn start_on_port(port: u16, options: &[&str]) -> Self {
        Self::start_with(Persistence::AppendOnlyFile, port, options)
    }

    /// Starts an empty server that persists only the snapshots of [`Redis::save`].
    ///
    /// # Panics
    /// Panics if redis-server is not installed or does not start.
    pub fn start_with_snapshots() -> Self {
        Self::start_with(Persistence::Snapshot, 0, &[])
    }

    fn start_with(persistence: Persistence, port: u16, options: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = options.iter().map(|option| (*option).to_owned()).collect();
        let server = launch(&folder, persistence, port, &options);
        let redis = Self { folder, server, persistence, port, options };
        redis.wait_until_up();
        redis
    }

    /// Stops the server with SIGTERM; its data stay on disk.
    pub fn stop(&mut self) {
        let pid = rustix::process::Pid::from_raw(self.server.id().cast_signed()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        self.server.wait().unwrap();
    }

    /// Writes a snapshot of the data to disk.
    pub fn save(&self) {
        let () = self.query(&["SAVE"]);
    }

    /// Kills the server. Data that are not persisted are lost.
    pub fn kill(&mut self) {
        self.server.kill().unwrap();
        self.server.wait().unwrap();
    }

    /// Kills the server and restarts it with its persisted data.
    pub fn crash_and_recover(&mut self) {
        self.kill();
        self.restart();
    }

    /// Restarts the killed server with the data of a snapshot, a copy of a file that
    /// [`Redis::save`] wrote. From then on, the server appends every write to a new append-only file.
    ///
    /// # Panics
    /// Panics if the snapshot cannot be copied or the server does not start.
    pub fn restore(&mut self, snapshot: &Path) {
        let folder = self.append_only_folder();
        if folder.exists() {
            std::fs::remove_dir_all(&folder).unwrap();
        }
        std::fs::copy(snapshot, self.snapshot()).unwrap();
        // With append-only files enabled at the start, the server would ignore the snapshot.
        self.server = launch(&self.folder, Persistence::Snapshot, self.port, &self.options);
        self.wait_until_up();
        let () = self.query(&["CONFIG", "SET", "appendonly", "yes"]);
        eventually("append-only file", SOON, || self.has_complete_append_only_file().then_some(()));
        self.persistence = Persistence::AppendOnlyFile;
    }

    /// Returns the path of the snapshot that [`Redis::save`] writes.
    pub fn snapshot(&self) -> PathBuf {
        self.folder.path().join("dump.rdb")
    }

    /// Returns the folder of the append-only files, which may not exist yet.
    pub fn append_only_folder(&self) -> PathBuf {
        self.folder.path().join("appendonlydir")
    }

    /// Starts the stopped server at its old address with its persisted data.
    pub fn restart(&mut self) {
        self.server = launch(&self.folder, self.persistence, self.port, &self.options);
        self.wait_until_up();
    }

    /// Starts the stopped server at its old address with other options.
    pub fn restart_with(&mut self, options: &[&str]) {
        self.options = options.iter().map(|option| (*option).to_owned()).collect();
        self.restart();
    }

    /// Suspends the server. It still accepts connections, but does not respond.
    pub fn freeze(&self) {
        self.signal(rustix::process::Signal::STOP);
    }

    /// Resumes a suspended server.
    pub fn thaw(&self) {
        self.signal(rustix::process::Signal::CONT);
    }

    fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_raw(self.server.id().cast_signed()).unwrap();
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// Returns the process id.
    pub fn pid(&self) -> u32 {
        self.server.id()
    }

    /// Returns the TCP port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns whether the append-only file is enabled and complete. After a full synchronisation,
    /// a replica writes a new one in the background.
    pub fn has_complete_append_only_file(&self) -> bool {
        let is = |field, value| self.info("persistence", field).as_deref() == Some(value);
        is("aof_enabled", "1") && is("aof_rewrite_in_progress", "0") && is("aof_rewrite_scheduled", "0")
    }

    /// Returns the value of a field of `INFO`, or `None` if the server closes the connection, as it
    /// does when it becomes the primary.
    pub fn info(&self, section: &str, field: &str) -> Option<String> {
        let mut connection = redis::Client::open(self.url()).unwrap().get_connection().ok()?;
        let info: String = redis::cmd("INFO").arg(section).query(&mut connection).ok()?;
        info.lines().find_map(|line| Some(line.strip_prefix(field)?.strip_prefix(':')?.to_owned()))
    }

    /// Returns the address for REDIS_URL.
    pub fn url(&self) -> String {
        format!("unix://{}", self.socket().display())
    }

    /// Opens a new connection.
    pub fn connection(&self) -> Connection {
        redis::Client::open(self.url()).unwrap().get_connection().unwrap()
    }

    /// Runs a command, given as words, and returns its reply.
    pub fn query<T: FromRedisValue>(&self, words: &[&str]) -> T {
        let mut command = redis::cmd(words[0]);
        for word in &words[1..] {
            command.arg(*word);
        }
        command.query(&mut self.connection()).unwrap()
    }

    /// Waits for a value at a key and returns it as JSON.
    pub fn json_at(&self, key: &str) -> Value {
        let text: String = eventually(&format!("value at {key}"), SOON * 3, || self.query(&["GET", key]));
        serde_json::from_str(&text).unwrap()
    }

    /// Pushes an entry as the backend does.
    pub fn push(&self, entry: &str) {
        let _: u64 = self.query(&["LPUSH", QUEUE, entry]);
    }

    /// Stores a job at its usual key and pushes its id.
    pub fn submit(&self, job: &Value) {
        self.submit_payload(job["build_id"].as_str().unwrap(), &job.to_string());
    }

    /// Stores a text as the payload of an id, and pushes the id.
    pub fn submit_payload(&self, id: &str, payload: &str) {
        let () = self.query(&["SET", &format!("job:{id}"), payload]);
        self.push(id);
    }

    /// Waits for a job's result and returns it.
    pub fn result_of(&self, id: &str) -> Value {
        self.json_at(&format!("result:{id}"))
    }

    /// Sets the cancel flag of a running job, as the backend does.
    pub fn cancel(&self, id: &str) {
        let token: String = self.query(&["GET", &format!("{{{QUEUE}}}:running:{id}")]);
        let _: u64 = self.query(&["HSET", &format!("{{{QUEUE}}}:job:{token}"), "cancel", "1"]);
    }

    /// Returns a counter of a job: `attempts`, `crashes` or `vanished`.
    pub fn job_counter(&self, id: &str, counter: &str) -> Option<u32> {
        self.query(&["HGET", &format!("{{{QUEUE}}}:count:{id}"), counter])
    }

    /// Returns the entries that no worker has taken.
    pub fn waiting(&self) -> Vec<String> {
        self.query(&["LRANGE", QUEUE, "0", "-1"])
    }

    /// Returns the dead letters, newest first.
    pub fn dead_letters(&self) -> Vec<Value> {
        let letters: Vec<String> = self.query(&["LRANGE", DEAD, "0", "-1"]);
        letters.iter().map(|letter| serde_json::from_str(letter).unwrap()).collect()
    }

    /// Waits until the last progress event of a job satisfies `condition`, and returns the event.
    ///
    /// * `description`: name of the event in the panic message.
    pub fn wait_for_progress(&self, id: &str, description: &str, condition: impl Fn(&Value) -> bool) -> Value {
        let key = progress_channel(id);
        eventually(&format!("{description} of {id}"), SOON * 3, || {
            let event = serde_json::from_str(&self.query::<Option<String>>(&["GET", &key])?).ok()?;
            Some(event).filter(&condition)
        })
    }

    /// Waits until the config search of a job reaches its `n`-th trial.
    pub fn wait_for_trial(&self, id: &str, n: u64) {
        self.wait_for_progress(id, &format!("trial {n}"), |event| {
            event["details"]["trial"].as_u64().is_some_and(|trial| trial >= n)
        });
    }

    /// Submits a job and passes each of its progress events to `on_event`, up to the last. Returns
    /// its result.
    pub fn follow(&self, job: &Value, mut on_event: impl FnMut(&Value)) -> Value {
        let id = job["build_id"].as_str().unwrap();
        self.follow_from(id, || self.submit(job), &mut on_event);
        self.result_of(id)
    }

    /// Calls `start` and passes each progress event of a job to `on_event`, including the last.
    pub fn follow_from(&self, id: &str, start: impl FnOnce(), mut on_event: impl FnMut(&Value)) {
        let mut connection = self.connection();
        let mut subscriber = connection.as_pubsub();
        subscriber.subscribe(progress_channel(id)).unwrap();
        subscriber.set_read_timeout(Some(SOON * 6)).unwrap();
        start();
        loop {
            let text: String = subscriber.get_message().unwrap().get_payload().unwrap();
            let event: Value = serde_json::from_str(&text).unwrap();
            on_event(&event);
            if event["phase"] == "complete" || event["status"] == "failed" {
                return;
            }
        }
    }

    /// Returns the path of the server's socket.
    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("redis.sock")
    }

    fn wait_until_up(&self) {
        let client = redis::Client::open(self.url()).unwrap();
        eventually("redis-server", SOON, || {
            let mut connection = client.get_connection().ok()?;
            match redis::cmd("PING").query::<String>(&mut connection) {
                Ok(_) => Some(()),
                // A server with a password responds, too.
                Err(error) => error.code().filter(|code| *code == "NOAUTH").map(drop),
            }
        });
    }
}

/// Returns the channel and the key of a job's progress events.
pub fn progress_channel(id: &str) -> String {
    format!("oculus:training:progress:{id}")
}

/// Returns the program of the server under test: `redis-server`, or the one that `TEST_REDIS_SERVER`
/// names.
pub fn server_program() -> OsString {
    std::env::var_os("TEST_REDIS_SERVER").unwrap_or_else(|| "redis-server".into())
}

/// Returns a TCP port on which no process listens.
pub fn free_port() -> u16 {
    // The port of a cluster's bus is 10,000 above, so the port must not be too high. The ports below
    // 32768 are not given to outgoing connections.
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let offset = u16::try_from(std::process::id() % 10_000).unwrap();
    loop {
        let port = 20_000 + (offset + NEXT.fetch_add(1, Ordering::Relaxed)) % 12_000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

fn launch(folder: &TempDir, persistence: Persistence, port: u16, options: &Vec<String>) -> Child {
    let append_only = match persistence {
        Persistence::AppendOnlyFile => "yes",
        Persistence::Snapshot => "no",
    };
    let program = server_program();
    let mut command = Command::new(&program);
    command.args(["--port", &port.to_string(), "--unixsocket", "redis.sock", "--dir", "."]);
    // Without `fsync`, Redis writes to the file before it replies, and a kill of Redis loses no
    // confirmed write. With the default, a write may follow its reply by up to 2 s while `fsync` runs.
    command.args(["--save", "", "--appendonly", append_only, "--appendfsync", "no"]).args(options);
    command.current_dir(folder.path()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().unwrap_or_else(|error| panic!("{program:?}: {error}; `cargo xtask setup` installs it"))
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}
