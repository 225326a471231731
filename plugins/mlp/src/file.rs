//! Reads and writes a model as safetensors. `layers.N.weight` and `layers.N.bias` have PyTorch's
//! layout, with one row per output. The scales are `scaler.mean` and `scaler.deviation`. The header
//! contains all other parts.

use oculus_plugin_api::prelude::*;
use oculus_plugin_support::{Format, Tensor, TensorFile, write_tensor_file};
use serde::{Deserialize, Serialize};

use crate::perceptron::{Layer, Perceptron};
use crate::scaling::CLIP;

const FORMAT: Format = Format { family: "mlp", version: 1 };

/// The parts of a model that are not tensors.
#[derive(Serialize, Deserialize)]
struct Header {
    features: Vec<String>,
    hidden_sizes: Vec<usize>,
    clip: f64,
    epochs: u32,
    device: String,
}

/// Writes a model.
///
/// # Errors
/// Returns [`code::ENGINE`](oculus_plugin_api::code::ENGINE) if the number of values does not match
/// the shape of a tensor. A fit never produces such a model.
pub(crate) fn write(model: &Perceptron) -> Result<Vec<u8>> {
    let n_hidden = model.layers.len().saturating_sub(1);
    let header = Header {
        features: model.inputs.iter().map(|input| input.name.clone()).collect(),
        hidden_sizes: model.layers[..n_hidden].iter().map(|layer| layer.biases.len()).collect(),
        clip: CLIP,
        epochs: model.n_epochs,
        device: model.device.clone(),
    };
    let n_features = model.inputs.len();
    let mut tensors = vec![
        Tensor::new("scaler.mean", vec![n_features], model.inputs.iter().map(|input| input.mean)),
        Tensor::new("scaler.deviation", vec![n_features], model.inputs.iter().map(|input| input.deviation)),
    ];
    for (idx, layer) in model.layers.iter().enumerate() {
        let n_outputs = layer.biases.len();
        let shape = vec![n_outputs, layer.weights.len() / n_outputs.max(1)];
        // The file has one row per output, like PyTorch; scoring needs one row per input.
        tensors.push(Tensor::new(weight_name(idx), shape, transposed(&layer.weights, n_outputs)));
        tensors.push(Tensor::new(bias_name(idx), vec![n_outputs], layer.biases.iter().copied()));
    }
    write_tensor_file(FORMAT, &header, &tensors)
}

/// Reads a model.
///
/// # Errors
/// Returns [`code::MODEL`](oculus_plugin_api::code::MODEL) if the bytes are not a complete model of
/// this plugin.
pub(crate) fn read(bytes: &[u8]) -> Result<Perceptron> {
    let file = TensorFile::read(bytes, FORMAT)?;
    let header: Header = file.header()?;
    check(&header)?;

    let n_features = header.features.len();
    let mean = file.values::<f64>("scaler.mean", &[n_features])?;
    let deviation = file.values::<f64>("scaler.deviation", &[n_features])?;
    if let Some(found) = deviation.iter().find(|deviation| **deviation < 0.0) {
        return Err(PluginError::model(format!("invalid scaler.deviation: found {found}, expected at least 0")));
    }
    let moments = mean.into_iter().zip(deviation);
    let input = |(name, (mean, deviation))| Input { name, mean, deviation };
    let inputs = header.features.into_iter().zip(moments).map(input).collect();

    // The expected shapes are computed from the header, so a tensor of another shape causes an
    // error, not a panic.
    let sizes = [&[n_features], &header.hidden_sizes[..], &[1]].concat();
    let mut layers = Vec::new();
    for (idx, pair) in sizes.windows(2).enumerate() {
        layers.push(read_layer(&file, idx, pair[0], pair[1])?);
    }
    Ok(Perceptron { inputs, layers, n_epochs: header.epochs, device: header.device })
}

/// Checks that this version of the plugin can score with a model that has this header.
fn check(header: &Header) -> Result<()> {
    // The clip is a constant of the plugin, so a model that was fitted with another clip would
    // produce wrong scores.
    if header.clip != CLIP {
        return Err(PluginError::model(format!("invalid clip: found {}, expected {CLIP}", header.clip)));
    }
    if header.features.is_empty() || header.hidden_sizes.contains(&0) {
        return Err(PluginError::model("the model has no features, or a layer without units"));
    }
    Ok(())
}

fn read_layer(file: &TensorFile<'_>, idx: usize, n_inputs: usize, n_outputs: usize) -> Result<Layer> {
    let weights = file.values::<f32>(&weight_name(idx), &[n_outputs, n_inputs])?;
    let biases = file.values::<f32>(&bias_name(idx), &[n_outputs])?;
    Ok(Layer { weights: transposed(&weights, n_inputs), biases })
}

fn weight_name(layer_idx: usize) -> String {
    format!("layers.{layer_idx}.weight")
}

fn bias_name(layer_idx: usize) -> String {
    format!("layers.{layer_idx}.bias")
}

/// Transposes a row-major matrix.
fn transposed(values: &[f32], n_columns: usize) -> Vec<f32> {
    (0..n_columns).flat_map(|column| values.iter().skip(column).step_by(n_columns.max(1))).copied().collect()
}
