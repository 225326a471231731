//! A model as safetensors: `layers.N.weight` and `layers.N.bias` as PyTorch lays them out (a row an output), the scales
//! as `scaler.mean` and `scaler.deviation`, and all that is no tensor as JSON under `oculus` in the file's header.

use std::collections::HashMap;

use oculus_plugin_api::prelude::*;
use safetensors::tensor::{Dtype, TensorView};
use safetensors::{SafeTensors, serialize};
use serde::{Deserialize, Serialize};

use crate::model::{Layer, Perceptron};
use crate::scaling::CLIP;

const KEY: &str = "oculus";
const FAMILY: &str = "mlp";
const FORMAT: u32 = 1;

/// What stands in the header beside the tensors.
#[derive(Serialize, Deserialize)]
struct Header {
    family: String,
    format: u32,
    features: Vec<String>,
    hidden_sizes: Vec<usize>,
    clip: f64,
    epochs: u32,
    device: String,
}

/// The bytes of a model.
///
/// # Errors
/// None for a model of this plugin.
pub fn write(model: &Perceptron) -> Result<Vec<u8>> {
    let n_hidden = model.layers.len().saturating_sub(1);
    let header = Header {
        family: FAMILY.to_owned(),
        format: FORMAT,
        features: model.inputs.iter().map(|input| input.name.clone()).collect(),
        hidden_sizes: model.layers[..n_hidden].iter().map(|layer| layer.biases.len()).collect(),
        clip: CLIP,
        epochs: model.n_epochs,
        device: model.device.clone(),
    };
    let header = serde_json::to_string(&header).map_err(PluginError::engine)?;

    let of_inputs = |part: fn(&Input) -> f64| model.inputs.iter().flat_map(|input| part(input).to_le_bytes()).collect();
    let n_features = model.inputs.len();
    let mut tensors: Vec<(String, Dtype, Vec<usize>, Vec<u8>)> = vec![
        ("scaler.mean".to_owned(), Dtype::F64, vec![n_features], of_inputs(|input| input.mean)),
        ("scaler.deviation".to_owned(), Dtype::F64, vec![n_features], of_inputs(|input| input.deviation)),
    ];
    for (idx, layer) in model.layers.iter().enumerate() {
        let n_outputs = layer.biases.len();
        let weights = transposed(&layer.weights, n_outputs);
        let shape = vec![n_outputs, layer.weights.len() / n_outputs.max(1)];
        tensors.push((weight_name(idx), Dtype::F32, shape, bytes_of(&weights)));
        tensors.push((bias_name(idx), Dtype::F32, vec![n_outputs], bytes_of(&layer.biases)));
    }
    let views: Vec<_> = tensors
        .iter()
        .map(|(name, dtype, shape, bytes)| Ok((name, TensorView::new(*dtype, shape.clone(), bytes)?)))
        .collect::<std::result::Result<_, safetensors::SafeTensorError>>()
        .map_err(PluginError::engine)?;
    serialize(views, Some(HashMap::from([(KEY.to_owned(), header)]))).map_err(PluginError::engine)
}

/// A model from its bytes.
///
/// # Errors
/// [`code::MODEL`](oculus_plugin_api::code::MODEL) for anything else than a whole model of this plugin.
pub fn read(bytes: &[u8]) -> Result<Perceptron> {
    let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(no_safetensors)?;
    let tensors = SafeTensors::deserialize(bytes).map_err(no_safetensors)?;
    let header = header(metadata.metadata().as_ref().and_then(|entries| entries.get(KEY)))?;

    let n_features = header.features.len();
    let mean = numbers::<f64>(&tensors, "scaler.mean", &[n_features])?;
    let deviation = numbers::<f64>(&tensors, "scaler.deviation", &[n_features])?;
    if let Some(found) = deviation.iter().find(|deviation| **deviation < 0.0) {
        return Err(PluginError::model(format!("scaler.deviation holds {found}, needed at least 0")));
    }
    let sizes = [&[n_features], &header.hidden_sizes[..], &[1]].concat();
    let layer = |(idx, pair): (usize, &[usize])| {
        let (n_inputs, n_outputs) = (pair[0], pair[1]);
        let weights = numbers::<f32>(&tensors, &weight_name(idx), &[n_outputs, n_inputs])?;
        let biases = numbers::<f32>(&tensors, &bias_name(idx), &[n_outputs])?;
        Ok(Layer { weights: transposed(&weights, n_inputs), biases })
    };
    let layers = sizes.windows(2).enumerate().map(layer).collect::<Result<_>>()?;
    let moments = mean.into_iter().zip(deviation);
    let input = |(name, (mean, deviation))| Input { name, mean, deviation };
    let inputs = header.features.into_iter().zip(moments).map(input).collect();
    Ok(Perceptron { inputs, layers, n_epochs: header.epochs, device: header.device })
}

