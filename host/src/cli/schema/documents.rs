//! The JSON documents that a backend exchanges with the worker, the output of commands for operators,
//! and their schemas.
//!
//! In: a document. Out: its JSON Schema (draft 2020-12), derived from the types that write or read
//! the document. Invariant: the schema of a document that the worker writes allows no other key.

use oculus_job::progress::Event;
use oculus_job::request::payload::JobPayload;
use oculus_job::result::CompleteFailedResult;
use oculus_pipeline::report::Report;
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

use super::strict;
use crate::worker::operations::cancel::Cancellation;
use crate::worker::operations::dead::{ChangedLetters, DeadLetterList};
use crate::worker::operations::drain::DrainedWorker;
use crate::worker::operations::fleet::WorkerReport;
use crate::worker::operations::jobs::JobsOverview;
use crate::worker::operations::pause::QueueState;
use crate::worker::{Heartbeat, Registration};

/// A JSON document that a backend exchanges with the worker, or the output of a command.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) enum Document {
    /// The job that the backend stores
    Job,
    /// The result of a job
    Result,
    /// A progress event
    Progress,
    /// The body of a registration request
    Registration,
    /// The body of a heartbeat request
    Heartbeat,
    /// The report of a worker in Redis
    Worker,
    /// The output of `jobs --json`
    Jobs,
    /// The output of `cancel --json`
    Cancel,
    /// The output of `dead list --json` and `dead show --json`
    DeadLetters,
    /// The output of `dead retry --json` and `dead drop --json`
    DeadChanges,
    /// The output of `queue pause --json` and `queue resume --json`
    QueueStates,
    /// The output of `drain --json`
    Drain,
}

/// The result of any job. A strict client selects the variant by `status`.
#[derive(JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "only the schema of this type is used")]
enum JobResult {
    /// The result of a job with a model.
    Success(Box<Report>),
    /// The result of a job without a model: it was refused, failed or was cancelled.
    Failed(Box<CompleteFailedResult<'static>>),
}

impl Document {
    /// Returns the JSON Schema of the document.
    pub(super) fn schema(self) -> Value {
        match self {
            // Unknown fields of a job are ignored, so its schema allows them.
            Self::Job => json!(SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<JobPayload>()),
            Self::Result => written::<JobResult>(),
            Self::Progress => written::<Event>(),
            Self::Registration => written::<Registration>(),
            Self::Heartbeat => written::<Heartbeat>(),
            Self::Worker => written::<WorkerReport>(),
            Self::Jobs => written::<JobsOverview>(),
            Self::Cancel => written::<Vec<Cancellation>>(),
            Self::DeadLetters => written::<Vec<DeadLetterList>>(),
            Self::DeadChanges => written::<Vec<ChangedLetters>>(),
            Self::QueueStates => written::<Vec<QueueState>>(),
            Self::Drain => written::<DrainedWorker>(),
        }
    }
}

/// Returns the schema of a type that the worker writes.
fn written<T: JsonSchema>() -> Value {
    let generator = SchemaSettings::draft2020_12().for_serialize().into_generator();
    strict::closed(generator.into_root_schema_for::<T>())
}
