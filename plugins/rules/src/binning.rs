//! Columns in deciles of the training rows, with edges that a person can read.
//!
//! In: a table and the rows to learn from. Out: [`Deciles`]. Columns for rules only are levels, which mean nothing across
//! symbols or years, or say what another column says; neither is mined. A column with a hole on a training row is left
//! out, and so is one with a single value.

use oculus_plugin_api::prelude::*;

use crate::row_set::RowSet;

/// Share of the rows that may change sides where an edge is rounded.
const MOVED_SHARE: f64 = 0.003;

/// Which side of an edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Side {
    /// The edge and below.
    AtMost,
    /// Above the edge.
    Above,
}

/// One side of one edge of one column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Split {
    /// Place among the columns of [`Deciles`].
    pub(crate) column_idx: usize,
    /// Which side.
    pub(crate) side: Side,
    /// Place among the edges of the column.
    pub(crate) edge_idx: usize,
}

/// A column in deciles.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Column {
    /// Place in the table.
    pub(crate) feature_idx: usize,
    /// Ascending and distinct, at most nine.
    pub(crate) edges: Vec<f32>,
    /// Of each training row, the number of edges below its value.
    pub(crate) bins: Vec<u8>,
    /// Of each edge the training rows at most it, and those above.
    sides: Vec<[RowSet; 2]>,
}

impl Column {
    fn new(feature_idx: usize, edges: Vec<f32>, bins: Vec<u8>) -> Self {
        let rows =
            |edge_idx, is_above| RowSet::from_fn(bins.len(), |place| (usize::from(bins[place]) > edge_idx) == is_above);
        let sides = (0..edges.len()).map(|edge_idx| [rows(edge_idx, false), rows(edge_idx, true)]).collect();
        Self { feature_idx, edges, bins, sides }
    }
}

/// The columns that can be mined.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Deciles(pub(crate) Vec<Column>);

impl Deciles {
    /// Bins every column for models by the training rows alone.
    ///
    /// # Errors
    /// [`code::DATA`](oculus_plugin_api::code::DATA) where no column can be mined; cancellation.
    pub(crate) fn new(table: &Table<'_>, train_rows: &[u32], ctx: &Ctx<'_, '_>) -> Result<Self> {
        let mut columns = Vec::new();
        for feature_idx in table.model_features() {
            ctx.check()?;
            let values = table.column(feature_idx);
            columns.extend(bin(feature_idx, train_rows.iter().map(|&row| values[row as usize]).collect()));
        }
        if columns.is_empty() {
            let n_features = table.n_features();
            return Err(PluginError::data(format!(
                "none of the {n_features} features is for models and has two finite values on the training rows"
            )));
        }
        Ok(Self(columns))
    }

    /// The training rows on one side.
    pub(crate) fn rows(&self, split: Split) -> &RowSet {
        let [at_most, above] = &self.0[split.column_idx].sides[split.edge_idx];
        if split.side == Side::AtMost { at_most } else { above }
    }

    /// The side in words that a host understands.
    pub(crate) fn condition(&self, split: Split, table: &Table<'_>) -> Condition {
        let column = &self.0[split.column_idx];
        let operator = match split.side {
            Side::AtMost => Operator::AtMost,
            Side::Above => Operator::Above,
        };
        let threshold = column.edges[split.edge_idx];
        Condition { feature: table.name(column.feature_idx).to_owned(), operator, threshold: as_written(threshold) }
    }
}

/// The shortest decimal number that is this one as `f32`.
fn as_written(threshold: f32) -> f64 {
    threshold.to_string().parse().unwrap_or(f64::from(threshold))
}

fn bin(feature_idx: usize, values: Vec<f32>) -> Option<Column> {
    if values.iter().any(|value| !value.is_finite()) {
        return None;
    }
    let mut sorted = values.clone();
    sorted.sort_unstable_by(f32::total_cmp);
    let least = *sorted.first()?;
    let most = *sorted.last()?;
    let mut edges: Vec<f32> = (1..10).map(|tenth| rounded(sorted[sorted.len() * tenth / 10], &sorted)).collect();
    edges.dedup();
    // With the largest value for an edge, nothing is above it.
    edges.retain(|&edge| least <= edge && edge < most);
    let bins = values.iter().map(|value| edges.partition_point(|edge| edge < value) as u8).collect();
    (!edges.is_empty()).then(|| Column::new(feature_idx, edges, bins))
}

/// The edge with as few digits as keep all but a small share of the rows on their side.
fn rounded(edge: f32, sorted: &[f32]) -> f32 {
    let n_at_most = |edge: f32| sorted.partition_point(|&value| value <= edge);
    let exact = n_at_most(edge);
    let n_movable = (MOVED_SHARE * sorted.len() as f64) as usize;
    let with_digits = |n_digits: usize| format!("{:.*e}", n_digits - 1, edge).parse().unwrap_or(edge);
    (2..9).map(with_digits).find(|&short| n_at_most(short).abs_diff(exact) <= n_movable).unwrap_or(edge)
}
