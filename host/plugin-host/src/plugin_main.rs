//! The entry point of a plugin process: opens one library and handles requests until the job closes
//! the channel.

use std::collections::HashMap;
use std::fs::File;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};

use abi_stable::erased_types::TD_Opaque;
use abi_stable::sabi_types::RRef;
use abi_stable::std_types::{RSlice, RSliceMut, RStr};
use anyhow::{Context, Result, bail};
use oculus_job::hash::sha256_hex;
use oculus_pipeline::fitter::FIT_THREADS;
use oculus_plugin_api::conformance::{self, Depth, Step};
use oculus_plugin_api::testing::Harness;
use oculus_plugin_api::{Level, PluginError, abi, code};
use oculus_system::control;
use oculus_system::process::kill_group_now;
use parking_lot::{Mutex, RwLock};

use crate::file_id::FileId;
use crate::load_failure::LoadFailure;
use crate::protocol::{Call, Event, Extract, Fit, Hello, HostMessage, Reply, Request, TABLE_FD};
use crate::table::MappedTable;
use crate::{device, loader};

/// Runs a plugin process: opens the library that the first message names, and handles requests
/// until the channel closes.
///
/// # Errors
/// Returns an error if the channel fails or a thread cannot be started. A library that cannot be
/// used is reported by [`Event::Unusable`].
pub fn run() -> Result<()> {
    let mut input = control::inherited()?;
    let events = Arc::new(EventSender::new(input.try_clone().context("cannot set up the control channel")?));
    let hello = control::read_frame(&mut input)?.context("the job closed the channel before its first message")?;
    let hello: Hello = postcard::from_bytes(&hello).context("cannot parse the first message")?;
    // This thread starts before the library is opened, so that the job can terminate this process
    // while a library hangs in its constructor.
    let calls = read_messages(input, Arc::clone(&events))?;
    let library = hello.library.clone();
    let plugin = match Plugin::open(hello) {
        Ok(plugin) => Arc::new(plugin),
        Err(error) => {
            let LoadFailure { reason, is_transient } = LoadFailure::new(&library, &error);
            events.send(&Event::Unusable { reason, is_transient });
            return Ok(());
        }
    };
    for Call { id, request } in calls {
        let plugin = Arc::clone(&plugin);
        let caller = HostServices { id, events: Arc::clone(&events) };
        let work = move || {
            let reply = plugin.handle(request, &caller);
            caller.events.send(&Event::Reply { id, reply });
        };
        std::thread::Builder::new().name(format!("call-{id}")).stack_size(STACK_BYTES).spawn(work)?;
    }
    kill_group_now()
}

/// Starts a thread that reads messages. When the channel closes, the thread terminates this process
/// at once, even during a fit or while the opening of a library hangs. Everything that the process
/// has started is killed with it. Exit handlers do not run, because native code may crash in them.
fn read_messages(mut input: UnixStream, events: Arc<EventSender>) -> Result<mpsc::Receiver<Call>> {
    let (sender, calls) = mpsc::channel();
    let (started, has_started) = mpsc::channel();
    let read = move || {
        let _ = started.send(());
        while let Ok(Some(frame)) = control::read_frame(&mut input) {
            match postcard::from_bytes(&frame) {
                // The error is ignored, because the receiver is dropped only if this process is
                // about to terminate.
                Ok(HostMessage::Call(call)) => _ = sender.send(call),
                Ok(HostMessage::Cancel) => events.is_cancelled.store(true, Ordering::Relaxed),
                Err(_) => break,
            }
        }
        kill_group_now()
    };
    std::thread::Builder::new().name("messages".into()).spawn(read).context("cannot start a thread")?;
    // A new thread sets up its thread-local storage under a lock of the system's loader. A library
    // whose constructor hangs never releases that lock, so the thread must have started before the
    // library is opened.
    has_started.recv().context("cannot start a thread")?;
    Ok(calls)
}

/// Stack size of a thread that handles a call. Native engines recurse too deeply for Rust's default
/// of 2 MiB.
const STACK_BYTES: usize = 16 << 20;

