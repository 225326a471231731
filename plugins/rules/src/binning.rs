//! Sorts the values of each column into deciles of the training rows, with rounded edges.
//!
//! In: a table and the training rows. Out: [`Deciles`]. Columns that are only for rules are not
//! mined. Some contain price levels, which are not comparable across symbols or years; the others
//! repeat another column. A column is left out if it has a missing value on a training row, or if
//! all its values are equal.

use oculus_plugin_api::prelude::*;

use crate::row_set::RowSet;

/// Maximum share of the rows that may move to the other side of an edge when the edge is rounded.
const MOVED_SHARE: f64 = 0.003;

/// A side of an edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Side {
    /// Values up to and including the edge.
    AtMost,
    /// Values above the edge.
    Above,
}

/// One side of one edge of one column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Split {
    /// Index into the columns of [`Deciles`].
    pub(crate) column_idx: usize,
    /// Side of the edge.
    pub(crate) side: Side,
    /// Index into the edges of the column.
    pub(crate) edge_idx: usize,
}

/// A column whose values are sorted into deciles.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Column {
    /// Index of the feature in the table.
    pub(crate) feature_idx: usize,
    /// Edges of the deciles, ascending and distinct, at most nine.
    pub(crate) edges: Vec<f32>,
    /// For each training row, the number of edges below its value.
    pub(crate) bins: Vec<u8>,
    /// For each edge, two sets of training rows: the value is at most the edge, or it is above the
    /// edge.
    sides: Vec<[RowSet; 2]>,
}

impl Column {
    fn new(feature_idx: usize, edges: Vec<f32>, bins: Vec<u8>) -> Self {
        let rows =
            |edge_idx, is_above| RowSet::from_fn(bins.len(), |idx| (usize::from(bins[idx]) > edge_idx) == is_above);
        let sides = (0..edges.len()).map(|edge_idx| [rows(edge_idx, false), rows(edge_idx, true)]).collect();
        Self { feature_idx, edges, bins, sides }
    }
}

/// The columns that can be mined.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Deciles(pub(crate) Vec<Column>);

impl Deciles {
    /// Bins the column of every model feature, with edges from the training rows only.
    ///
    /// # Errors
    /// Returns [`code::DATA`](oculus_plugin_api::code::DATA) if no column can be mined, and
    /// [`code::CANCELLED`](oculus_plugin_api::code::CANCELLED) if the host cancelled the call.
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
                "found {n_features} features, expected at least one model feature that is finite and not constant on \
                 the training rows"
            )));
        }
        Ok(Self(columns))
    }

    /// Returns the training rows on one side of an edge.
    pub(crate) fn rows(&self, split: Split) -> &RowSet {
        let [at_most, above] = &self.0[split.column_idx].sides[split.edge_idx];
        if split.side == Side::AtMost { at_most } else { above }
    }

    /// Returns a split as a condition of the plugin API.
    pub(crate) fn condition(&self, split: Split, table: &Table<'_>) -> Condition {
        let column = &self.0[split.column_idx];
        let operator = match split.side {
            Side::AtMost => Operator::AtMost,
            Side::Above => Operator::Above,
        };
        let threshold = column.edges[split.edge_idx];
        Condition {
            feature: table.name(column.feature_idx).to_owned(),
            operator,
            threshold: shortest_decimal(threshold),
        }
    }
}

/// Returns the `f64` of the shortest decimal number that rounds to `threshold` as `f32`.
///
/// A direct conversion would add digits: 0.1 as `f32` is 0.10000000149 as `f64`.
fn shortest_decimal(threshold: f32) -> f64 {
    threshold.to_string().parse().unwrap_or(f64::from(threshold))
}

/// Bins one column. Returns `None` if the column has a missing value, or if all its values are
/// equal.
fn bin(feature_idx: usize, values: Vec<f32>) -> Option<Column> {
    if values.iter().any(|value| !value.is_finite()) {
        return None;
    }
    let mut sorted = values.clone();
    sorted.sort_unstable_by(f32::total_cmp);
    let least = *sorted.first()?;
    let most = *sorted.last()?;
    let mut edges: Vec<f32> = (1..10).map(|tenth| rounded(sorted[sorted.len() * tenth / 10], &sorted)).collect();
    // A column with few distinct values has equal quantiles.
    edges.dedup();
    // An edge at the largest value would have no row above it. Rounding may also move an edge below
    // the smallest value, so that it would have no row below it.
    edges.retain(|&edge| least <= edge && edge < most);
    // A value that equals an edge counts as below the edge, as `AtMost` requires.
    let bins = values.iter().map(|value| edges.partition_point(|edge| edge < value) as u8).collect();
    (!edges.is_empty()).then(|| Column::new(feature_idx, edges, bins))
}

/// Rounds an edge to the fewest digits that move at most [`MOVED_SHARE`] of the rows to the other
/// side.
fn rounded(edge: f32, sorted: &[f32]) -> f32 {
    let n_at_most = |edge: f32| sorted.partition_point(|&value| value <= edge);
    let exact = n_at_most(edge);
    let n_movable = (MOVED_SHARE * sorted.len() as f64) as usize;
    let with_digits = |n_digits: usize| format!("{:.*e}", n_digits - 1, edge).parse().unwrap_or(edge);
    // Nine significant digits identify every `f32`, so more than eight would not shorten the edge.
    (2..9).map(with_digits).find(|&short| n_at_most(short).abs_diff(exact) <= n_movable).unwrap_or(edge)
}
