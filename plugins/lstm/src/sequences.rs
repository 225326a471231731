//! A prepared table: standardised model features, row-major, and the usable history of each row.
//!
//! In: a table, the training rows. Out: [`Sequences`]. Invariants: mean and deviation come from the training rows
//! alone; a window that a row's history covers has finite values of one symbol only.

use oculus_plugin_api::prelude::*;
use oculus_plugin_support::{ConstantRule, feature_moments};

/// Standardised values beyond this are cut.
pub(crate) const CLIP: f32 = 5.0;

/// Names, means and deviations of the features that a model reads.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Scaler {
    pub(crate) features: Vec<String>,
    pub(crate) mean: Vec<f32>,
    pub(crate) deviation: Vec<f32>,
}

impl Scaler {
    /// Measures mean and deviation over the finite values of `rows`, as the `f32` that the network computes with.
    fn measure(table: &Table<'_>, features: &[usize], rows: &[u32]) -> Self {
        let moments: Vec<Moments> = features.iter().map(|&idx| moments(table.column(idx), rows)).collect();
        Self {
            features: features.iter().map(|&feature_idx| table.name(feature_idx).to_owned()).collect(),
            mean: moments.iter().map(|moments| moments.mean as f32).collect(),
            deviation: moments.iter().map(divisor).collect(),
        }
    }
}

/// Measures the finite values of `rows`; the deviation of a constant feature is 0.
fn moments(column: &[f32], rows: &[u32]) -> Moments {
    let values = rows.iter().map(|&row| f64::from(column[row as usize])).filter(|value| value.is_finite());
    feature_moments(values, ConstantRule::UnresolvedDeviation)
}

/// Returns what to divide a feature by: infinity for a constant feature, so that it is 0 on all rows.
fn divisor(moments: &Moments) -> f32 {
    if moments.deviation == 0.0 { f32::INFINITY } else { moments.deviation as f32 }
}

/// A prepared table.
pub struct Sequences {
    /// How its values were standardised.
    pub(crate) scaler: Scaler,
    /// Names of all columns of the table.
    pub(crate) columns: Vec<String>,
    /// Standardised values, row-major, `n_rows × n_features`; 0 where the table has no finite value.
    pub(crate) values: Vec<f32>,
    /// Rows without a hole up to each row, itself included, of its own symbol.
    pub(crate) history: Vec<u32>,
}

impl Sequences {
    /// Standardises a table by the mean and deviation of `learn_rows`.
    ///
    /// # Errors
    /// [`code::DATA`](oculus_plugin_api::code::DATA) for a table without features for models.
    pub(crate) fn standardised(table: &Table<'_>, learn_rows: &[u32]) -> Result<Self> {
        let features = table.require_model_features()?;
        Ok(Self::with(Scaler::measure(table, &features, learn_rows), table, &features))
    }

    /// Standardises a table with an existing scaler.
    ///
    /// # Errors
    /// [`code::DATA`](oculus_plugin_api::code::DATA) for a table that lacks a feature.
    pub(crate) fn scaled(scaler: &Scaler, table: &Table<'_>) -> Result<Self> {
        let features = table.positions(&scaler.features)?;
        Ok(Self::with(scaler.clone(), table, &features))
    }

    fn with(scaler: Scaler, table: &Table<'_>, features: &[usize]) -> Self {
        let n_rows = table.n_rows();
        let n_features = features.len();
        let mut values = vec![0.0; n_rows * n_features];
        let mut is_whole = vec![true; n_rows];
        for (place, &feature_idx) in features.iter().enumerate() {
            let mean = scaler.mean[place];
            let deviation = scaler.deviation[place];
            for (row, &value) in table.column(feature_idx).iter().enumerate() {
                if value.is_finite() {
                    values[row * n_features + place] = ((value - mean) / deviation).clamp(-CLIP, CLIP);
                } else {
                    is_whole[row] = false;
                }
            }
        }
        let columns = (0..table.n_features()).map(|idx| table.name(idx).to_owned()).collect();
        Self { scaler, columns, values, history: history(table.symbol(), &is_whole) }
    }

    /// Number of features that a model reads.
    pub(crate) fn n_features(&self) -> usize {
        self.scaler.features.len()
    }

    /// Those of `rows` whose window of `length` rows is whole.
    pub(crate) fn with_history(&self, rows: &[u32], length: usize) -> Vec<u32> {
        rows.iter().copied().filter(|&row| self.history[row as usize] as usize >= length).collect()
    }
}

/// Whole rows up to each row, of its own symbol.
fn history(symbol: &[u32], is_whole: &[bool]) -> Vec<u32> {
    let mut history = vec![0; symbol.len()];
    for row in 0..symbol.len() {
        let before = if row > 0 && symbol[row - 1] == symbol[row] { history[row - 1] } else { 0 };
        history[row] = if is_whole[row] { before + 1 } else { 0 };
    }
    history
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn history_starts_again_at_a_new_symbol_and_after_a_hole() {
        let is_whole = [true, true, false, true, true, true, true];
        assert_eq!(history(&[0, 0, 0, 0, 0, 3, 3], &is_whole), [1, 2, 0, 1, 2, 1, 2]);
    }

    #[test]
    fn moments_are_of_the_finite_values_of_the_given_rows() {
        assert_eq!(moments(&[1.0, f32::NAN, 3.0, 1e9], &[0, 1, 2]), Moments { mean: 2.0, deviation: 1.0 });
        assert_eq!(moments(&[f32::INFINITY], &[0]), Moments { mean: 0.0, deviation: 0.0 });
    }

    #[test]
    fn a_constant_feature_is_divided_by_infinity() {
        let constant = moments(&[7.1, 7.1, 7.1], &[0, 1, 2]);
        assert_eq!((constant.mean as f32, divisor(&constant)), (7.1, f32::INFINITY));
        assert_eq!(divisor(&Moments { mean: 2.0, deviation: 1.0 }), 1.0);
    }
}
