//! Computes the volatility baseline: a logistic regression on log NATR_14 and log HV_20.
//!
//! A volatile stock reaches any threshold more often, so volatility alone partly forecasts whether
//! a threshold is reached. The skill of a model is what it adds to that forecast.
//!
//! In: the feature table, a label, the rows to fit on and the rows to predict. Out: the log-odds of
//! each row. They are the scores of the baseline, and the base scores from which families that
//! support them start. Invariant: no randomness.

use serde::{Deserialize, Serialize};

use super::features::FeatureTable;

/// The features that measure volatility.
pub(crate) const FEATURES: [&str; 2] = ["NATR_14", "HV_20"];
/// Weight of the penalty `|w|² / 2`. It keeps the weights of separable data finite, and is too
/// small to change other weights visibly.
const RIDGE: f64 = 1e-3;
/// Maximum number of Newton steps, and maximum number of halvings of one step.
const MAX_STEPS: usize = 50;
/// Lower bound of a volatility before its logarithm is taken: a series that never moves has a
/// volatility of 0.
const MIN_VALUE: f64 = 1e-6;
/// The iteration has converged if every component of a step is smaller than this.
const SMALL_STEP: f64 = 1e-10;

/// Number of coefficients: the intercept, then one per feature.
const N: usize = FEATURES.len() + 1;

/// The logarithms of the volatility features of all rows.
#[derive(Clone, Debug)]
pub struct Volatility {
    logs: Vec<[f64; N - 1]>,
}

impl Volatility {
    /// Reads the volatility features, or returns `None` if the table does not contain both.
    pub fn from_table(table: &FeatureTable) -> Option<Self> {
        let [first, second] = FEATURES.map(|name| table.by_name(name));
        let log = |value: f32| f64::from(value).max(MIN_VALUE).ln();
        let logs = first?.iter().zip(second?).map(|(&a, &b)| [log(a), log(b)]).collect();
        Some(Self { logs })
    }

    /// Fits on the training rows and returns the log-odds of each row of `predict_rows`.
    ///
    /// Returns `None` if the training rows contain one class only.
    pub(crate) fn scores(&self, label: &[f32], train_rows: &[u32], predict_rows: &[u32]) -> Option<Vec<f32>> {
        let model = self.fit(label, train_rows)?;
        Some(predict_rows.iter().map(|&row| model.log_odds(&self.logs[row as usize]) as f32).collect())
    }

    /// Fits on the training rows; `None` if they contain one class only.
    pub(crate) fn fit(&self, label: &[f32], train_rows: &[u32]) -> Option<VolatilityModel> {
        let scale = Scale::from_rows(train_rows.iter().map(|&row| &self.logs[row as usize]));
        let rows: Vec<([f64; N], f64)> = train_rows
            .iter()
            .map(|&row| (scale.apply(&self.logs[row as usize]), f64::from(label[row as usize])))
            .collect();
        let n_positive = rows.iter().filter(|(_, class)| *class == 1.0).count();
        (0 < n_positive && n_positive < rows.len()).then(|| VolatilityModel { scale, weights: maximise(&rows) })
    }

    /// Returns the log-odds of every row of the table.
    pub fn base_score(&self, model: &VolatilityModel) -> Vec<f32> {
        self.logs.iter().map(|logs| model.log_odds(logs) as f32).collect()
    }
}

/// The mean and the standard deviation of each feature on the training rows.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Scale {
    mean: [f64; N - 1],
    deviation: [f64; N - 1],
}

impl Scale {
    fn from_rows<'a>(rows: impl Iterator<Item = &'a [f64; N - 1]> + Clone) -> Self {
        let n_rows = rows.clone().count().max(1) as f64;
        let mean = std::array::from_fn(|idx| rows.clone().map(|row| row[idx]).sum::<f64>() / n_rows);
        let deviation = std::array::from_fn(|idx| {
            let variance = rows.clone().map(|row| (row[idx] - mean[idx]).powi(2)).sum::<f64>() / n_rows;
            // A constant feature is only centred, so that no division by zero occurs.
            if variance > 0.0 { variance.sqrt() } else { 1.0 }
        });
        Self { mean, deviation }
    }

    /// Standardises a row and prepends the constant 1 for the intercept.
    fn apply(&self, row: &[f64; N - 1]) -> [f64; N] {
        std::array::from_fn(|idx| match idx.checked_sub(1) {
            None => 1.0,
            Some(idx) => (row[idx] - self.mean[idx]) / self.deviation[idx],
        })
    }
}

