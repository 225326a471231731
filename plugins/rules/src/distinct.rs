//! Removes redundant columns: goes through the columns in the order of the table, and keeps a
//! column if no kept column correlates with it.
//!
//! Among correlated columns, such as `RSI_14` and `STOCH_K`, noise decides which one scores best.
//! The labels cannot separate them, so the first column of such a group always represents the
//! group.

use crate::binning::{Column, Deciles};

/// Two columns are redundant if the absolute correlation of their bins is at least this value.
const REDUNDANT: f64 = 0.8;

/// Returns the indices of the kept columns of `deciles`, ascending.
pub(crate) fn columns(deciles: &Deciles) -> Vec<usize> {
    // The correlation is computed from bins, not from values, so that a few extreme values do not
    // dominate it.
    let moments: Vec<BinMoments> = deciles.0.iter().map(BinMoments::from_column).collect();
    let mut kept: Vec<usize> = Vec::new();
    for (idx, column) in deciles.0.iter().enumerate() {
        let correlation = |other: usize| {
            let covariance = mean_product(column, &deciles.0[other]) - moments[idx].mean * moments[other].mean;
            covariance / (moments[idx].deviation * moments[other].deviation)
        };
        if kept.iter().all(|&other| correlation(other).abs() < REDUNDANT) {
            kept.push(idx);
        }
    }
    kept
}

/// Mean and deviation of a column's bins. A column has at least two bins, so the deviation is above
/// zero.
struct BinMoments {
    mean: f64,
    deviation: f64,
}

impl BinMoments {
    fn from_column(column: &Column) -> Self {
        let n_rows = column.bins.len() as f64;
        let mean = column.bins.iter().map(|&bin| f64::from(bin)).sum::<f64>() / n_rows;
        Self { mean, deviation: (mean_product(column, column) - mean * mean).sqrt() }
    }
}

fn mean_product(a: &Column, b: &Column) -> f64 {
    let sum: u64 = a.bins.iter().zip(&b.bins).map(|(&a, &b)| u64::from(a) * u64::from(b)).sum();
    sum as f64 / a.bins.len() as f64
}
