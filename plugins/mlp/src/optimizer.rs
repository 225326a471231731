//! AdamW (Loshchilov and Hutter 2019) over one flat list of parameters, and the running mean of where it has been.
//!
//! The mean is what is kept of a fit: at a fixed rate the parameters wander about the minimum with the noise of their
//! batches, which the mean takes out without a schedule that would have to know the number of epochs beforehand.

use candle_core::{Result, Tensor, Var};

const BETA_1: f64 = 0.9;
const BETA_2: f64 = 0.999;
const EPSILON: f64 = 1e-8;
/// Share that the mean keeps of itself at a step.
const MEAN_KEEPS: f64 = 0.99;

/// The state between two steps.
pub(crate) struct AdamW {
    learning_rate: f64,
    /// What a step leaves of each parameter before it moves it: less than 1 for weights, 1 for biases.
    kept: Tensor,
    first_moment: Tensor,
    second_moment: Tensor,
    sum: Tensor,
    n_steps: i32,
}

impl AdamW {
    /// Nothing seen yet. `weight_mask` is 1 for what decays, 0 for what does not.
    ///
    /// # Errors
    /// What candle says.
    pub(crate) fn new(learning_rate: f64, weight_decay: f64, weight_mask: &Tensor) -> Result<Self> {
        let zeros = weight_mask.zeros_like()?;
        Ok(Self {
            learning_rate,
            kept: weight_mask.affine(-learning_rate * weight_decay, 1.0)?,
            first_moment: zeros.clone(),
            second_moment: zeros.clone(),
            sum: zeros,
            n_steps: 0,
        })
    }

    /// Moves `parameters` against `slope`.
    ///
    /// # Errors
    /// What candle says.
    pub(crate) fn step(&mut self, parameters: &Var, slope: &Tensor) -> Result<()> {
        self.n_steps = self.n_steps.saturating_add(1);
        self.first_moment = mixed(&self.first_moment, slope, BETA_1)?;
        self.second_moment = mixed(&self.second_moment, &slope.sqr()?, BETA_2)?;

        let [scale_1, scale_2] = [BETA_1, BETA_2].map(|beta| 1.0 / (1.0 - beta.powi(self.n_steps)));
        let spread = self.second_moment.affine(scale_2, 0.0)?.sqrt()?.affine(1.0, EPSILON)?;
        let change = (self.first_moment.affine(self.learning_rate * scale_1, 0.0)? / spread)?;
        let moved = ((parameters.as_tensor() * &self.kept)? - change)?;
        parameters.set(&moved)?;
        self.sum = mixed(&self.sum, &moved, MEAN_KEEPS)?;
        Ok(())
    }

    /// The mean of the parameters after each step so far, late ones counting most.
    ///
    /// # Errors
    /// What candle says.
    pub(crate) fn mean(&self) -> Result<Tensor> {
        self.sum.affine(1.0 / (1.0 - MEAN_KEEPS.powi(self.n_steps)), 0.0)
    }
}

/// `keeps` of `old`, the rest of `new`.
fn mixed(old: &Tensor, new: &Tensor, keeps: f64) -> Result<Tensor> {
    old.affine(keeps, 0.0)? + new.affine(1.0 - keeps, 0.0)?
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    #[test]
    fn steps_follow_the_formula_and_spare_what_does_not_decay() {
        let tensor = |values: &[f32]| Tensor::new(values, &Device::Cpu).unwrap();
        let parameters = Var::from_tensor(&tensor(&[1.0, 1.0])).unwrap();
        let mut adam = AdamW::new(0.1, 0.5, &tensor(&[1.0, 0.0])).unwrap();
        // By hand: moments 0.2 and 0.004, so the first change is the rate; then 0.08 and 0.004996.
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
