//! What stays of a job: its models, with all that is needed to use them, in a folder of the attempt's own.
//!
//! In: what the pipeline made. Out: `ARTIFACTS_DIR/<job>/<attempt>/` with `models/`, `predictions.csv`, the strategy's
//! `equity.parquet`, `equity.svg` and `trades.parquet`, `report.json` and `artifact.json`, the last one to be written.
//! Invariants: nothing is ever overwritten; a folder without `artifact.json` is no artifact; no job's id leads out of the
//! folder.

mod attempt;
mod collect;
mod course;
mod description;
mod equity_chart;
mod error;
mod history;
mod kept;
mod names;
mod store;
#[cfg(test)]
mod tests;

pub(crate) use self::{
    attempt::Attempt,
    collect::{Contents, collect},
    description::{Artifact, SavedModel},
    history::history,
    kept::Kept,
};
