//! The artifacts of a job: its models and everything that is needed to use them, in one folder per
//! attempt.
//!
//! In: the outputs of the stages. Out: `ARTIFACTS_DIR/<job>/<attempt>/` with `models/`,
//! `predictions.csv`, the strategy's `equity.parquet`, `equity.svg` and `trades.parquet`,
//! `report.json` and `artifact.json`, which is written last. Invariants: files are never
//! overwritten; a folder without `artifact.json` is incomplete and is not used; a job id cannot
//! name a path outside `ARTIFACTS_DIR`.

mod attempt;
mod contents;
mod description;
mod equity_chart;
mod equity_files;
mod error;
mod folder_name;
mod history;
mod load;
mod location;
mod predictions;
mod row_set;
mod rows_used;
mod store;
#[cfg(test)]
mod tests;

pub(crate) use self::{
    attempt::AttemptFolder,
    contents::{Contents, collect},
    description::{Artifact, SavedModel, TrainingRecord},
    history::history,
    load::SavedArtifact,
    location::ArtifactsLocation,
    row_set::RowSet,
};
