//! The plugin process: opens one library and answers the requests of a job until the job closes the channel.

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
use oculus_plugin_api::{PluginError, abi, code};
use oculus_system::control;
use oculus_system::process::end_group_now;
use parking_lot::{Mutex, RwLock};

use crate::file_id::FileId;
use crate::protocol::{Call, Event, Extract, Fit, Hello, HostMessage, Reply, Request, TABLE_FD};
use crate::table::MappedTable;
use crate::{device, loader};

/// Runs a plugin process: opens the library that the first message names, and answers requests until the channel ends.
///
/// # Errors
/// If the channel is broken. A library that cannot be used is reported by [`Event::Unusable`].
pub fn run() -> Result<()> {
    let mut input = control::inherited()?;
    let answers = Arc::new(Answers::new(input.try_clone().context("control channel")?));
    let hello = control::read_frame(&mut input)?.context("the job closed the channel before its first message")?;
    let hello: Hello = postcard::from_bytes(&hello).context("first message")?;
    let calls = read_messages(input, Arc::clone(&answers))?;
    let plugin = match Plugin::open(hello) {
        Ok(plugin) => Arc::new(plugin),
        Err(error) => {
            let lacks_library = error.downcast_ref().is_some_and(loader::LoadError::is_transient);
            answers.send(&Event::Unusable { reason: format!("{error:#}"), lacks_library });
            return Ok(());
        }
    };
    for Call { id, request } in calls {
        let plugin = Arc::clone(&plugin);
        let caller = Caller { id, answers: Arc::clone(&answers) };
        let work = move || {
            let reply = plugin.answer(request, &caller);
            caller.answers.send(&Event::Reply { id, reply });
        };
        std::thread::Builder::new().name(format!("call-{id}")).stack_size(STACK_BYTES).spawn(work)?;
    }
    end_group_now()
}

/// Reads messages on a thread of its own, so that the end of the channel ends this process at any time: while a library
/// hangs when it is opened, or during a fit. Everything that the process has started ends with it, without exit handlers,
/// in which native code may crash.
fn read_messages(mut input: UnixStream, answers: Arc<Answers>) -> Result<mpsc::Receiver<Call>> {
    let (sender, calls) = mpsc::channel();
    let (started, has_started) = mpsc::channel();
    let read = move || {
        let _ = started.send(());
        while let Ok(Some(frame)) = control::read_frame(&mut input) {
            match postcard::from_bytes(&frame) {
                // Calls have no receiver once this process is about to end.
                Ok(HostMessage::Call(call)) => _ = sender.send(call),
                Ok(HostMessage::Cancel) => answers.is_cancelled.store(true, Ordering::Relaxed),
                Err(_) => break,
            }
        }
        end_group_now()
    };
    std::thread::Builder::new().name("job-gone".into()).spawn(read).context("cannot start a thread")?;
    // A new thread sets up its thread-local storage under a lock of the system's loader. A library whose constructor
    // hangs never releases that lock, so the thread must have started before a library is opened.
    has_started.recv().context("cannot start a thread")?;
    Ok(calls)
}

/// Stack of a thread that answers a call: native engines recurse too deep for Rust's default of 2 MiB.
const STACK_BYTES: usize = 16 << 20;

/// Sends events to the job from any thread, and holds whether the job has cancelled its calls.
struct Answers {
    out: Mutex<UnixStream>,
    is_cancelled: AtomicBool,
}

impl Answers {
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
            // The job is gone, so no result is needed.
            end_group_now();
        }
    }
}

/// One call as its plugin sees it: the plugin's progress, metrics and log lines are sent under the id of the call.
struct Caller {
    id: u64,
    answers: Arc<Answers>,
}

impl abi::Host for Caller {
    fn progress(&self, fraction: f64, message: RStr<'_>) {
        self.answers.send(&Event::Progress { id: self.id, fraction, message: message.into() });
    }

    fn metric(&self, name: RStr<'_>, step: u64, value: f64) {
        self.answers.send(&Event::Metric { id: self.id, name: name.into(), step, value });
    }

    fn log(&self, level: u32, message: RStr<'_>) {
        self.answers.send(&Event::Log { id: self.id, level, message: message.into() });
    }

    /// Returns whether this process is about to be killed because it was silent. A job that ends does not cancel: it
    /// ends this process at once.
    fn cancelled(&self) -> bool {
        self.answers.is_cancelled.load(Ordering::Relaxed)
    }
}

/// Returns the services of the host for one call.
fn services(host: &Caller) -> abi::HostRef<'_> {
    abi::Host_TO::from_ptr(RRef::new(host), TD_Opaque)
}

