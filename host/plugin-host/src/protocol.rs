//! The messages between a job and a plugin process: postcard in the frames of [`oculus_system::control`].
//!
//! Both ends are the same binary, so the format needs no versions. Manifests, parameters and summaries are JSON, as in
//! the plugin API.

use std::path::PathBuf;

use oculus_plugin_api::conformance::{Depth, Finding};
use serde::{Deserialize, Serialize};

use crate::file_id::FileId;
use crate::table::TableShape;

/// The first message to a plugin process.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Hello {
    /// The library to open.
    pub library: PathBuf,
    /// SHA-256 that the file must have, as hex.
    pub sha256: String,
    /// Id of the file when its hash was computed. The bytes are hashed again only if the id has changed.
    pub file_id: Option<FileId>,
    /// Shape of the table at [`TABLE_FD`], if there is one.
    pub table: Option<TableShape>,
}

/// The file descriptor of the table's file in a plugin process.
pub const TABLE_FD: std::os::fd::RawFd = 4;

/// A message of a job after the first one.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum HostMessage {
    /// Answer a request.
    Call(Call),
    /// Cancel every request: the process is about to be killed.
    Cancel,
}

/// A numbered request; its [`Reply`] carries the number.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Call {
    /// Number of the request in its process.
    pub id: u64,
    /// The request.
    pub request: Request,
}

/// A request to a plugin process.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Request {
    /// Return the manifest.
    Describe,
    /// Test the claims of the plugin API on the plugin.
    Examine(Depth),
    /// Prepare the table for fits.
    Prepare {
        /// Number of the prepared form.
        prepared: usize,
        /// Rows from which statistics may be computed.
        learn_rows: Vec<u32>,
        /// JSON of [`oculus_plugin_api::Setting`].
        setting: String,
    },
    /// Fit one model and predict with it.
    Fit(Fit),
    /// Propose rules.
    Extract(Extract),
    /// Load a saved model, in place of the previous one.
    Load {
        /// The bytes of a saved model.
        model: Vec<u8>,
        /// JSON of [`oculus_plugin_api::Setting`].
        setting: String,
    },
    /// Predict with the loaded model.
    Predict {
        /// Rows to score.
        rows: Vec<u32>,
    },
}

/// An [`oculus_pipeline::fitter::FitRequest`] on the wire.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Fit {
    /// Number of the prepared form.
    pub prepared: usize,
    /// One label per row of the table.
    pub label: Vec<f32>,
    /// Rows to fit on, ascending.
    pub train_rows: Vec<u32>,
    /// Rows for early stopping, ascending; may be empty.
    pub tune_rows: Vec<u32>,
    /// Parameters of the family, a JSON object.
    pub params: String,
    /// Seed of the fit.
    pub seed: u64,
    /// A device, or `auto`.
    pub device: String,
    /// Rows to score.
    pub predict_rows: Vec<u32>,
    /// Whether the reply contains the model's bytes and importance.
    pub keep_model: bool,
}

/// An [`oculus_pipeline::miner::MineRequest`] on the wire.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Extract {
    /// One label per row of the table.
    pub label: Vec<f32>,
    /// Rows to mine, ascending.
    pub train_rows: Vec<u32>,
    /// One score per row of the table.
    pub scores: Vec<f32>,
    /// Parameters of the extractor, a JSON object.
    pub params: String,
    /// Seed of the extraction.
    pub seed: u64,
}

/// A message of a plugin process.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Event {
    /// The end of a request.
    Reply {
        /// Number of the request.
        id: u64,
        /// The result of the request.
        reply: Reply,
    },
    /// The progress of a request.
    Progress {
        /// Number of the request.
        id: u64,
        /// From 0 to 1.
        fraction: f64,
        /// The present step, for people.
        message: String,
    },
    /// A metric of a fit.
    Metric {
        /// Number of the request.
        id: u64,
        /// Name, such as `loss`.
        name: String,
        /// Step, such as the epoch.
        step: u64,
        /// Value.
        value: f64,
    },
    /// A log line of the plugin.
    Log {
        /// Number of the request.
        id: u64,
        /// 1 (error) to 5 (trace).
        level: u32,
        /// The line.
        message: String,
    },
    /// The test of a claim begins. If the process dies now, this claim is the cause.
    Examining {
        /// Number of the request.
        id: u64,
        /// The claim.
        claim: String,
    },
    /// The test of a claim has ended.
    Found {
        /// Number of the request.
        id: u64,
        /// The claim, and whether it holds.
        finding: Finding,
    },
    /// The library cannot be used; the last message.
    Unusable {
        /// The finding and the requirement.
        reason: String,
        /// Whether the only cause is outside the library, such as a missing shared library, so that a later attempt may
        /// succeed.
        lacks_library: bool,
    },
}

impl Event {
    /// Returns the number of the request; `None` for an event of the whole process.
    pub fn id(&self) -> Option<u64> {
        match self {
            Self::Reply { id, .. }
            | Self::Progress { id, .. }
            | Self::Metric { id, .. }
            | Self::Log { id, .. }
            | Self::Examining { id, .. }
            | Self::Found { id, .. } => Some(*id),
            Self::Unusable { .. } => None,
        }
    }
}

/// The result of a request.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Reply {
    /// The manifest, JSON.
    Described(String),
    /// Every claim has been tested.
    Examined(Vec<Finding>),
    /// The table is ready.
    Prepared,
    /// A model was fitted.
    Fitted {
        /// One score per row of `predict_rows`.
        scores: Vec<f32>,
        /// JSON of [`oculus_plugin_api::Summary`].
        summary: String,
        /// The model's bytes, if requested.
        model: Option<Vec<u8>>,
        /// Share of each column, if requested and known.
        importance: Option<Vec<f64>>,
    },
    /// Rules were found: JSON of a list of [`oculus_plugin_api::MinedRule`].
    Mined(String),
    /// The model is loaded.
    Loaded,
    /// The loaded model has predicted.
    Predicted {
        /// One score per requested row.
        scores: Vec<f32>,
    },
    /// The plugin has refused the request.
    Refused {
        /// One of [`oculus_plugin_api::code`].
        code: u32,
        /// The finding and the requirement.
        message: String,
    },
}