/// The header, if it is one that this version reads.
fn header(entry: Option<&String>) -> Result<Header> {
    let entry = entry.ok_or_else(|| PluginError::model(format!("the header has no `{KEY}`; no model of a plugin")))?;
    let header: Header = serde_json::from_str(entry)
        .map_err(|error| PluginError::model(format!("`{KEY}` of the header cannot be read: {error}")))?;
    if (header.family.as_str(), header.format) != (FAMILY, FORMAT) {
        let (family, format) = (&header.family, header.format);
        return Err(PluginError::model(format!("found format {format} of `{family}`, needed {FORMAT} of `{FAMILY}`")));
    }
    if header.clip != CLIP {
        return Err(PluginError::model(format!("values are clipped at {}, this version clips at {CLIP}", header.clip)));
    }
    if header.features.is_empty() || header.hidden_sizes.contains(&0) {
        return Err(PluginError::model("a model without features, or with a layer without units"));
    }
    Ok(header)
}

fn no_safetensors(error: safetensors::SafeTensorError) -> PluginError {
    PluginError::model(format!("no whole safetensors file: {error}"))
}

/// A number of a tensor.
trait Number: Copy + Into<f64> {
    const DTYPE: Dtype;
    const N_BYTES: usize;
    fn from_le(bytes: &[u8]) -> Option<Self>;
}

impl Number for f32 {
    const DTYPE: Dtype = Dtype::F32;
    const N_BYTES: usize = 4;
    fn from_le(bytes: &[u8]) -> Option<Self> {
        Some(Self::from_le_bytes(bytes.try_into().ok()?))
    }
}

impl Number for f64 {
    const DTYPE: Dtype = Dtype::F64;
    const N_BYTES: usize = 8;
    fn from_le(bytes: &[u8]) -> Option<Self> {
        Some(Self::from_le_bytes(bytes.try_into().ok()?))
    }
}

/// The numbers of one tensor of a known type and shape, all finite.
fn numbers<T: Number>(tensors: &SafeTensors<'_>, name: &str, shape: &[usize]) -> Result<Vec<T>> {
    let tensor = tensors.tensor(name).map_err(|_| PluginError::model(format!("{name} is missing")))?;
    if (tensor.dtype(), tensor.shape()) != (T::DTYPE, shape) {
        let (dtype, found) = (tensor.dtype(), tensor.shape());
        return Err(PluginError::model(format!("{name} is {dtype:?} {found:?}, needed {:?} {shape:?}", T::DTYPE)));
    }
    let numbers: Vec<T> = tensor.data().chunks_exact(T::N_BYTES).filter_map(T::from_le).collect();
    match numbers.iter().map(|number| (*number).into()).find(|number: &f64| !number.is_finite()) {
        None => Ok(numbers),
        Some(found) => Err(PluginError::model(format!("{name} holds {found}, needed finite numbers"))),
    }
}

fn weight_name(layer_idx: usize) -> String {
    format!("layers.{layer_idx}.weight")
}

fn bias_name(layer_idx: usize) -> String {
    format!("layers.{layer_idx}.bias")
}

fn bytes_of(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// A matrix with rows and columns exchanged.
fn transposed(values: &[f32], n_columns: usize) -> Vec<f32> {
    (0..n_columns).flat_map(|column| values.iter().skip(column).step_by(n_columns.max(1))).copied().collect()
}
