//! The family's parameters, and their values for one fit.

use oculus_plugin_api::prelude::*;

use crate::device;

/// Name of the parameter that sets the number of epochs.
const EPOCHS: &str = "epochs";
/// Name of the parameter that sets the number of rows from which a score is computed.
const SEQUENCE_LENGTH: &str = "sequence_length";

/// Maximum number of rows in a window.
pub(crate) const MAX_SEQUENCE_LENGTH: usize = 2000;

/// Returns the manifest of the family.
pub(crate) fn manifest() -> Manifest {
    Manifest::new("lstm", env!("CARGO_PKG_VERSION"))
        .named(["LSTM", "lstm"])
        .role(Role::Sequence)
        .selected_by("train_lstm")
        .prefixed("lstm_")
        .devices(device::present().into_iter().map(device::name))
        .rounds_param(EPOCHS)
        .lookback_param(SEQUENCE_LENGTH)
        .saves_as("safetensors")
        .concurrent_fits()
        .param(Param::int("hidden_size", 128).range(1, 2048).help("units per layer"))
        .param(Param::int("num_layers", 2).range(1, 8).help("number of stacked LSTM layers"))
        .param(
            Param::float("dropout", 0.2).range(0.0, 0.9).help("fraction of the outputs of each layer that is dropped"),
        )
        .param(
            Param::int(SEQUENCE_LENGTH, 100)
                .range(1, MAX_SEQUENCE_LENGTH as f64)
                .help("number of rows that a score reads, including its own"),
        )
        .param(Param::int(EPOCHS, 250).range(1, 10_000).help("maximum number of passes over the training rows"))
        .param(Param::int("batch_size", 32).range(1, 4096).help("approximate number of labels per optimizer step"))
        .param(Param::float("learning_rate", 3e-3).range(1e-6, 1.0).search_log(1e-3, 1e-2).help("learning rate of the optimizer"))
        .param(
            Param::int("patience", 10)
                .range(1, 10_000)
                .help("number of epochs without a lower validation loss before training stops and restores the best epoch"),
        )
        .param(
            Param::choice("training", "segments", ["segments", "windowed"]).help(
                "segments: several labels per sequence, after a burn-in from a stored state; windowed: one label per window",
            ),
        )
        .param(Param::choice("device", "auto", ["auto", "cpu", "cuda", "mps"]).help("training device; auto times every available device and uses the fastest"))
        .param(Param::float("weight_decay", 1.0).range(0.0, 1000.0).help("AdamW's weight decay, relative to the learning rate"))
        .param(Param::float("clip_norm", 1.0).range(1e-6, 1e6).help("maximum norm of a gradient; a larger gradient is scaled down to it"))
        .param(Param::int("label_steps", 10).range(1, 2000).help("for segments: number of rows with labels at the end of each segment"))
        .param(Param::int("burn_in", 20).range(0, 2000).help("for segments: number of rows before the labels; these rows only update the state"))
        .param(Param::flag("mixed_burn_in", false).help("for segments: each epoch draws half, one or two times the burn-in"))
        .param(Param::choice("schedule", "constant", ["constant", "cosine"]).help(
            "learning rate schedule: constant, or cosine decay to 0 over the epochs; in the final fit, over the epochs \
             found by early stopping",
        ))
        .param(
            Param::float("averaging", 0.99)
                .range(0.0, 0.9999)
                .help("factor of the previous mean in the running mean of the weights; 0 means no averaging"),
        )
}

/// The training scheme.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Training {
    /// Each window has one label, and its first row starts from a state of zeros.
    Windowed,
    /// Each segment has several labels and starts from a stored state.
    Segments {
        /// Number of rows whose labels contribute to the loss.
        label_steps: usize,
        /// Number of rows before the labels, through which gradients flow.
        burn_in: usize,
        /// True if each epoch draws the length of its burn-in.
        mixed: bool,
    },
}

/// The change of the learning rate over the epochs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RateSchedule {
    /// The learning rate is constant.
    Constant,
    /// The learning rate falls to 0 along half a cosine.
    Cosine,
}

/// The parameters of one fit, as typed values.
pub(crate) struct Settings {
    pub(crate) hidden_size: usize,
    pub(crate) n_layers: usize,
    pub(crate) dropout: f64,
    pub(crate) sequence_length: usize,
    pub(crate) n_epochs: usize,
    pub(crate) batch_size: usize,
    pub(crate) learning_rate: f64,
    pub(crate) patience: usize,
    pub(crate) training: Training,
    pub(crate) device: String,
    pub(crate) weight_decay: f64,
    pub(crate) clip_norm: f64,
    pub(crate) schedule: RateSchedule,
    pub(crate) averaging: f64,
}

impl Settings {
    /// Reads parameters of the [`manifest`].
    ///
    /// # Errors
    /// Returns the SDK's error if a parameter is missing or has another type. The manifest
    /// prevents both.
    pub(crate) fn from_params(params: &Params) -> Result<Self> {
        let segments = Training::Segments {
            label_steps: params.count("label_steps")?,
            burn_in: params.count("burn_in")?,
            mixed: params.flag("mixed_burn_in")?,
        };
        Ok(Self {
            hidden_size: params.count("hidden_size")?,
            n_layers: params.count("num_layers")?,
            dropout: params.float("dropout")?,
            sequence_length: params.count(SEQUENCE_LENGTH)?,
            n_epochs: params.count(EPOCHS)?,
            batch_size: params.count("batch_size")?,
            learning_rate: params.float("learning_rate")?,
            patience: params.count("patience")?,
            training: if params.choice("training")? == "windowed" { Training::Windowed } else { segments },
            device: params.choice("device")?.to_owned(),
            weight_decay: params.float("weight_decay")?,
            clip_norm: params.float("clip_norm")?,
            schedule: if params.choice("schedule")? == "cosine" {
                RateSchedule::Cosine
            } else {
                RateSchedule::Constant
            },
            averaging: params.float("averaging")?,
        })
    }

    /// Returns the learning rate of an epoch; epochs are counted from 1.
    pub(crate) fn rate_at(&self, epoch: usize) -> f64 {
        // The first epoch has the full rate, and the last one still has a positive rate.
        let done = (epoch - 1) as f64 / self.n_epochs as f64;
        match self.schedule {
            RateSchedule::Constant => self.learning_rate,
            RateSchedule::Cosine => self.learning_rate * 0.5 * (1.0 + (std::f64::consts::PI * done).cos()),
        }
    }
}

#[cfg(test)]
impl Settings {
    /// Returns the settings that a job with these parameters uses.
    pub(crate) fn from_json(json: &str) -> Self {
        Self::from_params(&Params::from_json(&manifest().params, json).unwrap()).unwrap()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manifest_passes_the_checks_of_the_host() {
        assert_eq!(manifest().check(), Ok(()));
    }

    #[test]
    fn the_cosine_schedule_starts_at_the_full_rate_and_ends_near_zero() {
        let settings = Settings::from_json(r#"{"schedule": "cosine", "epochs": 100}"#);
        let rates = [1, 51, 100].map(|epoch| settings.rate_at(epoch) / settings.learning_rate);
        assert!((rates[0] - 1.0).abs() < 1e-12 && (rates[1] - 0.5).abs() < 1e-12 && rates[2] < 1e-3, "{rates:?}");
    }
}
