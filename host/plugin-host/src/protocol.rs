//! The messages between a job and a plugin process: postcard in the frames of
//! [`oculus_system::control`].
//!
//! Both ends are the same binary, so the format is not versioned. Manifests, parameters and
//! summaries are JSON, as in the plugin API.

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
    /// Id of the file at the time its hash was computed. The bytes are hashed again only if the id
    /// has changed.
    pub file_id: Option<FileId>,
    /// Shape of the table in the file at [`TABLE_FD`]; `None` if the process has no table.
    pub table: Option<TableShape>,
}

/// The file descriptor of the table's file in a plugin process.
pub const TABLE_FD: std::os::fd::RawFd = 4;

/// A message from the job after the first one.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum HostMessage {
    /// Handle a request.
    Call(Call),
    /// Cancel every request, because the process is about to be killed.
    Cancel,
}

/// A numbered request. The events and the [`Reply`] of a request contain its number.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Call {
    /// Number of the request, unique in its process.
    pub id: u64,
    /// The request.
    pub request: Request,
}

/// A request to a plugin process.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Request {
    /// Return the manifest.
    Describe,
    /// Test whether the plugin meets the requirements of the plugin API.
    Examine(Depth),
    /// Prepare the table for fits.
    Prepare {
        /// Number that the job gave to the prepared table.
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
    /// Load a saved model, replacing the previous one.
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
        /// One base score per row of the table, if the model was fitted with base scores.
        base_score: Option<Vec<f32>>,
    },
}

/// The wire format of an [`oculus_pipeline::fitter::FitRequest`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Fit {
    /// Number that the job gave to the prepared table.
    pub prepared: usize,
    /// One label per row of the table.
    pub label: Vec<f32>,
    /// Rows to fit on, ascending.
    pub train_rows: Vec<u32>,
    /// Rows for early stopping, ascending; may be empty.
    pub tune_rows: Vec<u32>,
    /// Parameters of the family, as a JSON object.
    pub params: String,
    /// Seed of the fit.
    pub seed: u64,
    /// A device, or `auto`.
    pub device: String,
    /// One base score per row of the table, if the family supports them and the job has them.
    pub base_score: Option<Vec<f32>>,
    /// Rows to score.
    pub predict_rows: Vec<u32>,
    /// True if the reply must contain the model's bytes and importance.
    pub keep_model: bool,
}

/// The wire format of an [`oculus_pipeline::miner::MineRequest`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Extract {
    /// One label per row of the table.
    pub label: Vec<f32>,
    /// Rows to mine, ascending.
    pub train_rows: Vec<u32>,
    /// One score per row of the table.
    pub scores: Vec<f32>,
    /// Parameters of the extractor, as a JSON object.
    pub params: String,
    /// Seed of the extraction.
    pub seed: u64,
}

/// A message from a plugin process.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Event {
    /// The result of a request, which is its last event.
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
        /// A description of the current step, for people.
        message: String,
    },
    /// A metric of a fit.
    Metric {
        /// Number of the request.
        id: u64,
        /// Name of the metric, such as `loss`.
        name: String,
        /// Step of the value, such as the epoch.
        step: u64,
        /// Value of the metric.
        value: f64,
    },
    /// A log line of the plugin.
    Log {
        /// Number of the request.
        id: u64,
        /// Level, from 1 (error) to 5 (trace).
        level: u32,
        /// Text of the line.
        message: String,
    },
    /// The test of a claim has started. If the process dies before the next event, the test of this
    /// claim killed it.
    Examining {
        /// Number of the request.
        id: u64,
        /// The claim that is tested.
        claim: String,
    },
    /// The test of a claim has finished.
    Found {
        /// Number of the request.
        id: u64,
        /// The claim and its verdict.
        finding: Finding,
    },
    /// The library cannot be used. This is the last message of the process.
    Unusable {
        /// Message for people: the value found and the value expected.
        reason: String,
        /// True if the cause is outside the library, such as a missing shared library, so that a
        /// later attempt may succeed.
        is_transient: bool,
    },
}

impl Event {
    /// Returns the number of the request, or `None` for an event of the whole process.
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
    /// The manifest, as JSON.
    Described(String),
    /// The findings, one per tested claim.
    Examined(Vec<Finding>),
    /// The table is prepared.
    Prepared,
    /// A model was fitted.
    Fitted {
        /// One score per row of `predict_rows`.
        scores: Vec<f32>,
        /// JSON of [`oculus_plugin_api::Summary`].
        summary: String,
        /// The model's bytes, if requested.
        model: Option<Vec<u8>>,
        /// The importance of each column as a share of 1, if requested and available.
        importance: Option<Vec<f64>>,
    },
    /// The proposed rules: a JSON list of [`oculus_plugin_api::MinedRule`].
    Mined(String),
    /// The model is loaded.
    Loaded,
    /// The predictions of the loaded model.
    Predicted {
        /// One score per requested row.
        scores: Vec<f32>,
    },
    /// The plugin rejected the request.
    Rejected {
        /// One of [`oculus_plugin_api::code`].
        code: u32,
        /// Message for people: the value found and the value expected.
        message: String,
    },
}
