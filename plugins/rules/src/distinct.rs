//! Columns that say something of their own: in the order of the table, each that no earlier one says already.
//!
//! Among correlated columns, such as `RSI_14` and `STOCH_K`, noise decides which one looks best. The labels cannot
//! separate them, so the first column of such a group represents the group, whatever the labels.

use crate::binning::{Column, Deciles};

/// Correlation of deciles from which two columns say the same.
const SAME_COLUMN: f64 = 0.8;

/// Places among the columns of `deciles`, ascending.
pub(crate) fn columns(deciles: &Deciles) -> Vec<usize> {
    let moments: Vec<BinMoments> = deciles.0.iter().map(BinMoments::from_column).collect();
    let mut kept: Vec<usize> = Vec::new();
    for (idx, column) in deciles.0.iter().enumerate() {
        let correlation = |other: usize| {
            let covariance = mean_product(column, &deciles.0[other]) - moments[idx].mean * moments[other].mean;
            covariance / (moments[idx].deviation * moments[other].deviation)
        };
        if kept.iter().all(|&other| correlation(other).abs() < SAME_COLUMN) {
            kept.push(idx);
        }
    }
    kept
}

/// Mean and deviation of a column's bins. A column has two bins at least, so the deviation is above zero.
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
