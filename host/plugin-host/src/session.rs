//! Runs one plugin for one job in a plugin process. A process that dies is restarted, unless it
//! hung or used too much memory.
//!
//! A fit request contains everything that it needs except the prepared tables. The session stores
//! the requests that prepared the tables. It can therefore start a new process, prepare the tables
//! again, and resend the fits that were in progress. The results of a resent fit have the same
//! bytes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context;
use oculus_pipeline::fitter::{
    FitError, FitOutput, FitProgress, FitProgressFn, FitRequest, Fitted, Fitter, PreparedId,
};
use oculus_pipeline::miner::{MineRequest, Miner};
use oculus_plugin_api::{Manifest, MinedRule, PluginError, Setting, Summary};
use parking_lot::{Mutex, MutexGuard};

use crate::device;
use crate::gpu::{Gpu, GpuGuard};
use crate::health::HealthRecord;
use crate::installed::InstalledPlugin;
use crate::library::LibraryRef;
use crate::limits::Limits;
use crate::process::{CallError, Death, Listener, PluginProcess, ProcessOptions};
use crate::progress_throttle::ProgressThrottle;
use crate::protocol::{Event, Extract, Fit, Reply, Request};
use crate::table::SharedTable;

/// The number of restarts after which a family has failed.
const MAX_RESTARTS: u32 = 2;

/// A running plugin with one feature table.
pub struct Session {
    plugin: InstalledPlugin,
    table: Arc<SharedTable>,
    config: SessionConfig,
    state: Mutex<SessionState>,
    /// This lock is held during each fit of a plugin that does not support concurrent fits.
    exclusive_fit: Mutex<()>,
}

/// The configuration that a session receives from its job.
pub struct SessionConfig {
    /// Lock of the GPU, held during each preparation and fit that may use the GPU. It is `None` if
    /// the plugin uses no GPU.
    pub gpu: Option<Gpu>,
    /// Limits of each process.
    pub limits: Limits,
    /// Receives every event of each process.
    pub listener: Listener,
    /// Records each start and death of a process.
    pub record: Arc<HealthRecord>,
}

/// The state that all threads of a session share.
struct SessionState {
    /// The running process, stored after every table is prepared in it.
    process: Option<Arc<PluginProcess>>,
    n_deaths: u32,
    /// The error that every further call returns after the process has died too often.
    final_error: Option<FitError>,
    /// The requests that prepared the tables. A new process repeats them in the order of their
    /// numbers.
    prepared: BTreeMap<usize, Request>,
    n_prepared: usize,
}

impl Session {
    /// Creates a session. The plugin process starts with the first request.
    pub fn new(plugin: InstalledPlugin, table: Arc<SharedTable>, config: SessionConfig) -> Self {
        let state =
            SessionState { process: None, n_deaths: 0, final_error: None, prepared: BTreeMap::new(), n_prepared: 0 };
        Self { plugin, table, config, state: Mutex::new(state), exclusive_fit: Mutex::default() }
    }

