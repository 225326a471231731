//! The network while it is fitted: its shape, and the loss as candle differentiates it.

use candle_core::{Device, Result, Tensor, Var};
use oculus_plugin_support::Draws;

use crate::product::product;
use crate::random::{self, Purpose};

/// Sizes of a network: features, then hidden layers, then the one output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shape(Vec<usize>);

/// Where one layer's parameters lie in the flat list of all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Inputs.
    pub(crate) n_inputs: usize,
    /// Outputs.
    pub(crate) n_outputs: usize,
    /// Where the weights start: a row an input, a column an output. The biases follow.
    pub(crate) start: usize,
}

impl Place {
    /// Number of weights.
    pub(crate) fn n_weights(&self) -> usize {
        self.n_inputs * self.n_outputs
    }

    /// Where the biases start.
    pub(crate) fn bias_start(&self) -> usize {
        self.start + self.n_weights()
    }

    /// Where the next layer starts.
    pub(crate) fn end(&self) -> usize {
        self.bias_start() + self.n_outputs
    }
}

impl Shape {
    /// A shape with these hidden layers.
    pub(crate) fn new(n_features: usize, hidden_sizes: &[usize]) -> Self {
        Self([&[n_features], hidden_sizes, &[1]].concat())
    }

    /// Its layers, from the features on.
    pub(crate) fn places(&self) -> Vec<Place> {
        let mut start = 0;
        let place = |pair: &[usize]| {
            let place = Place { n_inputs: pair[0], n_outputs: pair[1], start };
            start = place.end();
            place
        };
        self.0.windows(2).map(place).collect()
    }

    /// First parameters: weights that keep the spread of the inputs through the layers, hardly any in the last, whose
    /// bias gives the share of positives. A fit so starts from what is known without features.
    pub(crate) fn first_parameters(&self, seed: u64, share: f64) -> Vec<f32> {
        let mut draws = random::draws(seed, Purpose::Weights);
        let places = self.places();
        let mut parameters = Vec::new();
        for (idx, place) in places.iter().enumerate() {
            let is_last = idx + 1 == places.len();
            let bound = (6.0 / place.n_inputs as f32).sqrt() * if is_last { 0.1 } else { 1.0 };
            let bias = if is_last { (share / (1.0 - share)).ln() as f32 } else { 0.0 };
            parameters.extend(draws.uniform(place.n_weights(), bound));
            parameters.extend(std::iter::repeat_n(bias, place.n_outputs));
        }
        parameters
    }

    /// 1 for each weight, 0 for each bias, in the order of the parameters.
    pub(crate) fn weight_mask(&self) -> Vec<f32> {
        let layer = |place: Place| [vec![1.0; place.n_weights()], vec![0.0; place.n_outputs]].concat();
        self.places().into_iter().flat_map(layer).collect()
    }
}

/// Rows as a fit takes them, on its device.
pub(crate) struct Batch {
    features: Tensor,
    label: Tensor,
}

impl Batch {
    /// Puts rows on the device. `features`: `[n_rows × n_features]`, row by row; `label`: `[n_rows]`.
    ///
    /// # Errors
    /// What candle says.
    pub(crate) fn new(features: Vec<f32>, label: Vec<f32>, device: &Device) -> Result<Self> {
        let n_rows = label.len();
        let n_features = features.len() / n_rows.max(1);
        Ok(Self {
            features: Tensor::from_vec(features, (n_rows, n_features), device)?,
            label: Tensor::from_vec(label, (n_rows, 1), device)?,
        })
    }

    /// Number of rows.
    pub(crate) fn n_rows(&self) -> usize {
        self.label.elem_count()
    }
}

/// Units left out while fitting.
pub(crate) struct Dropout {
    /// The share of the hidden units.
    pub(crate) share: f32,
    /// Which ones.
    pub(crate) draws: Draws,
}

/// A network on its device. All parameters are one flat list, so that a step moves them at once.
pub(crate) struct Network {
    places: Vec<Place>,
    /// All weights and biases.
    pub(crate) parameters: Var,
}

impl Network {
    /// Puts a network on a device.
    ///
    /// # Errors
    /// What candle says.
    pub(crate) fn new(shape: &Shape, parameters: Vec<f32>, device: &Device) -> Result<Self> {
        let n_parameters = parameters.len();
        Ok(Self { places: shape.places(), parameters: Var::from_vec(parameters, n_parameters, device)? })
    }

    /// Mean logarithmic loss over a batch, with some units left out.
    ///
    /// # Errors
    /// What candle says.
    pub(crate) fn training_loss(&self, batch: &Batch, dropout: &mut Dropout) -> Result<Tensor> {
        let mut leave_out = |hidden: Tensor| {
            if dropout.share == 0.0 {
                return Ok(hidden);
            }
            let factors = dropout.draws.dropout_mask_32(hidden.elem_count(), dropout.share);
            &hidden * Tensor::from_vec(factors, hidden.shape(), hidden.device())?
        };
        let logits = logits(&self.places, &self.parameters, &batch.features, &mut leave_out)?;
        mean_loss(&logits, &batch.label)
    }

