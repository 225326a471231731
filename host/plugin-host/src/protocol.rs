//! The messages between a job and a plugin process: postcard in the frames of [`oculus_system::control`].
//!
//! Both ends are the same binary, so the format needs no versions. Manifests, parameters and summaries stay JSON, as
//! they cross the plugin's own boundary.

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
    /// Id of the file when its hash was computed; while it is the same, the bytes are not hashed again.
    pub file_id: Option<FileId>,
    /// The table mapped at [`TABLE_FD`], when there is one.
    pub table: Option<TableShape>,
}

/// Where a plugin process finds the table's file.
pub const TABLE_FD: std::os::fd::RawFd = 4;

/// What a job says after its first message.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Order {
    /// Do this.
    Call(Call),
    /// Give up what you are doing: the process is about to be killed.
    Cancel,
}

/// A numbered request; its [`Reply`] carries the number.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Call {
    /// Number of the request in its process.
    pub id: u64,
    /// What is asked.
    pub request: Request,
}

/// What a plugin process is asked.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Request {
    /// Who are you?
    Describe,
    /// Do you keep what every plugin promises?
    Examine(Depth),
    /// Make the table ready.
    Prepare {
        /// Number of the prepared form.
        prepared: usize,
        /// What statistics may come from.
        learn_rows: Vec<u32>,
        /// JSON of [`oculus_plugin_api::Setting`].
        setting: String,
    },
    /// Fit one model and predict with it.
    Fit(Fit),
    /// Propose rules.
    Extract(Extract),
    /// Make a saved model ready, in place of the one before.
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

/// [`oculus_pipeline::fitter::FitRequest`] on the wire.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Fit {
    /// Which prepared form.
    pub prepared: usize,
    /// One a row.
    pub label: Vec<f32>,
    /// Ascending.
    pub train_rows: Vec<u32>,
    /// Ascending, may be empty.
    pub tune_rows: Vec<u32>,
    /// JSON object.
    pub params: String,
    /// Seed of the fit.
    pub seed: u64,
    /// Device or `auto`.
    pub device: String,
    /// Rows to score.
    pub predict_rows: Vec<u32>,
    /// Whether the model's bytes are wanted.
    pub keep_model: bool,
}

/// [`oculus_pipeline::miner::MineRequest`] on the wire.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Extract {
    /// One a row.
    pub label: Vec<f32>,
    /// Ascending.
    pub train_rows: Vec<u32>,
    /// One a row.
    pub scores: Vec<f32>,
    /// JSON object.
    pub params: String,
    /// Seed of the extraction.
    pub seed: u64,
}

/// What a plugin process says.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Event {
    /// The end of a request.
    Reply {
        /// Number of the request.
        id: u64,
        /// What came of it.
        reply: Reply,
    },
    /// How far a request is.
    Progress {
        /// Number of the request.
        id: u64,
        /// From 0 to 1.
        fraction: f64,
        /// For people.
        message: String,
    },
    /// A figure of a fit.
    Metric {
        /// Number of the request.
        id: u64,
        /// Such as `loss`.
        name: String,
        /// Such as the epoch.
        step: u64,
        /// Its value.
        value: f64,
    },
    /// A line of the plugin's for the log.
    Log {
        /// Number of the request.
        id: u64,
        /// 1 (error) to 5 (trace).
        level: u32,
        /// The line.
        message: String,
    },
    /// A claim is tried: the one at fault where nothing more is heard.
    Examining {
        /// Number of the request.
        id: u64,
        /// The claim.
        claim: String,
    },
    /// What came of a claim.
    Found {
        /// Number of the request.
        id: u64,
        /// The claim and whether it holds.
        finding: Finding,
    },
    /// The library cannot be used; the last message.
    Unusable {
        /// What was found and needed.
        reason: String,
        /// Whether all that it wants is a shared library, which may be installed.
        lacks_library: bool,
    },
}

impl Event {
    /// Number of the request that it belongs to; `None` for one about the whole process.
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

/// The end of a request.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Reply {
    /// The manifest, JSON.
    Described(String),
    /// Every claim has been tried.
    Examined(Vec<Finding>),
    /// The table is ready.
    Prepared,
    /// A model was fitted.
    Fitted {
        /// One for each row to predict.
        scores: Vec<f32>,
        /// JSON of [`oculus_plugin_api::Summary`].
        summary: String,
        /// The model's bytes when wanted.
        model: Option<Vec<u8>>,
        /// Share of each column, when wanted and known.
        importance: Option<Vec<f64>>,
    },
    /// Rules were found: JSON of a list of [`oculus_plugin_api::MinedRule`].
    Mined(String),
    /// The model is loaded.
    Loaded,
    /// The loaded model has predicted.
    Predicted {
        /// One for each row.
        scores: Vec<f32>,
    },
    /// The plugin said no.
    Refused {
        /// One of [`oculus_plugin_api::code`].
        code: u32,
        /// What was found and needed.
        message: String,
    },
}
