//! What can be set.

use oculus_plugin_api::prelude::*;

use crate::device;

/// The parameter that counts epochs.
pub(crate) const EPOCHS: &str = "epochs";

/// Who the family is and what it takes. The defaults are for tables of about a thousand rows with little signal: on 8
/// planted tables (500 rows to train on, 200 to stop by, 40 features of which 4 matter) half of the units left out and a
/// weight decay of 1 lie 0.092 below the AUC of the truth, 0.3 and 0.1 lie 0.101, no dropout with 0.1 lies 0.111.
pub(crate) fn manifest() -> Manifest {
    Manifest::new("mlp", env!("CARGO_PKG_VERSION"))
        .named(["MLP", "NeuralNetwork", "neural_network", "nn", "MultiLayerPerceptron"])
        .selected_by("train_neural_networks")
        .prefixed("nn_")
        .devices(device::available().iter().copied())
        .leads_search()
        .concurrent_fits()
        .rounds_param(EPOCHS)
        .saves_as("safetensors")
        .param(Param::int(EPOCHS, 100).range(1, 10_000).help("passes over the training rows at most"))
        .param(Param::int("batch_size", 64).range(1, 65_536).help("rows a step"))
        .param(Param::float("learning_rate", 1e-3).range(1e-6, 1.0).search_log(3e-4, 1e-2).help("size of a step"))
        .param(Param::ints("hidden_sizes", [64, 32], (1, 4096), 8).help("units of each hidden layer; [] for none"))
        .param(
            Param::float("dropout", 0.5)
                .range(0.0, 0.9)
                .search(0.2, 0.7)
                .help("share of the hidden units left out at a step"),
        )
        .param(
            Param::float("weight_decay", 1.0)
                .range(0.0, 10.0)
                .search_log(0.03, 3.0)
                .help("pull of the weights to 0, in shares of a step"),
        )
        .param(
            Param::int("patience", 15)
                .range(1, 10_000)
                .help("epochs without a lower loss on the rows for early stopping, after which the best is restored"),
        )
        .param(
            Param::choice("device", "auto", device::CHOICES)
                .help("where to fit; auto is the CPU, which such small networks are fastest on"),
        )
}

/// The parameters of one fit, each in its own type.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Recipe {
    /// Passes over the training rows, at most.
    pub(crate) n_epochs: usize,
    /// Rows a step.
    pub(crate) batch_size: usize,
    /// Size of a step.
    pub(crate) learning_rate: f64,
    /// Units of each hidden layer.
    pub(crate) hidden_sizes: Vec<usize>,
    /// Share of the hidden units left out at a step.
    pub(crate) dropout: f32,
    /// Pull of the weights to 0, in shares of a step.
    pub(crate) weight_decay: f64,
    /// Epochs to wait for a lower loss.
    pub(crate) patience: usize,
}

impl Recipe {
    /// Reads parameters of the [`manifest`].
    ///
    /// # Errors
    /// None for those.
    pub(crate) fn new(params: &Params) -> Result<Self> {
        Ok(Self {
            n_epochs: params.count(EPOCHS)?,
            batch_size: params.count("batch_size")?,
            learning_rate: params.float("learning_rate")?,
            hidden_sizes: params.ints("hidden_sizes")?.into_iter().map(|size| size as usize).collect(),
            dropout: params.float("dropout")? as f32,
            weight_decay: params.float("weight_decay")?,
            patience: params.count("patience")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_its_names_finds_it() {
        for name in ["MLP", "mlp", "NeuralNetwork", "neural_network", "Neural-Network", "neural network", "NN"] {
            assert!(manifest().answers_to(name), "{name}");
        }
    }
}
