//! Predicts with a saved model on one table, in a separate plugin process.
//!
//! In: an installed plugin, a table, and the bytes of a model that the plugin saved. Out: scores.
//! No model is fitted, and no other process parses the saved model.

use anyhow::Context;
use oculus_pipeline::fitter::FitError;
use oculus_plugin_api::{PluginError, Setting};

use crate::installed::InstalledPlugin;
use crate::library::LibraryRef;
use crate::limits::Limits;
use crate::process::{CallError, Listener, PluginProcess, ProcessOptions};
use crate::protocol::{Reply, Request};
use crate::table::SharedTable;

/// A plugin process that predicts with a loaded model. Dropping it terminates the process.
pub struct Predictor {
    process: PluginProcess,
}

impl Predictor {
    /// Starts a plugin process that can predict on a table.
    ///
    /// # Errors
    /// Returns [`FitError::Died`] if the system cannot start the process.
    pub fn start(
        plugin: &InstalledPlugin,
        table: &SharedTable,
        limits: Limits,
        listener: Listener,
    ) -> Result<Self, FitError> {
        let started = PluginProcess::start(ProcessOptions {
            library: LibraryRef::from(plugin),
            table: Some(table),
            // A prediction does not take the lock of the GPU, so it does not wait for training
            // jobs.
            gpu: None,
            limits,
            listener,
        })
        .with_context(|| format!("plugin {}", plugin.manifest.id));
        let process = started.map_err(|error| FitError::Died { cause: format!("{error:#}"), stderr: Vec::new() })?;
        Ok(Self { process })
    }

    /// Loads a model, replacing the previous one.
    ///
    /// # Errors
    /// Returns [`FitError::Rejected`] if the plugin rejects the bytes or the device, and
    /// [`FitError::Died`] if its process died.
    pub fn load(&self, model: Vec<u8>, setting: &Setting) -> Result<(), FitError> {
        let setting = setting.to_json().map_err(CallError::from)?;
        match self.process.call(Request::Load { model, setting })? {
            Reply::Loaded => Ok(()),
            other => Err(unexpected("load", &other)),
        }
    }

    /// Returns one score per row in `rows`. The score of a row with too little history is NaN.
    ///
    /// * `rows`: rows of the table, ascending.
    /// * `base_score`: one value per row of the table, if the model was fitted with base scores. A
    ///   row without a finite base score has the score NaN.
    ///
    /// # Errors
    /// Returns [`FitError::Rejected`] if the plugin rejects the request, for example because the
    /// table lacks a feature, and [`FitError::Died`] if its process died.
    pub fn predict(&self, rows: &[u32], base_score: Option<&[f32]>) -> Result<Vec<f32>, FitError> {
        let base_score = base_score.map(<[f32]>::to_vec);
        match self.process.call(Request::Predict { rows: rows.to_vec(), base_score })? {
            Reply::Predicted { scores } => Ok(scores),
            other => Err(unexpected("predict", &other)),
        }
    }
}

/// Returns the error for a reply that does not match the request.
fn unexpected(request: &str, reply: &Reply) -> FitError {
    CallError::from(PluginError::engine(format!("replied to a {request} request with {reply:?}"))).into()
}
