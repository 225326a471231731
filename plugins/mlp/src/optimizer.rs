//! AdamW (Loshchilov and Hutter 2019) over one flat list of parameters, and the running mean of the
//! parameters.
//!
//! A fit keeps the mean, not the last parameters. At a constant learning rate the parameters
//! fluctuate around the minimum with the noise of the batches. The mean removes this noise. Unlike
//! a learning-rate schedule, the mean does not depend on the planned number of epochs.

use candle_core::{Result, Tensor, Var};

/// Decay of the first moment. This constant and the two constants below have the values of Kingma
/// and Ba, "Adam" (2015).
const BETA_1: f64 = 0.9;
const BETA_2: f64 = 0.999;
const EPSILON: f64 = 1e-8;
/// Weight of the previous mean in the running mean at each step.
const MEAN_DECAY: f64 = 0.99;

/// The optimizer's state.
pub(crate) struct AdamW {
    learning_rate: f64,
    /// For each parameter, the factor by which the weight decay scales the parameter in a step. The
    /// factor is below 1 for weights, and 1 for biases.
    decay_factors: Tensor,
    first_moment: Tensor,
    second_moment: Tensor,
    /// Running mean of the parameters, not corrected for its start at zero.
    biased_mean: Tensor,
    n_steps: i32,
}

impl AdamW {
    /// Creates the state before the first step. `weight_mask` is 1 for parameters that decay and 0
    /// for others.
    ///
    /// # Errors
    /// Returns candle's error if an operation fails.
    pub(crate) fn new(learning_rate: f64, weight_decay: f64, weight_mask: &Tensor) -> Result<Self> {
        let zeros = weight_mask.zeros_like()?;
        Ok(Self {
            learning_rate,
            // The learning rate is constant, so the factors are computed once.
            decay_factors: weight_mask.affine(-learning_rate * weight_decay, 1.0)?,
            first_moment: zeros.clone(),
            second_moment: zeros.clone(),
            biased_mean: zeros,
            n_steps: 0,
        })
    }

    /// Updates `parameters` by one step against their gradient.
    ///
    /// # Errors
    /// Returns candle's error if an operation fails.
    pub(crate) fn step(&mut self, parameters: &Var, gradient: &Tensor) -> Result<()> {
        self.n_steps = self.n_steps.saturating_add(1);
        self.first_moment = mixed(&self.first_moment, gradient, BETA_1)?;
        self.second_moment = mixed(&self.second_moment, &gradient.sqr()?, BETA_2)?;

        let [scale_1, scale_2] = [BETA_1, BETA_2].map(|beta| 1.0 / (1.0 - beta.powi(self.n_steps)));
        let denominator = self.second_moment.affine(scale_2, 0.0)?.sqrt()?.affine(1.0, EPSILON)?;
        let change = (self.first_moment.affine(self.learning_rate * scale_1, 0.0)? / denominator)?;
        // Decoupled decay: it scales the parameters themselves and is not part of the gradient's
        // moments.
        let moved = ((parameters.as_tensor() * &self.decay_factors)? - change)?;
        parameters.set(&moved)?;
        self.biased_mean = mixed(&self.biased_mean, &moved, MEAN_DECAY)?;
        Ok(())
    }

    /// Returns the exponentially weighted mean of the parameters after all steps, corrected for its
    /// start at zero.
    ///
    /// # Errors
    /// Returns candle's error if an operation fails.
    pub(crate) fn mean(&self) -> Result<Tensor> {
        self.biased_mean.affine(1.0 / (1.0 - MEAN_DECAY.powi(self.n_steps)), 0.0)
    }
}

/// Computes `decay · old + (1 − decay) · new`.
fn mixed(old: &Tensor, new: &Tensor, decay: f64) -> Result<Tensor> {
    old.affine(decay, 0.0)? + new.affine(1.0 - decay, 0.0)?
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    #[test]
    fn steps_follow_the_formula_and_decay_only_masked_parameters() {
        let tensor = |values: &[f32]| Tensor::new(values, &Device::Cpu).unwrap();
        let parameters = Var::from_tensor(&tensor(&[1.0, 1.0])).unwrap();
        let mut adam = AdamW::new(0.1, 0.5, &tensor(&[1.0, 0.0])).unwrap();
        // The expected values were computed by hand. After step one the moments are 0.2 and 0.004,
        // so the change equals the learning rate. After step two the moments are 0.08 and 0.004996.
        adam.step(&parameters, &tensor(&[2.0, 2.0])).unwrap();
        adam.step(&parameters, &tensor(&[-1.0, -1.0])).unwrap();
        let change = 0.1 * (0.08 / 0.19) / (0.004996f64 / 0.001999).sqrt();
        let first = [0.95 - 0.1, 0.9];
        let second = [first[0] * 0.95 - change, first[1] - change];
        let close = |found: &Tensor, expected: [f64; 2]| {
            let found: Vec<f32> = found.to_vec1().unwrap();
            assert!(
                found.iter().zip(expected).all(|(f, e)| (f64::from(*f) - e).abs() < 1e-5),
                "{found:?} {expected:?}"
            );
        };
        close(&parameters, second);
        close(&adam.mean().unwrap(), [0, 1].map(|idx| (0.99 * first[idx] + second[idx]) / 1.99));
    }
}