/// A fitted baseline.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct VolatilityModel {
    #[serde(flatten)]
    scale: Scale,
    /// Intercept, then one weight per feature.
    weights: [f64; N],
}

impl VolatilityModel {
    fn log_odds(&self, row: &[f64; N - 1]) -> f64 {
        dot(&self.weights, &self.scale.apply(row))
    }
}

/// Maximises the ridge-penalised log likelihood by Newton's method; a step is halved until it
/// improves the objective.
///
/// Source: iteratively reweighted least squares, McCullagh and Nelder, *Generalized Linear Models*, 1989.
fn maximise(rows: &[([f64; N], f64)]) -> [f64; N] {
    let mut weights = [0.0; N];
    let mut best = objective(rows, &weights);
    for _ in 0..MAX_STEPS {
        let step = newton_step(rows, &weights);
        // A full step may overshoot where the data are nearly separable.
        let tried = (0..MAX_STEPS).map(|halvings| {
            let share = 0.5_f64.powi(halvings as i32);
            let moved: [f64; N] = std::array::from_fn(|idx| weights[idx] + share * step[idx]);
            (objective(rows, &moved), moved)
        });
        let Some((better, moved)) = tried.into_iter().find(|(value, _)| *value > best) else { break };
        best = better;
        weights = moved;
        if step.iter().all(|part| part.abs() < SMALL_STEP) {
            break;
        }
    }
    weights
}

fn objective(rows: &[([f64; N], f64)], weights: &[f64; N]) -> f64 {
    // `ln(1 + eᶻ)`, in a form that does not overflow for a large `z`.
    let softplus = |z: f64| z.max(0.0) + (-z.abs()).exp().ln_1p();
    let likelihood: f64 = rows
        .iter()
        .map(|(x, class)| {
            let z = dot(weights, x);
            class * z - softplus(z)
        })
        .sum();
    // The intercept is not penalised, so that the mean probability equals the base rate.
    likelihood - RIDGE / 2.0 * weights[1..].iter().map(|w| w * w).sum::<f64>()
}

fn newton_step(rows: &[([f64; N], f64)], weights: &[f64; N]) -> [f64; N] {
    let mut gradient: [f64; N] = std::array::from_fn(|idx| if idx == 0 { 0.0 } else { -RIDGE * weights[idx] });
    let mut hessian = [[0.0; N]; N];
    for (idx, row) in hessian.iter_mut().enumerate().skip(1) {
        row[idx] = RIDGE;
    }
    for (x, class) in rows {
        let p = sigmoid(dot(weights, x));
        // The bound keeps the Hessian positive definite if all probabilities round to 0 or 1.
        let variance = (p * (1.0 - p)).max(f64::EPSILON);
        for i in 0..N {
            gradient[i] += (class - p) * x[i];
            for j in 0..N {
                hessian[i][j] += variance * x[i] * x[j];
            }
        }
    }
    solve(hessian, gradient)
}

/// Solves `a · x = b` by elimination. A positive definite `a` does not require pivoting.
fn solve(mut a: [[f64; N]; N], mut b: [f64; N]) -> [f64; N] {
    for pivot in 0..N {
        for below in pivot + 1..N {
            let pivot_row = a[pivot];
            let factor = a[below][pivot] / pivot_row[pivot];
            a[below].iter_mut().zip(pivot_row).for_each(|(value, above)| *value -= factor * above);
            b[below] -= factor * b[pivot];
        }
    }
    for row in (0..N).rev() {
        let known: f64 = (row + 1..N).map(|column| a[row][column] * b[column]).sum();
        b[row] = (b[row] - known) / a[row][row];
    }
    b
}

fn sigmoid(z: f64) -> f64 {
    1.0 / (1.0 + (-z).exp())
}

fn dot(a: &[f64; N], b: &[f64; N]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests;