    /// Acquires the lock of the GPU if the device may be a GPU.
    fn acquire_gpu(&self, device: &str, on_progress: &FitProgressFn<'_>) -> Result<Option<GpuGuard<'_>>, FitError> {
        let Some(gpu) = self.config.gpu.as_ref().filter(|_| device != device::CPU) else { return Ok(None) };
        let on_wait = || {
            tracing::info!(plugin = self.plugin.manifest.id, "waiting for the GPU");
            on_progress(&FitProgress { waits_for_gpu: true, ..FitProgress::default() });
        };
        let guard = gpu
            .acquire(on_wait)
            .map_err(|error| CallError::from(PluginError::device(format!("cannot lock the GPU: {error}"))))?;
        Ok(Some(guard))
    }

    /// Sends a request until a process replies or the restarts are used up.
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
                Err(CallError::Rejected { code, message }) => {
                    // A panic does not kill the process, but a build whose fits panic is as faulty
                    // as a build whose process dies.
                    if code == oculus_plugin_api::code::PANIC {
                        self.config.record.record_death(&self.plugin.sha256);
                    }
                    return Err(FitError::Rejected { code, message });
                }
                Err(CallError::Died(death)) => self.on_process_death(&process, &death)?,
            }
        }
    }

    /// Returns the running process, or starts one and prepares every table in it. Other calls wait
    /// meanwhile.
    fn process(&self) -> Result<Arc<PluginProcess>, FitError> {
        let mut state = self.state();
        loop {
            if let Some(error) = &state.final_error {
                return Err(error.clone());
            }
            if let Some(process) = &state.process {
                return Ok(Arc::clone(process));
            }
            let process = Arc::new(self.start()?);
            match prepare_again(&process, state.prepared.values()) {
                // The process is stored only now, because a fit must not reach a process that lacks
                // its prepared table.
                Ok(()) => state.process = Some(process),
                Err(CallError::Died(death)) => self.count_death(&mut state, &process, &death)?,
                Err(rejected) => return Err(rejected.into()),
            }
        }
    }

    fn start(&self) -> Result<PluginProcess, FitError> {
        let options = ProcessOptions {
            library: LibraryRef::from(&self.plugin),
            table: Some(&self.table),
            gpu: self.config.gpu.as_ref().map(Gpu::file),
            limits: self.config.limits,
            listener: Arc::clone(&self.config.listener),
        };
        self.config.record.record_start(&self.plugin.sha256);
        let started = PluginProcess::start(options).with_context(|| format!("plugin {}", self.plugin.manifest.id));
        started.map_err(|error| FitError::Died { cause: format!("{error:#}"), stderr: Vec::new() })
    }

    /// Removes a dead process. Counts the death of the process only once, even if several fits were
    /// in progress.
    fn on_process_death(&self, process: &Arc<PluginProcess>, death: &Death) -> Result<(), FitError> {
        let mut state = self.state();
        // Another fit may have removed this process already, and a new one may be running.
        if state.process.as_ref().is_some_and(|current| Arc::ptr_eq(current, process)) {
            state.process = None;
            self.count_death(&mut state, process, death)?;
        }
        state.final_error.clone().map_or(Ok(()), Err)
    }

    /// Counts a death.
    ///
    /// # Errors
    /// Returns [`FitError::Died`] if the process died too often, or if a restarted process would
    /// die for the same reason.
    fn count_death(&self, state: &mut SessionState, process: &PluginProcess, death: &Death) -> Result<(), FitError> {
        state.n_deaths += 1;
        self.config.record.record_death(&self.plugin.sha256);
        let cause = death.cause.to_string();
        tracing::warn!(
            plugin = self.plugin.manifest.id,
            pid = process.pid,
            cause,
            deaths = state.n_deaths,
            "plugin process died"
        );
        if state.n_deaths > MAX_RESTARTS || !death.cause.is_restartable() {
            let error = FitError::from(death.clone());
            state.final_error = Some(error.clone());
            return Err(error);
        }
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, SessionState> {
        self.state.lock()
    }
}

/// Repeats all preparations in a new process.
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
        let _gpu = self.acquire_gpu(&setting.device, on_progress)?;
        let setting = setting.to_json().map_err(CallError::from)?;
        // The process is started before the request is stored. In the other order, `process` would
        // already prepare this table and the request below would repeat it.
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
            // A new process must not repeat a preparation that failed.
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
            base_score: request.base_score.filter(|_| self.plugin.manifest.base_score).map(<[f32]>::to_vec),
            predict_rows: request.predict_rows.to_vec(),
            keep_model: request.output == FitOutput::Model,
        };
        // A fit takes its turn before it locks the GPU. While it waits for its turn, other families
        // can therefore use the GPU.
        let is_exclusive = !self.plugin.manifest.concurrent_fits;
        let _turn = is_exclusive.then(|| self.exclusive_fit.lock());
        let _gpu = self.acquire_gpu(request.device, request.on_progress)?;
        match self.call(&Request::Fit(fit), request.on_progress)? {
            Reply::Fitted { scores, summary, model, importance } => {
                let summary: Summary = serde_json::from_str(&summary)
                    .map_err(|error| invalid_reply(format!("invalid summary {summary}: {error}")))?;
                Ok(Fitted { scores, summary, model, importance })
            }
            other => Err(invalid_reply(format!("replied to a fit request with {other:?}"))),
        }
    }

    fn score(
        &self,
        model: &[u8],
        setting: &Setting,
        base_score: Option<&[f32]>,
        rows: &[u32],
    ) -> Result<Vec<f32>, FitError> {
        let _gpu = self.acquire_gpu(&setting.device, &|_| {})?;
        let setting = setting.to_json().map_err(CallError::from)?;
        match self.call(&Request::Load { model: model.to_vec(), setting }, &|_| {})? {
            Reply::Loaded => {}
            other => return Err(invalid_reply(format!("replied to a load request with {other:?}"))),
        }
        match self
            .call(&Request::Predict { rows: rows.to_vec(), base_score: base_score.map(<[f32]>::to_vec) }, &|_| {})?
        {
            Reply::Predicted { scores } if scores.len() == rows.len() => Ok(scores),
            other => Err(invalid_reply(format!("replied to a prediction of {} rows with {other:?}", rows.len()))),
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
        let is_exclusive = !self.plugin.manifest.concurrent_fits;
        let _turn = is_exclusive.then(|| self.exclusive_fit.lock());
        match self.call(&Request::Extract(extract), &|_| {})? {
            Reply::Mined(rules) => {
                serde_json::from_str(&rules).map_err(|error| invalid_reply(format!("invalid rules: {error}")))
            }
            other => Err(invalid_reply(format!("replied to an extraction request with {other:?}"))),
        }
    }
}

/// Returns the error for a reply that is invalid or does not match the request.
fn invalid_reply(message: String) -> FitError {
    CallError::from(PluginError::engine(message)).into()
}
