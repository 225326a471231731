//! Reads and writes a model as safetensors: tensors with PyTorch's names and shapes, and a header
//! with all other parts.
//!
//! Equal models result in equal bytes. A file is checked completely before a model is built from
//! it.

use oculus_plugin_api::{PluginError, Result};
use oculus_plugin_support::{Format, Tensor, TensorFile, write_tensor_file};
use serde::{Deserialize, Serialize};

use crate::fitted::{FitInfo, LstmModel};
use crate::network::Architecture;
use crate::params::MAX_SEQUENCE_LENGTH;
use crate::sequences::{CLIP, Scaler};

const FORMAT: Format = Format { family: "lstm", version: 1 };
const MEAN: &str = "scaler.mean";
const DEVIATION: &str = "scaler.deviation";

/// The parts of a model that are not tensors.
#[derive(Serialize, Deserialize)]
struct Header {
    /// Names of all columns of the table on which the model was fitted.
    columns: Vec<String>,
    /// Names of the columns that the model reads, in order.
    features: Vec<String>,
    hidden_size: usize,
    num_layers: usize,
    sequence_length: usize,
    /// Bound at which standardised inputs are clipped.
    clip: f32,
    epochs: usize,
    device: String,
}

/// Writes a model.
///
/// # Errors
/// Returns [`code::ENGINE`](oculus_plugin_api::code::ENGINE) if the number of values does not match
/// the shape of a tensor. A fit never produces such a model.
pub(crate) fn write(model: &LstmModel) -> Result<Vec<u8>> {
    let header = Header {
        columns: model.columns.clone(),
        features: model.scaler.features.clone(),
        hidden_size: model.architecture.hidden_size,
        num_layers: model.architecture.n_layers,
        sequence_length: model.sequence_length,
        clip: CLIP,
        epochs: model.fit_info.n_epochs,
        device: model.fit_info.device.clone(),
    };
    let n_features = vec![model.architecture.n_features];
    let mut tensors = vec![
        Tensor::new(MEAN, n_features.clone(), model.scaler.mean.iter().copied()),
        Tensor::new(DEVIATION, n_features, model.scaler.deviation.iter().copied()),
    ];
    let mut weights = model.weights.as_slice();
    for (name, shape) in model.architecture.tensors() {
        let (values, rest) = weights.split_at(shape.iter().product());
        tensors.push(Tensor::new(name, shape, values.iter().copied()));
        weights = rest;
    }
    write_tensor_file(FORMAT, &header, &tensors)
}

/// Reads a model that [`write`] wrote.
///
/// # Errors
/// Returns [`code::MODEL`](oculus_plugin_api::code::MODEL) if the bytes are not a complete model of
/// this plugin.
pub(crate) fn read(bytes: &[u8]) -> Result<LstmModel> {
    let file = TensorFile::read(bytes, FORMAT)?;
    let header: Header = file.header()?;
    // The header is checked first, because the expected shapes of the tensors are computed from the
    // sizes in the header.
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
        fit_info: FitInfo { n_epochs: header.epochs, device: header.device },
    })
}

/// Checks that this version of the plugin can score with a model that has this header.
fn check(header: &Header, n_bytes: usize) -> Result<()> {
    // Each size must be smaller than the file, because the file contains every weight. Without this
    // bound, the product of the sizes could exhaust the memory.
    let sizes = [header.features.len(), header.hidden_size, header.num_layers];
    let has_sizes = sizes.iter().all(|&size| size > 0 && size < n_bytes);
    let has_length = (1..=MAX_SEQUENCE_LENGTH).contains(&header.sequence_length);
    if has_sizes && has_length && header.clip == CLIP {
        return Ok(());
    }
    let Header { sequence_length, clip, .. } = header;
    Err(PluginError::model(format!(
        "invalid header: found features, hidden_size and num_layers {sizes:?}, sequence_length {sequence_length} and \
         clip {clip}; expected sizes above 0 and below {n_bytes}, a sequence_length from 1 to {MAX_SEQUENCE_LENGTH} and clip \
         {CLIP}"
    )))
}
