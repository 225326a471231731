//! The fitted model as data: its weights, its scaler and its sizes.

use crate::network::Architecture;
use crate::params::Settings;
use crate::sequences::{Scaler, Sequences};

/// Facts about the fit of a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FitInfo {
    /// Number of epochs.
    pub(crate) n_epochs: usize,
    /// Device of the fit.
    pub(crate) device: String,
}

/// A fitted network.
#[derive(Clone, Debug, PartialEq)]
pub struct LstmModel {
    pub(crate) scaler: Scaler,
    /// Names of all columns of the table on which the model was fitted.
    pub(crate) columns: Vec<String>,
    pub(crate) architecture: Architecture,
    /// Number of rows from which one score is computed.
    pub(crate) sequence_length: usize,
    /// All weights, in the order of [`Architecture::tensors`].
    pub(crate) weights: Vec<f32>,
    pub(crate) fit_info: FitInfo,
}

impl LstmModel {
    /// Creates a model from the weights of a fit.
    pub(crate) fn new(sequences: &Sequences, settings: &Settings, weights: Vec<f32>, fit_info: FitInfo) -> Self {
        let n_features = sequences.n_features();
        Self {
            scaler: sequences.scaler.clone(),
            columns: sequences.columns.clone(),
            architecture: Architecture { n_features, hidden_size: settings.hidden_size, n_layers: settings.n_layers },
            sequence_length: settings.sequence_length,
            weights,
            fit_info,
        }
    }
}
