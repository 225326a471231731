//! The fitted network in plain Rust vectors, and the score of one row.

use oculus_plugin_api::prelude::*;

use crate::network::{LayerPosition, Shape};

/// A fitted network with the scales of its features.
#[derive(Clone, Debug, PartialEq)]
pub struct Perceptron {
    /// The features, in the order of the first layer.
    pub(crate) inputs: Vec<Input>,
    /// The layers, from the features to the output; the last layer has one output.
    pub(crate) layers: Vec<Layer>,
    /// Number of epochs of the fit.
    pub(crate) n_epochs: u32,
    /// Device of the fit.
    pub(crate) device: String,
}

/// The parameters of one layer.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Layer {
    /// Weights `[n_inputs × n_outputs]`, one row per input.
    pub(crate) weights: Vec<f32>,
    /// Biases, one per output.
    pub(crate) biases: Vec<f32>,
}

/// Inputs and outputs of a layer for one row. Scoring reuses them for every row, which avoids
/// allocations.
#[derive(Default)]
pub(crate) struct Buffers {
    inputs: Vec<f32>,
    outputs: Vec<f32>,
}

impl Layer {
    /// Splits `parameters` into the layers of `shape`.
    ///
    /// # Errors
    /// Returns [`code::ENGINE`](oculus_plugin_api::code::ENGINE) if the number of parameters does
    /// not fit the shape.
    pub(crate) fn from_parameters(shape: &Shape, parameters: &[f32]) -> Result<Vec<Self>> {
        let positions = shape.positions();
        if positions.last().is_none_or(|position| position.end() != parameters.len()) {
            return Err(PluginError::engine(format!(
                "found {} parameters, expected those of {shape:?}",
                parameters.len()
            )));
        }
        let layer = |position: &LayerPosition| Self {
            weights: parameters[position.start..position.bias_start()].to_vec(),
            biases: parameters[position.bias_start()..position.end()].to_vec(),
        };
        Ok(positions.iter().map(layer).collect())
    }

    /// Computes the outputs of the layer for one row, before the activation.
    ///
    /// Each sum runs over the inputs in their order, so that its rounding never depends on other
    /// rows.
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
    /// Computes the probability of class 1 for one row of scaled features; NaN if a feature is NaN.
    pub(crate) fn score(&self, features: &[f32], buffers: &mut Buffers) -> f32 {
        // The `f32::max` of the activation turns NaN into 0, so without this check a row with a
        // missing value would get a score.
        if features.iter().any(|value| value.is_nan()) {
            return f32::NAN;
        }
        let Buffers { inputs, outputs } = buffers;
        inputs.clear();
        inputs.extend_from_slice(features);
        for (idx, layer) in self.layers.iter().enumerate() {
            layer.apply(inputs, outputs);
            if idx + 1 < self.layers.len() {
                outputs.iter_mut().for_each(|output| *output = output.max(0.0));
            }
            std::mem::swap(inputs, outputs);
        }
        // For a very negative output the exponential is infinite, and the probability is 0.
        1.0 / (1.0 + (-inputs[0]).exp())
    }
}