/// Sends events to the job from any thread, and stores whether the job has cancelled its calls.
struct EventSender {
    out: Mutex<UnixStream>,
    /// The flag is read and written with `Relaxed`, because it guards no other data and a delay
    /// does no harm.
    is_cancelled: AtomicBool,
}

impl EventSender {
    fn new(out: UnixStream) -> Self {
        Self { out: Mutex::new(out), is_cancelled: AtomicBool::new(false) }
    }

    fn send(&self, event: &Event) {
        let sent = postcard::to_stdvec(event).map_err(std::io::Error::other).and_then(|body| {
            let mut out = self.out.lock();
            control::write_frame(&mut *out, &body)?;
            out.flush()
        });
        if sent.is_err() {
            // The channel fails only if the job has terminated, so no result is needed.
            kill_group_now();
        }
    }
}

/// The host's services for one call. The plugin's progress, metrics and log lines are sent with the
/// id of the call.
struct HostServices {
    id: u64,
    events: Arc<EventSender>,
}

impl abi::Host for HostServices {
    fn progress(&self, fraction: f64, message: RStr<'_>) {
        self.events.send(&Event::Progress { id: self.id, fraction, message: message.into() });
    }

    fn metric(&self, name: RStr<'_>, step: u64, value: f64) {
        self.events.send(&Event::Metric { id: self.id, name: name.into(), step, value });
    }

    fn log(&self, level: u32, message: RStr<'_>) {
        self.events.send(&Event::Log { id: self.id, level, message: message.into() });
    }

    /// Returns whether this process will be killed because it was silent. A job that finishes does
    /// not cancel its calls: it terminates this process immediately.
    fn cancelled(&self) -> bool {
        self.events.is_cancelled.load(Ordering::Relaxed)
    }
}

/// Returns the host's services in the type that crosses the plugin boundary.
fn services(host: &HostServices) -> abi::HostRef<'_> {
    abi::Host_TO::from_ptr(RRef::new(host), TD_Opaque)
}

/// The open library of this process, its prepared tables and its loaded model.
struct Plugin {
    module: abi::Module_Ref,
    table: Option<abi::Table<'static>>,
    prepared: RwLock<HashMap<usize, Arc<abi::PreparedBox<'static>>>>,
    loaded: RwLock<Option<abi::ModelBox>>,
}

impl Plugin {
    fn open(hello: Hello) -> Result<Self> {
        check_bytes(&hello)?;
        let module = loader::load(&hello.library)?;
        let table = match hello.table {
            None => None,
            Some(shape) => {
                let file = File::from(control::inherited_fd(TABLE_FD).context("cannot open the inherited table")?);
                // The mapping is leaked on purpose, because prepared tables borrow it until the
                // process terminates.
                let mapped: &'static MappedTable = Box::leak(Box::new(MappedTable::map(&file, shape)?));
                Some(mapped.raw(mapped.names().leak()))
            }
        };
        Ok(Self { module, table, prepared: RwLock::default(), loaded: RwLock::default() })
    }

    fn handle(&self, request: Request, host: &HostServices) -> Reply {
        let reply = match request {
            Request::Describe => self.describe(),
            Request::Examine(depth) => Ok(self.examine(depth, host)),
            Request::Prepare { prepared, learn_rows, setting } => self.prepare(prepared, &learn_rows, &setting, host),
            Request::Fit(fit) => self.fit(&fit, host),
            Request::Extract(extract) => self.extract(&extract, host),
            Request::Load { model, setting } => self.load(&model, &setting),
            Request::Predict { rows, base_score } => self.predict(&rows, base_score.as_deref(), host),
        };
        reply.unwrap_or_else(|error| {
            let message = shorten(&error_message(&error));
            if error.code == code::PANIC {
                // The plugin itself may have no log, so the process logs the panic in its name.
                host.events.send(&Event::Log { id: host.id, level: Level::Error as u32, message: message.clone() });
            }
            Reply::Rejected { code: error.code, message }
        })
    }

