//! The network in training: its shape, its initial parameters, and its loss, which candle
//! differentiates.

use candle_core::{Device, Result, Tensor, Var};
use oculus_plugin_support::Draws;

use crate::product::product;
use crate::random::{self, Purpose};

/// Layer sizes of a network: the features, the hidden layers, and one output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shape(Vec<usize>);

/// The position of one layer's parameters in the flat list of all parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LayerPosition {
    /// Number of inputs.
    pub(crate) n_inputs: usize,
    /// Number of outputs.
    pub(crate) n_outputs: usize,
    /// Position of the first weight. The weights have one row per input and one column per output;
    /// the biases follow.
    pub(crate) start: usize,
}

impl LayerPosition {
    /// Returns the number of weights.
    pub(crate) fn n_weights(&self) -> usize {
        self.n_inputs * self.n_outputs
    }

    /// Returns the position of the first bias.
    pub(crate) fn bias_start(&self) -> usize {
        self.start + self.n_weights()
    }

    /// Returns the position after the last bias, where the next layer starts.
    pub(crate) fn end(&self) -> usize {
        self.bias_start() + self.n_outputs
    }
}

impl Shape {
    /// Creates a shape with the given hidden layers and one output.
    pub(crate) fn new(n_features: usize, hidden_sizes: &[usize]) -> Self {
        Self([&[n_features], hidden_sizes, &[1]].concat())
    }

    /// Returns the position of each layer's parameters, from the first hidden layer to the output.
    pub(crate) fn positions(&self) -> Vec<LayerPosition> {
        let mut start = 0;
        let position = |pair: &[usize]| {
            let position = LayerPosition { n_inputs: pair[0], n_outputs: pair[1], start };
            start = position.end();
            position
        };
        self.0.windows(2).map(position).collect()
    }

    /// Draws the initial parameters.
    ///
    /// Hidden layers use He's uniform initialisation (He et al. 2015), which preserves the variance
    /// of the inputs through the layers. The output layer has weights near 0 and a bias that
    /// predicts `share`, the share of positives. A fit thus starts from the base rate.
    pub(crate) fn initial_parameters(&self, seed: u64, share: f64) -> Vec<f32> {
        let mut draws = random::draws(seed, Purpose::Weights);
        let positions = self.positions();
        let mut parameters = Vec::new();
        for (idx, position) in positions.iter().enumerate() {
            let is_last = idx + 1 == positions.len();
            let bound = (6.0 / position.n_inputs as f32).sqrt() * if is_last { 0.1 } else { 1.0 };
            // The log-odds of the share. They are finite, because a fit requires rows of both
            // classes.
            let bias = if is_last { (share / (1.0 - share)).ln() as f32 } else { 0.0 };
            parameters.extend(draws.uniform(position.n_weights(), bound));
            parameters.extend(std::iter::repeat_n(bias, position.n_outputs));
        }
        parameters
    }

    /// Returns 1 for each weight and 0 for each bias, in the order of the parameters.
    pub(crate) fn weight_mask(&self) -> Vec<f32> {
        let layer = |position: LayerPosition| [vec![1.0; position.n_weights()], vec![0.0; position.n_outputs]].concat();
        self.positions().into_iter().flat_map(layer).collect()
    }
}

/// Features and labels of some rows, as tensors on the device of the fit.
pub(crate) struct Batch {
    features: Tensor,
    label: Tensor,
}

impl Batch {
    /// Copies rows to the device. `features` has the shape `[n_rows × n_features]` in row-major
    /// order, and `label` has the shape `[n_rows]`.
    ///
    /// # Errors
    /// Returns candle's error if the device rejects a tensor.
    pub(crate) fn new(features: Vec<f32>, label: Vec<f32>, device: &Device) -> Result<Self> {
        let n_rows = label.len();
        let n_features = features.len() / n_rows.max(1);
        Ok(Self {
            features: Tensor::from_vec(features, (n_rows, n_features), device)?,
            label: Tensor::from_vec(label, (n_rows, 1), device)?,
        })
    }

    /// Returns the number of rows.
    pub(crate) fn n_rows(&self) -> usize {
        self.label.elem_count()
    }
}

/// Dropout of hidden units during training.
pub(crate) struct Dropout {
    /// Probability that a hidden unit is dropped.
    pub(crate) share: f32,
    /// Random stream that selects the dropped units.
    pub(crate) draws: Draws,
}

/// A network on its device. All parameters are one flat list, so that one operation per step
/// updates all of them.
pub(crate) struct Network {
    positions: Vec<LayerPosition>,
    /// All weights and biases.
    pub(crate) parameters: Var,
}

impl Network {
    /// Copies a network to a device.
    ///
    /// # Errors
    /// Returns candle's error if the device rejects a tensor.
    pub(crate) fn new(shape: &Shape, parameters: Vec<f32>, device: &Device) -> Result<Self> {
        let n_parameters = parameters.len();
        Ok(Self { positions: shape.positions(), parameters: Var::from_vec(parameters, n_parameters, device)? })
    }

