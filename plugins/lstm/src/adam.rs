//! AdamW on one flat vector of weights, with gradient clipping by norm.
//!
//! The formulas are those of Loshchilov and Hutter, "Decoupled Weight Decay Regularization" (2019),
//! with PyTorch's constants. The weights are one vector, because each operation has a fixed cost:
//! with ten tensors, a step would have this cost ten times. A step never waits for the device.

use tch::Tensor;

use crate::network::Torch;

const MEAN_DECAY: f64 = 0.9;
const SQUARE_DECAY: f64 = 0.999;
const EPSILON: f64 = 1e-8;

/// Running means of the gradient and of its square.
pub(crate) struct Adam {
    mean: Tensor,
    square: Tensor,
    n_steps: i32,
    weight_decay: f64,
    clip_norm: f64,
}

impl Adam {
    /// Creates the state before the first step.
    pub(crate) fn new(weights: &Tensor, weight_decay: f64, clip_norm: f64) -> Torch<Self> {
        let mean = weights.f_zeros_like()?;
        let square = weights.f_zeros_like()?;
        Ok(Self { mean, square, n_steps: 0, weight_decay, clip_norm })
    }

    /// Updates `weights` by one step against the gradients. There is one gradient per tensor, in
    /// the order of the weights.
    pub(crate) fn step(&mut self, weights: &mut Tensor, gradients: &[Tensor], learning_rate: f64) -> Torch<()> {
        self.n_steps += 1;
        let flat = gradients.iter().map(|gradient| gradient.f_view(-1)).collect::<Torch<Vec<_>>>()?;
        let mut gradient = Tensor::f_cat(&flat, 0)?;
        // The clipping factor stays a tensor: comparing the norm in Rust would wait for the device.
        // The small term avoids a division by zero, as in PyTorch's `clip_grad_norm_`.
        let factor = (gradient.f_norm()?.f_add_scalar(1e-6)?.f_reciprocal()? * self.clip_norm).f_clamp_max(1.0)?;
        _ = gradient.f_mul_(&factor)?;

        _ = self.mean.f_lerp_(&gradient, 1.0 - MEAN_DECAY)?;
        _ = self.square.f_lerp_(&gradient.f_square()?, 1.0 - SQUARE_DECAY)?;
        let bias_correction = |decay: f64| 1.0 - decay.powi(self.n_steps);
        let scale = (self.square.f_sqrt()? / bias_correction(SQUARE_DECAY).sqrt()).f_add_scalar(EPSILON)?;
        // The weight decay is decoupled: it shrinks the weights directly and does not enter the
        // running means.
        _ = weights.f_mul_scalar_(1.0 - learning_rate * self.weight_decay)?;
        _ = weights.f_addcdiv_(&(&self.mean * (-learning_rate / bias_correction(MEAN_DECAY))), &scale)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stepped(gradient: &[f32], weight_decay: f64, clip_norm: f64) -> Vec<f32> {
        let mut weights = Tensor::from_slice(&[1.0_f32, 1.0]);
        let mut adam = Adam::new(&weights, weight_decay, clip_norm).unwrap();
        adam.step(&mut weights, &[Tensor::from_slice(gradient)], 0.1).unwrap();
        weights.try_into().unwrap()
    }

    #[test]
    fn the_first_step_has_the_size_of_the_learning_rate_for_any_gradient() {
        let close = |found: Vec<f32>, expected: [f32; 2]| found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-5);
        assert!(close(stepped(&[0.3, -0.01], 0.0, 1e6), [0.9, 1.1]));
        assert!(close(stepped(&[300.0, -10.0], 0.0, 1.0), [0.9, 1.1]));
        assert!(close(stepped(&[0.3, -0.01], 0.5, 1e6), [0.85, 1.05]));
    }
}
