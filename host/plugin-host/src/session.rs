//! One plugin at work for one job: a process that is started again when it dies, unless it hung or took too much memory.
//!
//! A fit carries everything it needs but the prepared tables, so a session that remembers these can start a new process,
//! prepare again, and send the fits that were in flight once more. The same bytes come out.

use parking_lot::{Mutex, MutexGuard};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context;
use oculus_plugin_api::{Manifest, MinedRule, PluginError, Setting, Summary};

use crate::gpu::{Gpu, Hold};
use crate::health::HealthRecord;
use crate::installed::InstalledPlugin;
use crate::library::LibraryRef;
use crate::limits::Limits;
use crate::process::{Death, Listener, PluginProcess, Start};
use crate::progress_throttle::ProgressThrottle;
use crate::protocol::{Event, Extract, Fit, Reply, Request};
use crate::table::SharedTable;
use oculus_pipeline::fitter::{FitError, FitProgress, FitProgressFn, FitRequest, Fitted, Fitter, Keep, PreparedId};
use oculus_pipeline::miner::{MineRequest, Miner};

/// How often a process is started again before its family counts as failed.
const MAX_RESTARTS: u32 = 2;

/// A plugin at work on one table.
pub struct Session {
    plugin: InstalledPlugin,
    table: Arc<SharedTable>,
    terms: Terms,
    state: Mutex<State>,
    /// Held by each fit of a plugin that bears only one at a time.
    turn: Mutex<()>,
}

/// What a session has of its job.
pub struct Terms {
    /// Held around each preparation and fit that may run on one; `None` where the plugin has no use for it.
    pub gpu: Option<Gpu>,
    /// What each process may use.
    pub limits: Limits,
    /// Hears what a process tells beside its replies.
    pub listener: Listener,
    /// Told of each process and how it ended.
    pub record: Arc<HealthRecord>,
}

struct State {
    process: Option<Arc<PluginProcess>>,
    n_deaths: u32,
    /// The death that was one too many.
    given_up: Option<FitError>,
    /// What each prepared form was made of, to prepare again.
    prepared: BTreeMap<usize, Request>,
    n_prepared: usize,
}

impl Session {
    /// A session whose process starts with the first request.
    pub fn new(plugin: InstalledPlugin, table: Arc<SharedTable>, terms: Terms) -> Self {
        let state =
            Mutex::new(State { process: None, n_deaths: 0, given_up: None, prepared: BTreeMap::new(), n_prepared: 0 });
        Self { plugin, table, terms, state, turn: Mutex::default() }
    }

    /// Keeps the GPU from other families where the device may be one.
    fn hold_gpu(&self, device: &str, hear: &FitProgressFn<'_>) -> Result<Option<Hold<'_>>, FitError> {
        let Some(gpu) = self.terms.gpu.as_ref().filter(|_| device != "cpu") else { return Ok(None) };
        let on_wait = || {
            tracing::info!(plugin = self.plugin.manifest.id, "waiting for the GPU");
            hear(&FitProgress { waits_for_gpu: true, ..FitProgress::default() });
        };
        let message = |error| PluginError::device(format!("the GPU cannot be kept from other jobs: {error}"));
        gpu.hold(on_wait).map(Some).map_err(|error| refused(message(error)))
    }

    /// Calls until a process lives long enough to answer.
    fn call(&self, request: &Request, hear: &FitProgressFn<'_>) -> Result<Reply, FitError> {
        loop {
            let process = self.process()?;
            let mut throttle = ProgressThrottle::new(Instant::now());
            let mut tell = |event: &Event| _ = throttle.on_event(event, Instant::now()).map(hear);
            match process.call_heard(request.clone(), &mut tell) {
                Ok(Reply::Refused { code, message }) => {
                    // Caught, so that it cost no process: but a build whose fits panic is no better than one that dies.
                    if code == oculus_plugin_api::code::PANIC {
                        self.terms.record.record_death(&self.plugin.sha256);
                    }
                    return Err(FitError::Refused { code, message });
                }
                Ok(reply) => {
                    throttle.pending().map(hear);
                    return Ok(reply);
                }
                Err(death) => self.bury(&process, &death)?,
            }
        }
    }

    /// The living process, started and prepared anew where there is none.
    fn process(&self) -> Result<Arc<PluginProcess>, FitError> {
        let mut state = self.state();
        loop {
            if let Some(given_up) = &state.given_up {
                return Err(given_up.clone());
            }
            if let Some(process) = &state.process {
                return Ok(Arc::clone(process));
            }
            let process = Arc::new(self.start()?);
            match prepare_again(&process, state.prepared.values()) {
                // In use only once it is whole.
                Ok(()) => state.process = Some(process),
                Err(Unready::Refused(error)) => return Err(error),
                Err(Unready::Died(death)) => self.count(&mut state, &process, &death)?,
            }
        }
    }

    fn start(&self) -> Result<PluginProcess, FitError> {
        let start = Start {
            library: LibraryRef::from(&self.plugin),
            table: Some(&self.table),
            gpu: self.terms.gpu.as_ref().map(Gpu::file),
            limits: self.terms.limits,
            listener: Arc::clone(&self.terms.listener),
        };
        self.terms.record.record_start(&self.plugin.sha256);
        let started = PluginProcess::start(start).with_context(|| format!("plugin {}", self.plugin.manifest.id));
        started.map_err(|error| FitError::Died { cause: format!("{error:#}"), stderr: Vec::new() })
    }

    /// Takes a dead process out of use, and counts its death once, however many fits it met.
    fn bury(&self, process: &Arc<PluginProcess>, death: &Death) -> Result<(), FitError> {
        let mut state = self.state();
        if state.process.as_ref().is_some_and(|current| Arc::ptr_eq(current, process)) {
            state.process = None;
            self.count(&mut state, process, death)?;
        }
        state.given_up.clone().map_or(Ok(()), Err)
    }

    /// Counts a death; an error once there were too many, or one that another process would only repeat.
    fn count(&self, state: &mut State, process: &PluginProcess, death: &Death) -> Result<(), FitError> {
        state.n_deaths += 1;
        self.terms.record.record_death(&self.plugin.sha256);
        let (id, pid, cause) = (&self.plugin.manifest.id, process.pid, death.cause.to_string());
        tracing::warn!(plugin = id, pid, cause, deaths = state.n_deaths, "plugin process died");
        if state.n_deaths > MAX_RESTARTS || !death.cause.is_worth_a_restart() {
            let error = FitError::from(death.clone());
            state.given_up = Some(error.clone());
            return Err(error);
        }
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }
}

/// Why a new process is not ready.
enum Unready {
    Refused(FitError),
    Died(Death),
}

/// Makes all that was prepared in a process before it ready in a new one.
fn prepare_again<'r>(process: &PluginProcess, requests: impl Iterator<Item = &'r Request>) -> Result<(), Unready> {
    for request in requests {
        match process.call(request.clone()) {
            Ok(Reply::Refused { code, message }) => return Err(Unready::Refused(FitError::Refused { code, message })),
            Ok(_) => {}
            Err(death) => return Err(Unready::Died(death)),
        }
    }
    Ok(())
}