    /// Computes the mean logarithmic loss over a batch, with dropout.
    ///
    /// # Errors
    /// Returns candle's error if an operation fails.
    pub(crate) fn training_loss(&self, batch: &Batch, dropout: &mut Dropout) -> Result<Tensor> {
        let mut apply_dropout = |hidden: Tensor| {
            // Without dropout no numbers are drawn, and the hidden units are not copied.
            if dropout.share == 0.0 {
                return Ok(hidden);
            }
            let factors = dropout.draws.dropout_mask_32(hidden.elem_count(), dropout.share);
            &hidden * Tensor::from_vec(factors, hidden.shape(), hidden.device())?
        };
        let logits = logits(&self.positions, &self.parameters, &batch.features, &mut apply_dropout)?;
        mean_loss(&logits, &batch.label)
    }

    /// Computes the mean logarithmic loss over a batch with the given parameters, without dropout.
    ///
    /// # Errors
    /// Returns candle's error if an operation fails.
    pub(crate) fn loss_with(&self, parameters: &Tensor, batch: &Batch) -> Result<Tensor> {
        mean_loss(&logits(&self.positions, parameters, &batch.features, &mut Ok)?, &batch.label)
    }
}

/// Computes the output for each row, `[n_rows, 1]`, before the logistic function.
///
/// * `on_hidden`: a function applied to the outputs of each hidden layer.
fn logits(
    positions: &[LayerPosition],
    parameters: &Tensor,
    features: &Tensor,
    on_hidden: &mut impl FnMut(Tensor) -> Result<Tensor>,
) -> Result<Tensor> {
    let mut inputs = features.clone();
    for (idx, position) in positions.iter().enumerate() {
        let weights = parameters.narrow(0, position.start, position.n_weights())?;
        let bias = parameters.narrow(0, position.bias_start(), position.n_outputs)?;
        let weights = weights.reshape((position.n_inputs, position.n_outputs))?;
        let outputs = product(&inputs, &weights)?.broadcast_add(&bias)?;
        // The output layer has neither an activation nor dropout: the loss is computed from its
        // logits.
        inputs = if idx + 1 < positions.len() { on_hidden(outputs.relu()?)? } else { outputs };
    }
    Ok(inputs)
}

/// Computes the mean of `ln(1 + exp(z)) − y·z` over logits `z` and labels `y`.
///
/// The first term is written as `max(z, 0) + ln(1 + exp(−|z|))`, so that no exponential overflows.
fn mean_loss(logits: &Tensor, label: &Tensor) -> Result<Tensor> {
    let softplus = (logits.relu()? + (logits.abs()?.neg()?.exp()? + 1.0)?.log()?)?;
    (softplus - (logits * label)?)?.mean_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch() -> Batch {
        let features = random::draws(9, Purpose::Shuffle).uniform(8 * 3, 2.0);
        Batch::new(features, vec![1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 1.0, 0.0], &Device::Cpu).unwrap()
    }

    #[test]
    fn layers_are_contiguous_in_the_flat_list() {
        let positions = Shape::new(3, &[4, 2]).positions();
        let position = |n_inputs, n_outputs, start| LayerPosition { n_inputs, n_outputs, start };
        assert_eq!(positions, [position(3, 4, 0), position(4, 2, 16), position(2, 1, 26)]);
        assert_eq!(Shape::new(3, &[4, 2]).weight_mask().iter().sum::<f32>(), 22.0);
    }

    #[test]
    fn a_fit_starts_near_the_share_of_positives() {
        let shape = Shape::new(3, &[16]);
        let network = Network::new(&shape, shape.initial_parameters(1, 0.375), &Device::Cpu).unwrap();
        let loss = network.loss_with(&network.parameters, &batch()).unwrap().to_scalar::<f32>().unwrap();
        let entropy = -(0.375f32.ln() * 0.375 + 0.625f32.ln() * 0.625);
        assert!((loss - entropy).abs() < 0.05, "{loss}, {entropy}");
    }

    #[test]
    fn gradients_match_finite_differences_of_the_loss() {
        let shape = Shape::new(3, &[5, 4]);
        let parameters = random::draws(3, Purpose::Weights).uniform(shape.weight_mask().len(), 1.0);
        let network = Network::new(&shape, parameters.clone(), &Device::Cpu).unwrap();
        let loss = network.loss_with(&network.parameters, &batch()).unwrap();
        let gradients: Vec<f32> = loss.backward().unwrap().get(&network.parameters).unwrap().to_vec1().unwrap();
        let loss_at = |idx: usize, step: f32| {
            let mut moved = parameters.clone();
            moved[idx] += step;
            let moved = Tensor::new(moved, &Device::Cpu).unwrap();
            network.loss_with(&moved, &batch()).unwrap().to_scalar::<f32>().unwrap()
        };
        for (idx, gradient) in gradients.iter().enumerate() {
            let expected = (loss_at(idx, 1e-2) - loss_at(idx, -1e-2)) / 2e-2;
            assert!((gradient - expected).abs() < 5e-3, "parameter {idx}: {gradient}, {expected}");
        }
    }

    #[test]
    fn extreme_logits_have_a_finite_loss() {
        let logits = Tensor::new(&[[1e4f32], [-1e4], [0.0]], &Device::Cpu).unwrap();
        let label = Tensor::new(&[[0.0f32], [0.0], [1.0]], &Device::Cpu).unwrap();
        let loss = mean_loss(&logits, &label).unwrap().to_scalar::<f32>().unwrap();
        assert!((loss - (1e4 + 2f32.ln()) / 3.0).abs() < 1e-2, "{loss}");
    }
}
