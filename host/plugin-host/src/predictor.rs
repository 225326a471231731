//! A saved model at work on one table, in a plugin process of its own.
//!
//! In: an installed plugin, a table, the bytes of a model that the plugin has saved. Out: scores. Nothing is fitted, and
//! no other process reads the model.

use anyhow::Context;
use oculus_pipeline::fitter::FitError;
use oculus_plugin_api::{PluginError, Setting};

use crate::installed::InstalledPlugin;
use crate::library::LibraryRef;
use crate::limits::Limits;
use crate::process::{CallError, Listener, PluginProcess, Start};
use crate::protocol::{Reply, Request};
use crate::table::SharedTable;

/// A plugin process with a model loaded; dropping it ends the process.
pub struct Predictor {
    process: PluginProcess,
}

impl Predictor {
    /// Starts a process on a table.
    ///
    /// # Errors
    /// The system's own, as [`FitError::Died`].
    pub fn start(
        plugin: &InstalledPlugin,
        table: &SharedTable,
        limits: Limits,
        listener: Listener,
    ) -> Result<Self, FitError> {
        let started = PluginProcess::start(Start {
            library: LibraryRef::from(plugin),
            table: Some(table),
            gpu: None,
            limits,
            listener,
        })
        .with_context(|| format!("plugin {}", plugin.manifest.id));
        let process = started.map_err(|error| FitError::Died { cause: format!("{error:#}"), stderr: Vec::new() })?;
        Ok(Self { process })
    }

    /// Loads a model in place of the one before.
    ///
    /// # Errors
    /// What the plugin says of the bytes or of the device, or that its process died.
    pub fn load(&self, model: Vec<u8>, setting: &Setting) -> Result<(), FitError> {
        let setting = setting.to_json().map_err(CallError::from)?;
        match self.process.call(Request::Load { model, setting })? {
            Reply::Loaded => Ok(()),
            other => Err(unexpected("to load a model", &other)),
        }
    }

    /// One score for each of `rows`, ascending rows of the table; NaN where a row has too little history.
    ///
    /// # Errors
    /// What the plugin says, such as that the table lacks a feature, or that its process died.
    pub fn predict(&self, rows: &[u32]) -> Result<Vec<f32>, FitError> {
        match self.process.call(Request::Predict { rows: rows.to_vec() })? {
            Reply::Predicted { scores } => Ok(scores),
            other => Err(unexpected("to predict", &other)),
        }
    }
}

fn unexpected(asked: &str, found: &Reply) -> FitError {
    CallError::from(PluginError::engine(format!("answered {found:?} when asked {asked}"))).into()
}
