//! A model as safetensors: PyTorch's own names and shapes, and a JSON header with all the rest.
//!
//! In: a model. Out: bytes, the same for the same model. What is read is checked before anything is made of it.

use std::collections::HashMap;

use oculus_plugin_api::{PluginError, Result};
use safetensors::tensor::{Dtype, SafeTensorError, SafeTensors, TensorView};
use serde::{Deserialize, Serialize};

use crate::model::{LstmModel, Made};
use crate::network::Architecture;
use crate::params::MAX_SEQUENCE_LENGTH;
use crate::sequences::{CLIP, Scaler};

/// The one key of the metadata.
const KEY: &str = "oculus";
/// Grows when a reader of today could not read it.
const VERSION: u32 = 1;
const MEAN: &str = "scaler.mean";
const DEVIATION: &str = "scaler.deviation";

/// What the tensors do not say.
#[derive(Serialize, Deserialize)]
struct Header {
    family: String,
    format: u32,
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
pub fn write(model: &LstmModel) -> Result<Vec<u8>> {
    let header = Header {
        family: "lstm".to_owned(),
        format: VERSION,
        columns: model.columns.clone(),
        features: model.scaler.features.clone(),
        hidden_size: model.architecture.hidden_size,
        num_layers: model.architecture.n_layers,
        sequence_length: model.sequence_length,
        clip: CLIP,
        epochs: model.made.n_epochs,
        device: model.made.device.clone(),
    };
    let bytes = |values: &[f32]| values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
    let n_features = vec![model.architecture.n_features];
    let mut parts = vec![
        (MEAN.to_owned(), n_features.clone(), bytes(&model.scaler.mean)),
        (DEVIATION.to_owned(), n_features, bytes(&model.scaler.deviation)),
    ];
    let mut weights = model.weights.as_slice();
    for (name, size) in model.architecture.tensors() {
        let (own, rest) = weights.split_at(size.iter().product());
        parts.push((name, size, bytes(own)));
        weights = rest;
    }
    let views = parts.iter().map(|(name, size, bytes)| Ok((name, TensorView::new(Dtype::F32, size.clone(), bytes)?)));
    let views = views.collect::<std::result::Result<Vec<_>, SafeTensorError>>().map_err(PluginError::engine)?;
    let header = serde_json::to_string(&header).map_err(PluginError::engine)?;
    safetensors::serialize(views, Some(HashMap::from([(KEY.to_owned(), header)]))).map_err(PluginError::engine)
}

/// Reads what [`write`] wrote.
///
/// # Errors
/// [`code::MODEL`](oculus_plugin_api::code::MODEL) for anything else.
pub fn read(bytes: &[u8]) -> Result<LstmModel> {
    let file = SafeTensors::deserialize(bytes).map_err(|error| refused(&error.to_string()))?;
    let header = read_header(bytes)?;
    let architecture = Architecture {
        n_features: header.features.len(),
        hidden_size: header.hidden_size,
        n_layers: header.num_layers,
    };
    let values = |name: &str, size: &[usize]| {
        let tensor = file.tensor(name).map_err(|_| refused(&format!("it lacks the tensor {name}")))?;
        if tensor.dtype() != Dtype::F32 || tensor.shape() != size {
            let (kind, found) = (tensor.dtype(), tensor.shape());
            return Err(refused(&format!("{name} is {kind:?} {found:?}, needed F32 {size:?}")));
        }
        let values = tensor.data().as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes));
        let values: Vec<f32> = values.collect();
        if values.iter().all(|value| value.is_finite()) {
            Ok(values)
        } else {
            Err(refused(&format!("{name} has holes")))
        }
    };
    let n_features = [architecture.n_features];
    let scaler = Scaler {
        mean: values(MEAN, &n_features)?,
        deviation: values(DEVIATION, &n_features)?,
        features: header.features,
    };
    let tensors = architecture.tensors();
    let weights = tensors.iter().map(|(name, size)| values(name, size)).collect::<Result<Vec<_>>>()?.concat();
    let (columns, sequence_length) = (header.columns, header.sequence_length);
    let made = Made { n_epochs: header.epochs, device: header.device };
    Ok(LstmModel { scaler, columns, architecture, sequence_length, weights, made })
}

fn read_header(bytes: &[u8]) -> Result<Header> {
    let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(|error| refused(&error.to_string()))?;
    let text = metadata.metadata().as_ref().and_then(|metadata| metadata.get(KEY));
    let text = text.ok_or_else(|| refused(&format!("its metadata lacks `{KEY}`")))?;
    let header: Header = serde_json::from_str(text).map_err(|error| refused(&format!("its header: {error}")))?;
    if header.family != "lstm" || header.format != VERSION {
        let (family, format) = (header.family, header.format);
        return Err(refused(&format!("it is of family `{family}`, format {format}; needed `lstm`, {VERSION}")));
    }
    // Sizes that multiply beyond memory are none of ours: each weight stands in the file.
    let sizes = [header.features.len(), header.hidden_size, header.num_layers];
    let has_sizes = sizes.iter().all(|&size| size > 0 && size < bytes.len());
    if !has_sizes || !(1..=MAX_SEQUENCE_LENGTH).contains(&header.sequence_length) || header.clip != CLIP {
        let (length, clip) = (header.sequence_length, header.clip);
        return Err(refused(&format!("its header has sizes {sizes:?}, sequence_length {length} and clip {clip}")));
    }
    Ok(header)
}

fn refused(why: &str) -> PluginError {
    PluginError::model(format!("no LSTM of this plugin: {why}"))
}
