//! The fitted model as data: its weights, and how its inputs are made.

use crate::network::Architecture;
use crate::params::Settings;
use crate::sequences::{Scaler, Sequences};

/// The origin of a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Made {
    /// Epochs of its training.
    pub(crate) n_epochs: usize,
    /// Device that it was fitted on.
    pub(crate) device: String,
}

/// A fitted network.
#[derive(Clone, Debug, PartialEq)]
pub struct LstmModel {
    pub(crate) scaler: Scaler,
    /// Names of all columns of the table that it was fitted on.
    pub(crate) columns: Vec<String>,
    pub(crate) architecture: Architecture,
    /// Rows that a score reads.
    pub(crate) sequence_length: usize,
    /// In the order of [`Architecture::tensors`].
    pub(crate) weights: Vec<f32>,
    pub(crate) made: Made,
}

impl LstmModel {
    /// Makes a model from the weights of a fit.
    pub(crate) fn new(sequences: &Sequences, settings: &Settings, weights: Vec<f32>, made: Made) -> Self {
        let n_features = sequences.n_features();
        Self {
            scaler: sequences.scaler.clone(),
            columns: sequences.columns.clone(),
            architecture: Architecture { n_features, hidden_size: settings.hidden_size, n_layers: settings.n_layers },
            sequence_length: settings.sequence_length,
            weights,
            made,
        }
    }
}