/// The library of this process, with its prepared forms and its loaded model.
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
                let file = File::from(control::inherited_fd(TABLE_FD).context("table")?);
                // Leaked on purpose: prepared forms borrow the table until the process ends.
                let mapped: &'static MappedTable = Box::leak(Box::new(MappedTable::map(&file, shape)?));
                Some(mapped.raw(mapped.names().leak()))
            }
        };
        Ok(Self { module, table, prepared: RwLock::default(), loaded: RwLock::default() })
    }

    fn answer(&self, request: Request, host: &Caller) -> Reply {
        let reply = match request {
            Request::Describe => self.describe(),
            Request::Examine(depth) => Ok(self.examine(depth, host)),
            Request::Prepare { prepared, learn_rows, setting } => self.prepare(prepared, &learn_rows, &setting, host),
            Request::Fit(fit) => self.fit(&fit, host),
            Request::Extract(extract) => self.extract(&extract, host),
            Request::Load { model, setting } => self.load(&model, &setting),
            Request::Predict { rows } => self.predict(&rows),
        };
        reply.unwrap_or_else(|error| Reply::Refused { code: error.code, message: brief(&message_of(&error)) })
    }

    fn describe(&self) -> Result<Reply, PluginError> {
        let manifest = (self.module.describe())().into_result()?;
        Ok(Reply::Described(manifest.into()))
    }

    fn examine(&self, depth: Depth, host: &Caller) -> Reply {
        let id = host.id;
        let mut on_step = |step: Step<'_>| match step {
            Step::Begins(claim) => host.answers.send(&Event::Examining { id, claim: claim.to_owned() }),
            Step::Ends(finding) => host.answers.send(&Event::Found { id, finding: finding.clone() }),
        };
        Reply::Examined(conformance::examine(&Harness::from_module(self.module), depth, &mut on_step))
    }

    fn prepare(&self, idx: usize, learn_rows: &[u32], setting: &str, host: &Caller) -> Result<Reply, PluginError> {
        let learn_rows = RSlice::from_slice(learn_rows);
        let prepared = (self.module.prepare())(self.table()?, learn_rows, RStr::from_str(setting), services(host));
        let prepared = prepared.into_result()?;
        self.prepared.write().insert(idx, Arc::new(prepared));
        Ok(Reply::Prepared)
    }

    fn fit(&self, fit: &Fit, host: &Caller) -> Result<Reply, PluginError> {
        let prepared = {
            let all = self.prepared.read();
            all.get(&fit.prepared).cloned()
        };
        let prepared = prepared.ok_or_else(|| PluginError::data(format!("no prepared form {}", fit.prepared)))?;
        let task = abi::Task {
            label: RSlice::from_slice(&fit.label),
            train_rows: RSlice::from_slice(&fit.train_rows),
            tune_rows: RSlice::from_slice(&fit.tune_rows),
            seed: fit.seed,
            threads: FIT_THREADS as u32,
            device: RStr::from_str(&fit.device),
        };
        let model = prepared.fit(task, RStr::from_str(&fit.params), services(host)).into_result()?;
        let scores = self.scores(&model, &fit.predict_rows)?;
        let bytes = if fit.keep_model { Some(model.save().into_result()?.into()) } else { None };
        // A family need not have importances.
        let importance = if fit.keep_model { model.importance().into_result().ok().map(Into::into) } else { None };
        let summary = model.summary().into_result()?.into();
        Ok(Reply::Fitted { scores, summary, model: bytes, importance })
    }

    fn extract(&self, extract: &Extract, host: &Caller) -> Result<Reply, PluginError> {
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

    fn predict(&self, rows: &[u32]) -> Result<Reply, PluginError> {
        let loaded = self.loaded.read();
        let model = loaded.as_ref().ok_or_else(|| PluginError::data("no model has been loaded"))?;
        Ok(Reply::Predicted { scores: self.scores(model, rows)? })
    }

    fn scores(&self, model: &abi::ModelBox, rows: &[u32]) -> Result<Vec<f32>, PluginError> {
        let mut scores = vec![f32::NAN; rows.len()];
        let out = RSliceMut::from_mut_slice(&mut scores);
        model.predict(self.table()?, RSlice::from_slice(rows), out).into_result()?;
        Ok(scores)
    }

    fn table(&self) -> Result<abi::Table<'static>, PluginError> {
        self.table.ok_or_else(|| PluginError::data("this process was given no table"))
    }
}

/// Returns the message of an error. The message of a panic refers to the log, which has its place and trace.
fn message_of(error: &PluginError) -> String {
    match error.code {
        code::PANIC => format!("panicked (code {}): {}; the worker's log has the place", code::PANIC, error.message),
        _ => error.message.to_string(),
    }
}

/// Returns the part of an engine's message that a result can hold: one line of at most [`LONGEST_MESSAGE`] characters,
/// without the backtrace, whose addresses differ from run to run.
fn brief(message: &str) -> String {
    let words = message.lines().map(str::trim).take_while(|line| !line.starts_with("frame #"));
    words.filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ").chars().take(LONGEST_MESSAGE).collect()
}

const LONGEST_MESSAGE: usize = 1000;

/// Returns the SHA-256 of a file's bytes, as hex.
fn sha256_of(path: &std::path::Path) -> std::io::Result<String> {
    Ok(sha256_hex(&std::fs::read(path)?))
}

/// Checks that the bytes of the library are those whose hash the result contains.
fn check_bytes(hello: &Hello) -> Result<()> {
    if hello.file_id.is_some() && FileId::from_path(&hello.library).ok() == hello.file_id {
        return Ok(());
    }
    let path = hello.library.display();
    let found = sha256_of(&hello.library).with_context(|| format!("plugin `{path}`"))?;
    let needed = &hello.sha256;
    if found != *needed {
        bail!("plugin `{path}` has changed since it was found: SHA-256 {found}, needed {needed}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_library_whose_bytes_are_not_those_that_were_checked_is_not_opened() {
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
        let refusal = check_bytes(&hello).unwrap_err().to_string();
        assert!(refusal.contains(&sha256_hex(b"changed")) && refusal.contains(&hello.sha256), "{refusal}");
        publish("checked");
        check_bytes(&hello).unwrap();
        check_bytes(&Hello { file_id: None, ..hello }).unwrap();
    }

    #[test]
    fn a_backtrace_is_no_part_of_a_message() {
        let message = "no memory\nException raised from alloc:127\nframe #0: f (0x7f72 in libc10.so)\nframe #1: g";
        assert_eq!(brief(message), "no memory Exception raised from alloc:127");
        assert_eq!(brief(&"x".repeat(5000)).len(), LONGEST_MESSAGE);
    }
}
