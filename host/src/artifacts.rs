//! The artifacts of a job: its models, with everything that is needed to use them, in one folder per attempt.
//!
//! In: the findings of the pipeline. Out: `ARTIFACTS_DIR/<job>/<attempt>/` with `models/`, `predictions.csv`, the
//! strategy's `equity.parquet`, `equity.svg` and `trades.parquet`, `report.json` and, written last, `artifact.json`.
//! Invariants: nothing is ever overwritten; a folder without `artifact.json` is not an artifact; no job id leads out of
//! the folder.

mod attempt;
mod contents;
mod description;
mod equity_chart;
mod equity_files;
mod error;
mod folder_name;
mod history;
mod load;
mod place;
mod row_set;
mod store;
#[cfg(test)]
mod tests;

pub(crate) use self::{
    attempt::AttemptFolder,
    contents::{Contents, collect},
    description::{Artifact, SavedModel},
    history::history,
    load::SavedArtifact,
    place::ArtifactsPlace,
};