    fn describe(&self) -> Result<Reply, PluginError> {
        let manifest = (self.module.describe())().into_result()?;
        Ok(Reply::Described(manifest.into()))
    }

    fn examine(&self, depth: Depth, host: &HostServices) -> Reply {
        let id = host.id;
        let mut on_step = |step: Step<'_>| match step {
            Step::Begins(claim) => host.events.send(&Event::Examining { id, claim: claim.to_owned() }),
            Step::Ends(finding) => host.events.send(&Event::Found { id, finding: finding.clone() }),
        };
        Reply::Examined(conformance::examine(&Harness::from_module(self.module), depth, &mut on_step))
    }

    fn prepare(
        &self,
        idx: usize,
        learn_rows: &[u32],
        setting: &str,
        host: &HostServices,
    ) -> Result<Reply, PluginError> {
        let learn_rows = RSlice::from_slice(learn_rows);
        let prepared = (self.module.prepare())(self.table()?, learn_rows, RStr::from_str(setting), services(host));
        let prepared = prepared.into_result()?;
        self.prepared.write().insert(idx, Arc::new(prepared));
        Ok(Reply::Prepared)
    }

    fn fit(&self, fit: &Fit, host: &HostServices) -> Result<Reply, PluginError> {
        // The lock is released before the fit, so that another table can be prepared meanwhile.
        let prepared = {
            let all = self.prepared.read();
            all.get(&fit.prepared).cloned()
        };
        let prepared = prepared
            .ok_or_else(|| PluginError::data(format!("found no prepared table {}; prepare it first", fit.prepared)))?;
        let task = abi::Task {
            label: RSlice::from_slice(&fit.label),
            train_rows: RSlice::from_slice(&fit.train_rows),
            tune_rows: RSlice::from_slice(&fit.tune_rows),
            seed: fit.seed,
            threads: FIT_THREADS as u32,
            device: RStr::from_str(&fit.device),
        };
        let params = RStr::from_str(&fit.params);
        let base_score = fit.base_score.as_deref();
        let model = match base_score {
            None => prepared.fit(task, params, services(host)),
            Some(base_score) => prepared.fit_from(task, RSlice::from_slice(base_score), params, services(host)),
        };
        let model = model.into_result()?;
        let scores = self.scores(&model, &fit.predict_rows, base_score, host)?;
        let bytes = if fit.keep_model { Some(model.save().into_result()?.into()) } else { None };
        // A family may not support importances, which is not an error.
        let importance = if fit.keep_model { model.importance().into_result().ok().map(Into::into) } else { None };
        let summary = model.summary().into_result()?.into();
        Ok(Reply::Fitted { scores, summary, model: bytes, importance })
    }

    fn extract(&self, extract: &Extract, host: &HostServices) -> Result<Reply, PluginError> {
        let task = abi::Task {
            label: RSlice::from_slice(&extract.label),
            train_rows: RSlice::from_slice(&extract.train_rows),
            tune_rows: RSlice::from_slice(&[]),
            seed: extract.seed,
            threads: FIT_THREADS as u32,
            device: RStr::from_str(device::CPU),
        };
        let scores = RSlice::from_slice(&extract.scores);
        let params = RStr::from_str(&extract.params);
        let rules = (self.module.extract())(self.table()?, task, scores, params, services(host)).into_result()?;
        Ok(Reply::Mined(rules.into()))
    }

    fn load(&self, bytes: &[u8], setting: &str) -> Result<Reply, PluginError> {
        let model = (self.module.load())(RSlice::from_slice(bytes), RStr::from_str(setting)).into_result()?;
        *self.loaded.write() = Some(model);
        Ok(Reply::Loaded)
    }

    fn predict(&self, rows: &[u32], base_score: Option<&[f32]>, host: &HostServices) -> Result<Reply, PluginError> {
        let loaded = self.loaded.read();
        let model = loaded.as_ref().ok_or_else(|| PluginError::data("no model is loaded; load one first"))?;
        Ok(Reply::Predicted { scores: self.scores(model, rows, base_score, host)? })
    }

    fn scores(
        &self,
        model: &abi::ModelBox,
        rows: &[u32],
        base_score: Option<&[f32]>,
        host: &HostServices,
    ) -> Result<Vec<f32>, PluginError> {
        // NaN marks a row that the plugin does not score.
        let mut scores = vec![f32::NAN; rows.len()];
        let out = RSliceMut::from_mut_slice(&mut scores);
        // An empty base score means that there is none.
        let base_score = RSlice::from_slice(base_score.unwrap_or_default());
        model.predict_with(self.table()?, RSlice::from_slice(rows), base_score, out, services(host)).into_result()?;
        Ok(scores)
    }

    fn table(&self) -> Result<abi::Table<'static>, PluginError> {
        self.table.ok_or_else(|| PluginError::data("this process has no table; start it with one"))
    }
}