impl Fitter for Session {
    fn manifest(&self) -> &Manifest {
        &self.plugin.manifest
    }

    fn prepare(&self, learn_rows: &[u32], setting: &Setting, hear: &FitProgressFn<'_>) -> Result<PreparedId, FitError> {
        let _gpu = self.hold_gpu(&setting.device, hear)?;
        let setting = setting.to_json().map_err(refused)?;
        // Started before the form is remembered, so that a new process does not prepare it twice.
        self.process()?;
        let (prepared, request) = {
            let mut state = self.state();
            let prepared = state.n_prepared;
            let request = Request::Prepare { prepared, learn_rows: learn_rows.to_vec(), setting };
            state.n_prepared += 1;
            state.prepared.insert(prepared, request.clone());
            (prepared, request)
        };
        if let Err(error) = self.call(&request, hear) {
            // A new process must not stumble over what a family has refused.
            self.state().prepared.remove(&prepared);
            return Err(error);
        }
        Ok(PreparedId(prepared))
    }

    fn fit(&self, request: &FitRequest<'_>) -> Result<Fitted, FitError> {
        let params = serde_json::Value::Object(request.params.clone()).to_string();
        let fit = Fit {
            prepared: request.prepared.0,
            label: request.label.to_vec(),
            train_rows: request.train_rows.to_vec(),
            tune_rows: request.tune_rows.to_vec(),
            params,
            seed: request.seed,
            device: request.device.to_owned(),
            predict_rows: request.predict_rows.to_vec(),
            keep_model: request.keep == Keep::Model,
        };
        let alone = !self.plugin.manifest.concurrent_fits;
        let _turn = alone.then(|| self.turn.lock());
        let _gpu = self.hold_gpu(request.device, request.hear)?;
        match self.call(&Request::Fit(fit), request.hear)? {
            Reply::Fitted { scores, summary, model, importance } => {
                let summary: Summary = serde_json::from_str(&summary).map_err(|error| {
                    refused(PluginError::engine(format!("its summary {summary} cannot be read: {error}")))
                })?;
                Ok(Fitted { scores, summary, model, importance })
            }
            other => Err(refused(PluginError::engine(format!("answered a fit with {other:?}")))),
        }
    }
}

impl Miner for Session {
    fn manifest(&self) -> &Manifest {
        &self.plugin.manifest
    }

    fn mine(&self, request: &MineRequest<'_>) -> Result<Vec<MinedRule>, FitError> {
        let params = serde_json::Value::Object(request.params.clone()).to_string();
        let extract = Extract {
            label: request.label.to_vec(),
            train_rows: request.train_rows.to_vec(),
            scores: request.scores.to_vec(),
            params,
            seed: request.seed,
        };
        let alone = !self.plugin.manifest.concurrent_fits;
        let _turn = alone.then(|| self.turn.lock());
        match self.call(&Request::Extract(extract), &|_| {})? {
            Reply::Mined(rules) => serde_json::from_str(&rules)
                .map_err(|error| refused(PluginError::engine(format!("its rules cannot be read: {error}")))),
            other => Err(refused(PluginError::engine(format!("answered an extraction with {other:?}")))),
        }
    }
}

fn refused(error: PluginError) -> FitError {
    FitError::Refused { code: error.code, message: error.message.into() }
}
