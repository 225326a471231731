//! The fit: Newton's method on the penalised logistic loss.
//!
//! The loss is `Σ log(1 + exp(mᵢ)) − yᵢ mᵢ + l2/2 · Σ wⱼ²` with the log-odds
//! `mᵢ = offsetᵢ + intercept + Σ wⱼ xᵢⱼ` (Hastie, Tibshirani & Friedman, The Elements of Statistical
//! Learning, 4.4). The intercept is not penalised. The loss is convex, so its minimum does not
//! depend on the start.

use oculus_plugin_api::{Ctx, Result};

use crate::cholesky::{Symmetric, Triangle};

/// Maximum number of steps. A fit with the default penalty takes about six.
const MAX_STEPS: usize = 200;
/// A fit ends if the next step lowers the loss, which is a sum over rows, by less than this number.
const TOLERANCE: f64 = 1e-13;
/// The curvature is computed again if a step leaves more than this share of the expected decrease.
/// Otherwise the old curvature is used, because it changes little and is the expensive part.
const MAX_REMAINDER: f64 = 0.1;
/// Maximum number of times that one step is halved.
const MAX_HALVINGS: usize = 40;
/// Rows of a block. The columns of a block fit into the cache of a core.
const BLOCK_ROWS: usize = 256;
/// Number of sums that run side by side in a product, so that the processor adds several numbers at
/// once.
const N_LANES: usize = 8;

/// The training rows of a fit.
pub(crate) struct Problem {
    /// Standardised features: one column per feature, one value per row.
    pub(crate) columns: Vec<Vec<f64>>,
    /// Labels, 0 or 1.
    pub(crate) label: Vec<f64>,
    /// Log-odds to which those of the model are added.
    pub(crate) offset: Vec<f64>,
    /// Strength of the penalty.
    pub(crate) l2: f64,
}

/// The fitted numbers: one weight per feature, and the intercept in the last place.
pub(crate) type Weights = Vec<f64>;

/// Minimises the loss.
///
/// # Errors
/// Returns [`code::CANCELLED`](oculus_plugin_api::code::CANCELLED) if the host cancelled the fit.
pub(crate) fn fit(problem: &Problem, ctx: &Ctx<'_, '_>) -> Result<Weights> {
    let mut point = problem.at(vec![0.0; problem.columns.len() + 1]);
    let mut curvature: Option<Triangle> = None;
    let mut last_decrease = f64::INFINITY;
    for _ in 0..MAX_STEPS {
        ctx.check()?;
        let gradient = problem.gradient(&point);
        let mut step = curvature.as_ref().map(|curvature| curvature.solve(&gradient));
        let is_old = |step: &Vec<f64>| expected_decrease(&gradient, step) > MAX_REMAINDER * last_decrease;
        if step.as_ref().is_none_or(is_old) {
            curvature = problem.curvature(&point, ctx)?.decompose();
            step = curvature.as_ref().map(|curvature| curvature.solve(&gradient));
        }
        // Without a positive curvature, every score is certain, and no step changes the loss.
        let Some(step) = step else { break };
        last_decrease = expected_decrease(&gradient, &step);
        if last_decrease <= TOLERANCE {
            break;
        }
        let Some(next) = problem.search(&point, &step) else { break };
        point = next;
    }
    Ok(point.weights)
}

/// Returns the decrease of the loss that a step promises: half of Newton's decrement.
fn expected_decrease(gradient: &[f64], step: &[f64]) -> f64 {
    0.5 * dot(gradient, step)
}

/// Weights with the values that depend on them.
struct Point {
    weights: Weights,
    /// Probability of class 1 of each row.
    probability: Vec<f64>,
    loss: f64,
}

impl Problem {
    fn at(&self, weights: Weights) -> Point {
        let n_columns = self.columns.len();
        let mut log_odds: Vec<f64> = self.offset.iter().map(|offset| offset + weights[n_columns]).collect();
        for (column, weight) in self.columns.iter().zip(&weights) {
            log_odds.iter_mut().zip(column).for_each(|(sum, value)| *sum += weight * value);
        }
        let penalty = 0.5 * self.l2 * weights[..n_columns].iter().map(|weight| weight * weight).sum::<f64>();
        // log(1 + exp(m)) without an overflow for large m.
        let softplus = |m: f64| m.max(0.0) + (-m.abs()).exp().ln_1p();
        let losses = log_odds.iter().zip(&self.label).map(|(m, label)| softplus(*m) - label * m);
        let loss = penalty + losses.sum::<f64>();
        let probability = log_odds.into_iter().map(|m| 1.0 / (1.0 + (-m).exp())).collect();
        Point { weights, probability, loss }
    }

    fn gradient(&self, point: &Point) -> Vec<f64> {
        let errors: Vec<f64> = point.probability.iter().zip(&self.label).map(|(p, label)| p - label).collect();
        let penalised = self.columns.iter().zip(&point.weights);
        let mut gradient: Vec<f64> =
            penalised.map(|(column, weight)| dot(column, &errors) + self.l2 * weight).collect();
        gradient.push(errors.iter().sum());
        gradient
    }

    /// Computes the matrix of second derivatives.
    fn curvature(&self, point: &Point, ctx: &Ctx<'_, '_>) -> Result<Symmetric> {
        let n_columns = self.columns.len();
        let mut curvature = Symmetric::zeros(n_columns + 1);
        (0..n_columns).for_each(|idx| curvature.add(idx, idx, self.l2));
        let variance: Vec<f64> = point.probability.iter().map(|p| p * (1.0 - p)).collect();
        let mut scaled = vec![0.0; BLOCK_ROWS];
        for (block_idx, variance) in variance.chunks(BLOCK_ROWS).enumerate() {
            ctx.check()?;
            let start = block_idx * BLOCK_ROWS;
            let block = |idx: usize| &self.columns[idx][start..start + variance.len()];
            let scaled = &mut scaled[..variance.len()];
            for row in 0..n_columns {
                let values = block(row).iter().zip(variance);
                scaled.iter_mut().zip(values).for_each(|(scaled, (value, variance))| *scaled = value * variance);
                (0..=row).for_each(|column| curvature.add(row, column, dot(scaled, block(column))));
                curvature.add(n_columns, row, scaled.iter().sum());
            }
            curvature.add(n_columns, n_columns, variance.iter().sum());
        }
        Ok(curvature)
    }

    /// Halves a step until it lowers the loss. Returns `None` if no step does, which means that
    /// rounding hides any further decrease.
    fn search(&self, from: &Point, step: &[f64]) -> Option<Point> {
        (0..MAX_HALVINGS).find_map(|n_halvings| {
            let size = 0.5_f64.powi(n_halvings as i32);
            let next = from.weights.iter().zip(step).map(|(weight, step)| weight - size * step).collect();
            Some(self.at(next)).filter(|next| next.loss < from.loss)
        })
    }
}

/// Computes the sum of products of two lists of equal length.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut sums = [0.0; N_LANES];
    let mut a_chunks = a.chunks_exact(N_LANES);
    let mut b_chunks = b.chunks_exact(N_LANES);
    for (a, b) in a_chunks.by_ref().zip(b_chunks.by_ref()) {
        for lane in 0..N_LANES {
            sums[lane] += a[lane] * b[lane];
        }
    }
    let rest: f64 = a_chunks.remainder().iter().zip(b_chunks.remainder()).map(|(a, b)| a * b).sum();
    sums.iter().sum::<f64>() + rest
}
