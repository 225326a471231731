//! The fitted network in plain numbers: what is saved, and the score of one row.

use oculus_plugin_api::prelude::*;

use crate::network::{Place, Shape};

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
pub(crate) struct Layer {
    /// `[n_inputs × n_outputs]`: one row per input.
    pub(crate) weights: Vec<f32>,
    /// One per output.
    pub(crate) biases: Vec<f32>,
}

/// What the layers give for one row, kept from row to row to spare allocations.
#[derive(Default)]
pub(crate) struct Buffers {
    inputs: Vec<f32>,
    outputs: Vec<f32>,
}

impl Layer {
    /// Cuts `parameters` into layers, in the order of `shape`.
    ///
    /// # Errors
    /// [`code::ENGINE`](oculus_plugin_api::code::ENGINE) for another number of parameters than the shape has.
    pub(crate) fn all(shape: &Shape, parameters: &[f32]) -> Result<Vec<Self>> {
        let places = shape.places();
        if places.last().is_none_or(|place| place.end() != parameters.len()) {
            return Err(PluginError::engine(format!("{} parameters for {shape:?}", parameters.len())));
        }
        let layer = |place: &Place| Self {
            weights: parameters[place.start..place.bias_start()].to_vec(),
            biases: parameters[place.bias_start()..place.end()].to_vec(),
        };
        Ok(places.iter().map(layer).collect())
    }

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
    /// The probability of class 1 for one row of scaled features, NaN where one of them is.
    pub(crate) fn score(&self, features: &[f32], buffers: &mut Buffers) -> f32 {
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
        1.0 / (1.0 + (-inputs[0]).exp())
    }
}
