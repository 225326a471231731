//! Columns that say something of their own: in the order of the table, each that no earlier one says already.
//!
//! Of columns that tell of one thing, such as `RSI_14` and `STOCH_K`, noise decides which looks best. What labels cannot
//! tell apart is not asked of them: the first one stands for all, whatever the labels.

use crate::binning::{Column, Deciles};

/// Correlation of deciles from which two columns say the same.
const SAME_COLUMN: f64 = 0.8;

/// Places among the columns of `deciles`, ascending.
pub fn columns(deciles: &Deciles) -> Vec<usize> {
    let spreads: Vec<Spread> = deciles.0.iter().map(Spread::of).collect();
    let mut kept: Vec<usize> = Vec::new();
    for (idx, column) in deciles.0.iter().enumerate() {
        let correlation = |other: usize| {
            let covariance = mean_product(column, &deciles.0[other]) - spreads[idx].mean * spreads[other].mean;
            covariance / (spreads[idx].deviation * spreads[other].deviation)
        };
        if kept.iter().all(|&other| correlation(other).abs() < SAME_COLUMN) {
            kept.push(idx);
        }
    }
    kept
}

/// Of the bins of a column; a column has two at least, so the deviation is above zero.
struct Spread {
    mean: f64,
    deviation: f64,
}

impl Spread {
    fn of(column: &Column) -> Self {
        let n_rows = column.bins.len() as f64;
        let mean = column.bins.iter().map(|&bin| f64::from(bin)).sum::<f64>() / n_rows;
        Self { mean, deviation: (mean_product(column, column) - mean * mean).sqrt() }
    }
}

fn mean_product(a: &Column, b: &Column) -> f64 {
    let sum: u64 = a.bins.iter().zip(&b.bins).map(|(&a, &b)| u64::from(a) * u64::from(b)).sum();
    sum as f64 / a.bins.len() as f64
}
