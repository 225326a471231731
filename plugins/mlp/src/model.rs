//! The fitted model, and how it scores: row by row in plain numbers, so that neither the other rows of a call nor the
//! device of the fit change a bit of a score.

use oculus_plugin_api::prelude::*;

use crate::file;
use crate::network::Shape;
use crate::scaling::{Scaled, gather};

/// Rows copied of a table at a time.
const CHUNK_ROWS: usize = 8192;

/// A fitted network with the scales of its features.
#[derive(Clone, Debug, PartialEq)]
pub struct Perceptron {
    /// The features, in the order of the first layer.
    pub(crate) inputs: Vec<Input>,
    /// From the features on; the last has one output.
    pub(crate) layers: Vec<Layer>,
    /// Epochs that it was fitted for.
    pub(crate) n_epochs: u32,
    /// Where it was fitted.
    pub(crate) device: String,
}

/// One layer.
#[derive(Clone, Debug, PartialEq)]
pub struct Layer {
    /// `[n_inputs × n_outputs]`: a row an input.
    pub weights: Vec<f32>,
    /// One an output.
    pub biases: Vec<f32>,
}

impl Layer {
    /// What the layer gives before it is bent, for one row: sums over the inputs in their order.
    fn apply(&self, inputs: &[f32], outputs: &mut Vec<f32>) {
        outputs.clone_from(&self.biases);
        for (input, weights) in inputs.iter().zip(self.weights.chunks_exact(self.biases.len())) {
            for (output, weight) in outputs.iter_mut().zip(weights) {
                *output += input * weight;
            }
        }
    }
}

impl Perceptron {
    /// A model straight from its fit: `parameters` in the order of `shape`.
    ///
    /// # Errors
    /// [`code::ENGINE`](oculus_plugin_api::code::ENGINE) for fewer parameters than the shape has, or one that is no
    /// finite number.
    pub(crate) fn of_fit(
        scaled: &Scaled,
        shape: &Shape,
        parameters: &[f32],
        (n_epochs, device): (usize, &str),
    ) -> Result<Self> {
        let places = shape.places();
        if places.last().is_none_or(|place| place.end() != parameters.len()) {
            return Err(PluginError::engine(format!("{} parameters for {shape:?}", parameters.len())));
        }
        if let Some(found) = parameters.iter().find(|value| !value.is_finite()) {
            return Err(PluginError::engine(format!(
                "a weight is {found} after {n_epochs} epochs; needs a smaller learning_rate or weight_decay"
            )));
        }
        let layer = |place: &crate::network::Place| Layer {
            weights: parameters[place.start..place.bias_start()].to_vec(),
            biases: parameters[place.bias_start()..place.end()].to_vec(),
        };
        Ok(Self {
            inputs: scaled.inputs.clone(),
            layers: places.iter().map(layer).collect(),
            n_epochs: n_epochs as u32,
            device: device.to_owned(),
        })
    }

    /// The probability of class 1 for one row of scaled features, NaN where one of them is.
    fn score(&self, features: &[f32], [inputs, outputs]: [&mut Vec<f32>; 2]) -> f32 {
        if features.iter().any(|value| value.is_nan()) {
            return f32::NAN;
        }
        inputs.clear();
        inputs.extend_from_slice(features);
        for (idx, layer) in self.layers.iter().enumerate() {
            layer.apply(inputs, outputs);
            if idx + 1 < self.layers.len() {
                outputs.iter_mut().for_each(|output| *output = output.max(0.0));
            }
            std::mem::swap(inputs, outputs);
        }
        1.0 / (1.0 + (-inputs[0]).exp())
    }
}

impl Model for Perceptron {
    /// Probabilities of class 1, NaN for rows with a feature that has no finite value.
    fn predict(&self, table: &Table<'_>, rows: &[u32], out: &mut [f32]) -> Result<()> {
        // Names every feature that is missing, where `gather` would name the first.
        table.positions(self.inputs.iter().map(|input| &input.name))?;
        let (mut inputs, mut outputs) = (Vec::new(), Vec::new());
        for (rows, out) in rows.chunks(CHUNK_ROWS).zip(out.chunks_mut(CHUNK_ROWS)) {
            let values = gather(table, &self.inputs, rows)?;
            for (features, out) in values.chunks_exact(self.inputs.len()).zip(out) {
                *out = self.score(features, [&mut inputs, &mut outputs]);
            }
        }
        Ok(())
    }

    fn save(&self) -> Result<Vec<u8>> {
        file::write(self)
    }

    fn load(bytes: &[u8]) -> Result<Self> {
        file::read(bytes)
    }

    fn summary(&self) -> Summary {
        Summary { rounds: Some(self.n_epochs), device: Some(self.device.clone()) }
    }
}