/// Returns the message of an error. The message of a panic states the place. A plugin of API 1.0 does
/// not report the place, so its message refers to the log, to which the runtime prints it.
fn error_message(error: &PluginError) -> String {
    let PluginError { code, message, detail_json } = error;
    match *code {
        code::PANIC if detail_json.is_empty() => {
            format!("panicked (code {code}): {message}; the worker's log contains the place")
        }
        code::PANIC => format!("panicked (code {code}): {message}"),
        _ => message.to_string(),
    }
}

/// Shortens an engine's message to one line of at most [`MAX_MESSAGE_CHARS`] characters for the
/// result. Removes the backtrace, because its addresses differ from run to run.
fn shorten(message: &str) -> String {
    let lines = message.lines().map(str::trim).take_while(|line| !line.starts_with("frame #"));
    lines.filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ").chars().take(MAX_MESSAGE_CHARS).collect()
}

/// The maximum length of a message in characters.
const MAX_MESSAGE_CHARS: usize = 1000;

/// Returns the SHA-256 of a file's bytes, as hex.
fn file_sha256(path: &std::path::Path) -> std::io::Result<String> {
    Ok(sha256_hex(&std::fs::read(path)?))
}

/// Checks that the bytes of the library have the SHA-256 that the result of the job states.
fn check_bytes(hello: &Hello) -> Result<()> {
    // While the id is unchanged, the bytes need not be hashed at each start.
    if hello.file_id.is_some() && FileId::from_path(&hello.library).ok() == hello.file_id {
        return Ok(());
    }
    let path = hello.library.display();
    let found = file_sha256(&hello.library).with_context(|| format!("cannot read the plugin `{path}`"))?;
    let expected = &hello.sha256;
    if found != *expected {
        bail!("plugin `{path}` has changed since it was examined: found SHA-256 {found}, expected {expected}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_library_that_changed_after_its_examination_is_rejected() {
        let folder = tempfile::tempdir().unwrap();
        let library = folder.path().join("library");
        let unfinished = folder.path().join("unfinished");
        let publish = |bytes: &str| {
            fs::write(&unfinished, bytes).unwrap();
            fs::rename(&unfinished, &library).unwrap();
        };
        publish("checked");
        let hello = Hello {
            library: library.clone(),
            sha256: sha256_hex(b"checked"),
            file_id: FileId::from_path(&library).ok(),
            table: None,
        };
        check_bytes(&hello).unwrap();
        publish("changed");
        let error = check_bytes(&hello).unwrap_err().to_string();
        assert!(error.contains(&sha256_hex(b"changed")) && error.contains(&hello.sha256), "{error}");
        publish("checked");
        check_bytes(&hello).unwrap();
        check_bytes(&Hello { file_id: None, ..hello }).unwrap();
    }

    #[test]
    fn a_backtrace_is_removed_from_a_message() {
        let message = "no memory\nException raised from alloc:127\nframe #0: f (0x7f72 in libc10.so)\nframe #1: g";
        assert_eq!(shorten(message), "no memory Exception raised from alloc:127");
        assert_eq!(shorten(&"x".repeat(5000)).len(), MAX_MESSAGE_CHARS);
    }
}
