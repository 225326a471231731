//! A panel of surrogate markets: one feature table with the rows of all of them.
//!
//! In: a market, its feature table, and the label to forecast. Out: a [`SurrogatePanel`]. All
//! markets have the same bars, so the row `r` of surrogate `k` is the row `k · n + r` of the panel,
//! where `n` is the number of rows of one market. Each surrogate has its own values of the label
//! and its own splits, on the dates of the real partition; one process of a family can therefore
//! fit all of them.

use oculus_job::{error::JobError, request::Job};

use super::surrogate_market::surrogate;
use crate::{
    bars::Market,
    features::{self, FeatureTable},
    labels::{self, Label, LabelKey},
    metrics::Random,
    parallel::parallel_map,
    splits::{Partition, Splits},
};

/// Largest size in bytes of the values of one panel. More surrogates are computed in several
/// panels.
const MAX_BYTES: usize = 256 << 20;

/// The inputs of all surrogates of a job.
#[derive(Clone, Copy)]
pub(super) struct SurrogateInputs<'a> {
    pub(super) job: &'a Job,
    pub(super) market: &'a Market,
    pub(super) partition: &'a Partition,
    pub(super) key: LabelKey,
    pub(super) seed: u64,
    pub(super) n_parallel: usize,
}

/// Rows of several surrogate markets.
pub(super) struct SurrogatePanel {
    pub(super) table: FeatureTable,
    /// One label per surrogate: known on the rows of this surrogate only.
    pub(super) labels: Vec<Label>,
    /// The splits of each surrogate.
    pub(super) splits: Vec<Splits>,
}

/// Returns how many surrogates of a table belong in one panel, at least one.
pub(super) fn n_per_panel(table: &FeatureTable) -> usize {
    (MAX_BYTES / (4 * table.values.len()).max(1)).max(1)
}

impl SurrogatePanel {
    /// Computes the surrogates with these numbers. The market of a number does not depend on the
    /// other numbers.
    ///
    /// # Errors
    /// Returns the failure of computing features.
    pub(super) fn new(inputs: &SurrogateInputs<'_>, numbers: &[usize]) -> Result<Self, JobError> {
        let parts = parallel_map(inputs.n_parallel, numbers, |&number| part(inputs, number));
        let parts: Vec<(FeatureTable, Label)> = parts.into_iter().collect::<Result<_, _>>()?;
        let n_rows = parts.first().map_or(0, |(table, _)| table.n_rows());
        let splits = parts.iter().enumerate().map(|(idx, (table, label))| {
            let mut splits = inputs.partition.splits(table, label);
            splits.shift_rows((idx * n_rows) as u32);
            splits
        });
        Ok(Self {
            splits: splits.collect(),
            labels: (0..parts.len()).map(|idx| stacked_label(&parts, idx)).collect(),
            table: stacked_table(parts.iter().map(|(table, _)| table)),
        })
    }
}

/// Computes the features and the label of one surrogate.
fn part(inputs: &SurrogateInputs<'_>, number: usize) -> Result<(FeatureTable, Label), JobError> {
    let market = surrogate(inputs.market, Random::new(inputs.seed, &format!("surrogate market {number}")));
    let (table, _) = features::build(&market, inputs.job, 1)?;
    let label = labels::build_one(&market, &table, inputs.key);
    Ok((table, label))
}

fn stacked_table<'t>(tables: impl Iterator<Item = &'t FeatureTable> + Clone) -> FeatureTable {
    let Some(first) = tables.clone().next() else { return FeatureTable::default() };
    let mut values = Vec::with_capacity(tables.clone().map(|table| table.values.len()).sum());
    for feature_idx in 0..first.names.len() {
        tables.clone().for_each(|table| values.extend_from_slice(table.column(feature_idx)));
    }
    let n_symbols = first.symbols.len() as u32;
    // Every surrogate has its own symbol indices, because windows and episodes end where the symbol
    // changes.
    let symbols = tables.clone().enumerate();
    let symbols = symbols.flat_map(|(idx, table)| table.symbol.iter().map(move |code| idx as u32 * n_symbols + code));
    FeatureTable {
        names: first.names.clone(),
        roles: first.roles.clone(),
        values: values.into(),
        symbol: symbols.collect(),
        symbols: tables.clone().flat_map(|table| table.symbols.clone()).collect(),
        bar: tables.clone().flat_map(|table| table.bar.clone()).collect(),
        time: tables.clone().flat_map(|table| table.time.clone()).collect(),
        day: tables.flat_map(|table| table.day.clone()).collect(),
    }
}

/// Returns the label of one surrogate on all rows of the panel; NaN on the rows of the others.
fn stacked_label(parts: &[(FeatureTable, Label)], idx: usize) -> Label {
    let (_, own) = &parts[idx];
    let others = |value: f32| vec![value; own.value.len()];
    let value = parts.iter().enumerate().flat_map(
        |(part_idx, (_, label))| {
            if part_idx == idx { label.value.clone() } else { others(f32::NAN) }
        },
    );
    Label {
        value: value.collect(),
        forward_return_pct: parts.iter().flat_map(|(_, label)| label.forward_return_pct.iter().copied()).collect(),
        known_day: parts.iter().flat_map(|(_, label)| label.known_day.iter().copied()).collect(),
        ..*own
    }
}
