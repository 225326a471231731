//! A model as safetensors: PyTorch's own names and shapes, and a header with all the rest.
//!
//! In: a model. Out: bytes, the same for the same model. What is read is checked before anything is made of it.

use oculus_plugin_api::{PluginError, Result};
use oculus_plugin_support::{Format, Tensor, TensorFile, write_tensor_file};
use serde::{Deserialize, Serialize};

use crate::fitted::{LstmModel, Made};
use crate::network::Architecture;
use crate::params::MAX_SEQUENCE_LENGTH;
use crate::sequences::{CLIP, Scaler};

const FORMAT: Format = Format { family: "lstm", version: 1 };
const MEAN: &str = "scaler.mean";
const DEVIATION: &str = "scaler.deviation";

/// What the tensors do not say.
#[derive(Serialize, Deserialize)]
struct Header {
    /// Names of all columns of the table that it was fitted on.
    columns: Vec<String>,
    /// Names of those that it reads, in order.
    features: Vec<String>,
    hidden_size: usize,
    num_layers: usize,
    sequence_length: usize,
    /// Standardised inputs are cut at this.
    clip: f32,
    epochs: usize,
    device: String,
}

/// Writes a model.
///
/// # Errors
/// None for a model of this plugin.
pub(crate) fn write(model: &LstmModel) -> Result<Vec<u8>> {
    let header = Header {
        columns: model.columns.clone(),
        features: model.scaler.features.clone(),
        hidden_size: model.architecture.hidden_size,
        num_layers: model.architecture.n_layers,
        sequence_length: model.sequence_length,
        clip: CLIP,
        epochs: model.made.n_epochs,
        device: model.made.device.clone(),
    };
    let n_features = vec![model.architecture.n_features];
    let mut tensors = vec![
        Tensor::new(MEAN, n_features.clone(), model.scaler.mean.iter().copied()),
        Tensor::new(DEVIATION, n_features, model.scaler.deviation.iter().copied()),
    ];
    let mut weights = model.weights.as_slice();
    for (name, shape) in model.architecture.tensors() {
        let (own, rest) = weights.split_at(shape.iter().product());
        tensors.push(Tensor::new(name, shape, own.iter().copied()));
        weights = rest;
    }
    write_tensor_file(FORMAT, &header, &tensors)
}

/// Reads what [`write`] wrote.
///
/// # Errors
/// [`code::MODEL`](oculus_plugin_api::code::MODEL) for anything else.
pub(crate) fn read(bytes: &[u8]) -> Result<LstmModel> {
    let file = TensorFile::read(bytes, FORMAT)?;
    let header: Header = file.header()?;
    check(&header, bytes.len())?;
    let architecture = Architecture {
        n_features: header.features.len(),
        hidden_size: header.hidden_size,
        n_layers: header.num_layers,
    };
    let n_features = [architecture.n_features];
    let scaler = Scaler {
        mean: file.values(MEAN, &n_features)?,
        deviation: file.values(DEVIATION, &n_features)?,
        features: header.features,
    };
    let mut weights: Vec<f32> = Vec::new();
    for (name, shape) in architecture.tensors() {
        weights.extend(file.values::<f32>(&name, &shape)?);
    }
    Ok(LstmModel {
        scaler,
        columns: header.columns,
        architecture,
        sequence_length: header.sequence_length,
        weights,
        made: Made { n_epochs: header.epochs, device: header.device },
    })
}

/// Refuses a header that this version of the plugin cannot score with.
fn check(header: &Header, n_bytes: usize) -> Result<()> {
    // Sizes that multiply beyond memory are none of ours: each weight stands in the file.
    let sizes = [header.features.len(), header.hidden_size, header.num_layers];
    let has_sizes = sizes.iter().all(|&size| size > 0 && size < n_bytes);
    let has_length = (1..=MAX_SEQUENCE_LENGTH).contains(&header.sequence_length);
    if has_sizes && has_length && header.clip == CLIP {
        return Ok(());
    }
    let Header { sequence_length, clip, .. } = header;
    Err(PluginError::model(format!(
        "the header has sizes {sizes:?}, sequence_length {sequence_length} and clip {clip}"
    )))
}
