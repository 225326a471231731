//! One plugin at work for one job: a process that is started again when it dies, unless it hung or took too much memory.
//!
//! A fit carries everything it needs but the prepared tables, so a session that remembers these can start a new process,
//! prepare again, and send the fits that were in flight once more. The same bytes come out.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context;
use oculus_pipeline::fitter::{FitError, FitProgress, FitProgressFn, FitRequest, Fitted, Fitter, Keep, PreparedId};
use oculus_pipeline::miner::{MineRequest, Miner};
use oculus_plugin_api::{Manifest, MinedRule, PluginError, Setting, Summary};
use parking_lot::{Mutex, MutexGuard};

use crate::device;
use crate::gpu::{Gpu, Hold};
use crate::health::HealthRecord;
use crate::installed::InstalledPlugin;
use crate::library::LibraryRef;
use crate::limits::Limits;
use crate::process::{CallError, Death, Listener, PluginProcess, Start};
use crate::progress_throttle::ProgressThrottle;
use crate::protocol::{Event, Extract, Fit, Reply, Request};
use crate::table::SharedTable;

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
    /// Receives every event of each process.
    pub listener: Listener,
    /// Records each start and death of a process.
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
        let state = State { process: None, n_deaths: 0, given_up: None, prepared: BTreeMap::new(), n_prepared: 0 };
        Self { plugin, table, terms, state: Mutex::new(state), turn: Mutex::default() }
    }

    /// Keeps the GPU from other families where the device may be one.
    fn hold_gpu(&self, device: &str, on_progress: &FitProgressFn<'_>) -> Result<Option<Hold<'_>>, FitError> {
        let Some(gpu) = self.terms.gpu.as_ref().filter(|_| device != device::CPU) else { return Ok(None) };
        let on_wait = || {
            tracing::info!(plugin = self.plugin.manifest.id, "waiting for the GPU");
            on_progress(&FitProgress { waits_for_gpu: true, ..FitProgress::default() });
        };
        let hold = gpu.hold(on_wait).map_err(|error| {
            CallError::from(PluginError::device(format!("the GPU cannot be kept from other jobs: {error}")))
        })?;
        Ok(Some(hold))
    }

    /// Calls until a process lives long enough to reply.
    fn call(&self, request: &Request, on_progress: &FitProgressFn<'_>) -> Result<Reply, FitError> {
        loop {
            let process = self.process()?;
            let mut throttle = ProgressThrottle::new(Instant::now());
            let mut on_event = |event: &Event| _ = throttle.on_event(event, Instant::now()).map(on_progress);
            match process.call_with_events(request.clone(), &mut on_event) {
                Ok(reply) => {
                    throttle.pending().map(on_progress);
                    return Ok(reply);
                }
                Err(CallError::Refused { code, message }) => {
                    // The process survives a panic, but a build whose fits panic is as unfit as one whose process dies.
                    if code == oculus_plugin_api::code::PANIC {
                        self.terms.record.record_death(&self.plugin.sha256);
                    }
                    return Err(FitError::Refused { code, message });
                }
                Err(CallError::Died(death)) => self.on_process_death(&process, &death)?,
            }
        }
    }

    /// Returns the living process; starts and prepares one if there is none.
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
                // In use only once it has everything that was prepared.
                Ok(()) => state.process = Some(process),
                Err(CallError::Died(death)) => self.count_death(&mut state, &process, &death)?,
                Err(refused) => return Err(refused.into()),
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
    fn on_process_death(&self, process: &Arc<PluginProcess>, death: &Death) -> Result<(), FitError> {
        let mut state = self.state();
        if state.process.as_ref().is_some_and(|current| Arc::ptr_eq(current, process)) {
            state.process = None;
            self.count_death(&mut state, process, death)?;
        }
        state.given_up.clone().map_or(Ok(()), Err)
    }

    /// Counts a death; an error once there were too many, or one that another process would only repeat.
    fn count_death(&self, state: &mut State, process: &PluginProcess, death: &Death) -> Result<(), FitError> {
        state.n_deaths += 1;
        self.terms.record.record_death(&self.plugin.sha256);
        let cause = death.cause.to_string();
        tracing::warn!(
            plugin = self.plugin.manifest.id,
            pid = process.pid,
            cause,
            deaths = state.n_deaths,
            "plugin process died"
        );
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

/// Prepares in a new process everything that was prepared in the one before.
fn prepare_again<'r>(process: &PluginProcess, requests: impl Iterator<Item = &'r Request>) -> Result<(), CallError> {
    for request in requests {
        process.call(request.clone())?;
    }
    Ok(())
}

impl Fitter for Session {
    fn manifest(&self) -> &Manifest {
        &self.plugin.manifest
    }

    fn prepare(
        &self,
        learn_rows: &[u32],
        setting: &Setting,
        on_progress: &FitProgressFn<'_>,
    ) -> Result<PreparedId, FitError> {
        let _gpu = self.hold_gpu(&setting.device, on_progress)?;
        let setting = setting.to_json().map_err(CallError::from)?;
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
        if let Err(error) = self.call(&request, on_progress) {
            // A new process must not prepare again what the family has refused.
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
        let _gpu = self.hold_gpu(request.device, request.on_progress)?;
        match self.call(&Request::Fit(fit), request.on_progress)? {
            Reply::Fitted { scores, summary, model, importance } => {
                let summary: Summary = serde_json::from_str(&summary)
                    .map_err(|error| unusable(format!("its summary {summary} cannot be read: {error}")))?;
                Ok(Fitted { scores, summary, model, importance })
            }
            other => Err(unusable(format!("answered a fit with {other:?}"))),
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
            Reply::Mined(rules) => {
                serde_json::from_str(&rules).map_err(|error| unusable(format!("its rules cannot be read: {error}")))
            }
            other => Err(unusable(format!("answered an extraction with {other:?}"))),
        }
    }
}

/// Returns the error for a reply that cannot be used.
fn unusable(message: String) -> FitError {
    CallError::from(PluginError::engine(message)).into()
}
