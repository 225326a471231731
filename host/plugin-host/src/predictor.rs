//! A saved model at work on one table, in a plugin process of its own.
//!
//! In: an installed plugin, a table, the bytes of a model that the plugin has saved. Out: scores. Nothing is fitted, and
//! nobody but this process sees the model.

use anyhow::Context;
use oculus_plugin_api::{PluginError, Setting};

use crate::installed::InstalledPlugin;
use crate::library::LibraryRef;
use crate::limits::Limits;
use crate::process::{Listener, PluginProcess, Start};
use crate::protocol::{Reply, Request};
use crate::table::SharedTable;
use oculus_pipeline::fitter::FitError;

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
        let setting = setting.to_json().map_err(refused)?;
        match self.call(Request::Load { model, setting })? {
            Reply::Loaded => Ok(()),
            other => Err(unexpected("to load a model", &other)),
        }
    }

    /// One score for each of `rows`, ascending rows of the table; NaN where a row has too little history.
    ///
    /// # Errors
    /// What the plugin says, such as that the table lacks a feature, or that its process died.
    pub fn predict(&self, rows: &[u32]) -> Result<Vec<f32>, FitError> {
        match self.call(Request::Predict { rows: rows.to_vec() })? {
            Reply::Predicted { scores } => Ok(scores),
            other => Err(unexpected("to predict", &other)),
        }
    }

    fn call(&self, request: Request) -> Result<Reply, FitError> {
        match self.process.call(request) {
            Ok(Reply::Refused { code, message }) => Err(FitError::Refused { code, message }),
            Ok(reply) => Ok(reply),
            Err(death) => Err(death.into()),
        }
    }
}

fn unexpected(asked: &str, found: &Reply) -> FitError {
    refused(PluginError::engine(format!("answered {found:?} when asked {asked}")))
}

fn refused(error: PluginError) -> FitError {
    FitError::Refused { code: error.code, message: error.message.into() }
}