    /// Mean logarithmic loss over a batch of the whole network with other parameters.
    ///
    /// # Errors
    /// What candle says.
    pub(crate) fn loss_with(&self, parameters: &Tensor, batch: &Batch) -> Result<Tensor> {
        mean_loss(&logits(&self.places, parameters, &batch.features, &mut Ok)?, &batch.label)
    }
}

/// The output for each row, `[n_rows, 1]`; `hide` is applied to what each hidden layer gives.
fn logits(
    places: &[Place],
    parameters: &Tensor,
    features: &Tensor,
    hide: &mut impl FnMut(Tensor) -> Result<Tensor>,
) -> Result<Tensor> {
    let mut inputs = features.clone();
    for (idx, place) in places.iter().enumerate() {
        let weights = parameters.narrow(0, place.start, place.n_weights())?;
        let bias = parameters.narrow(0, place.bias_start(), place.n_outputs)?;
        let weights = weights.reshape((place.n_inputs, place.n_outputs))?;
        let outputs = product(&inputs, &weights)?.broadcast_add(&bias)?;
        inputs = if idx + 1 < places.len() { hide(outputs.relu()?)? } else { outputs };
    }
    Ok(inputs)
}

/// `mean(ln(1 + exp(z)) − y·z)`, written so that no exponential overflows.
fn mean_loss(logits: &Tensor, label: &Tensor) -> Result<Tensor> {
    let softplus = (logits.relu()? + (logits.abs()?.neg()?.exp()? + 1.0)?.log()?)?;
    (softplus - (logits * label)?)?.mean_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch() -> Batch {
        let features = random::draws(9, Purpose::Order).uniform(8 * 3, 2.0);
        Batch::new(features, vec![1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 1.0, 0.0], &Device::Cpu).unwrap()
    }

    #[test]
    fn layers_lie_one_behind_the_other() {
        let places = Shape::new(3, &[4, 2]).places();
        let place = |n_inputs, n_outputs, start| Place { n_inputs, n_outputs, start };
        assert_eq!(places, [place(3, 4, 0), place(4, 2, 16), place(2, 1, 26)]);
        assert_eq!(Shape::new(3, &[4, 2]).weight_mask().iter().sum::<f32>(), 22.0);
    }

    #[test]
    fn a_fit_starts_near_the_share_of_positives() {
        let shape = Shape::new(3, &[16]);
        let network = Network::new(&shape, shape.first_parameters(1, 0.375), &Device::Cpu).unwrap();
        let loss = network.loss_with(&network.parameters, &batch()).unwrap().to_scalar::<f32>().unwrap();
        let entropy = -(0.375f32.ln() * 0.375 + 0.625f32.ln() * 0.625);
        assert!((loss - entropy).abs() < 0.05, "{loss}, {entropy}");
    }

    #[test]
    fn slopes_are_those_of_the_loss() {
        let shape = Shape::new(3, &[5, 4]);
        let parameters = random::draws(3, Purpose::Weights).uniform(shape.weight_mask().len(), 1.0);
        let network = Network::new(&shape, parameters.clone(), &Device::Cpu).unwrap();
        let loss = network.loss_with(&network.parameters, &batch()).unwrap();
        let slopes: Vec<f32> = loss.backward().unwrap().get(&network.parameters).unwrap().to_vec1().unwrap();
        let loss_at = |idx: usize, step: f32| {
            let mut moved = parameters.clone();
            moved[idx] += step;
            let moved = Tensor::new(moved, &Device::Cpu).unwrap();
            network.loss_with(&moved, &batch()).unwrap().to_scalar::<f32>().unwrap()
        };
        for (idx, slope) in slopes.iter().enumerate() {
            let expected = (loss_at(idx, 1e-2) - loss_at(idx, -1e-2)) / 2e-2;
            assert!((slope - expected).abs() < 5e-3, "parameter {idx}: {slope}, {expected}");
        }
    }

    #[test]
    fn outputs_without_bounds_have_a_finite_loss() {
        let logits = Tensor::new(&[[1e4f32], [-1e4], [0.0]], &Device::Cpu).unwrap();
        let label = Tensor::new(&[[0.0f32], [0.0], [1.0]], &Device::Cpu).unwrap();
        let loss = mean_loss(&logits, &label).unwrap().to_scalar::<f32>().unwrap();
        assert!((loss - (1e4 + 2f32.ln()) / 3.0).abs() < 1e-2, "{loss}");
    }
}
