//! What can be set, and what a fit takes of it, checked.

use oculus_plugin_api::prelude::*;

use crate::device;

/// The parameter that counts epochs.
const EPOCHS: &str = "epochs";
/// The parameter that says how many rows a score reads.
const SEQUENCE_LENGTH: &str = "sequence_length";

/// The longest window.
pub(crate) const MAX_SEQUENCE_LENGTH: usize = 2000;

/// Who the family is and what it takes.
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
        .param(Param::int("hidden_size", 128).range(1, 2048).help("size of the state of a layer"))
        .param(Param::int("num_layers", 2).range(1, 8).help("layers, each reading the outputs of the one below"))
        .param(
            Param::float("dropout", 0.2).range(0.0, 0.9).help("share of outputs dropped between layers and at the top"),
        )
        .param(
            Param::int(SEQUENCE_LENGTH, 100)
                .range(1, MAX_SEQUENCE_LENGTH as f64)
                .help("rows that a score reads, its own the last"),
        )
        .param(Param::int(EPOCHS, 250).range(1, 10_000).help("passes over the training rows at most"))
        .param(Param::int("batch_size", 32).range(1, 4096).help("labels of an update, about"))
        .param(Param::float("learning_rate", 3e-3).range(1e-6, 1.0).search_log(1e-3, 1e-2).help("step of an update"))
        .param(
            Param::int("patience", 10)
                .range(1, 10_000)
                .help("epochs without a lower loss on the rows for early stopping, after which the best is restored"),
        )
        .param(
            Param::choice("training", "segments", ["segments", "windowed"]).help(
                "segments: several labels after a short run-up from a stored state; windowed: one label a window",
            ),
        )
        .param(Param::choice("device", "auto", ["auto", "cpu", "cuda", "mps"]).help("auto times those that exist"))
        .param(Param::float("weight_decay", 1.0).range(0.0, 1000.0).help("AdamW's decay of weights"))
        .param(Param::float("clip_norm", 1.0).range(1e-6, 1e6).help("norm at which a gradient is cut"))
        .param(Param::int("label_steps", 10).range(1, 2000).help("segments: rows at the end of one whose labels count"))
        .param(Param::int("burn_in", 20).range(0, 2000).help("segments: rows before those, run for the state"))
        .param(Param::flag("mixed_burn_in", false).help("segments: half, one or two times the burn-in, by epoch"))
        .param(Param::choice("schedule", "constant", ["constant", "cosine"]).help(
            "learning rate over `epochs`, which for the final fit are those found: constant, or down half a cosine",
        ))
        .param(
            Param::float("averaging", 0.99)
                .range(0.0, 0.9999)
                .help("share of the running mean of the weights kept at an update; 0 for none"),
        )
}

/// How the windows are trained on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Training {
    /// One label a window, which is run from its first row.
    Windowed,
    /// Several labels a segment, which is run from a stored state.
    Segments {
        /// Rows whose labels count.
        label_steps: usize,
        /// Rows before them that the gradient runs through.
        burn_in: usize,
        /// Whether the burn-in changes from epoch to epoch.
        mixed: bool,
    },
}

/// What becomes of the learning rate over the epochs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RateSchedule {
    /// It stays.
    Constant,
    /// It falls to 0 along half a cosine.
    Cosine,
}

/// The parameters of one fit.
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
    /// Takes what a fit needs.
    ///
    /// # Errors
    /// None for parameters of the [`manifest`].
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

    /// The learning rate of an epoch; the first is 1.
    pub(crate) fn rate_at(&self, epoch: usize) -> f64 {
        let done = (epoch - 1) as f64 / self.n_epochs as f64;
        match self.schedule {
            RateSchedule::Constant => self.learning_rate,
            RateSchedule::Cosine => self.learning_rate * 0.5 * (1.0 + (std::f64::consts::PI * done).cos()),
        }
    }
}

#[cfg(test)]
impl Settings {
    /// The settings of a job with these parameters.
    pub(crate) fn from_json(json: &str) -> Self {
        Self::from_params(&Params::from_json(&manifest().params, json).unwrap()).unwrap()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_can_work_with_the_manifest() {
        assert_eq!(manifest().check(), Ok(()));
    }

    #[test]
    fn a_cosine_starts_at_the_full_rate_and_ends_near_none() {
        let settings = Settings::from_json(r#"{"schedule": "cosine", "epochs": 100}"#);
        let rates = [1, 51, 100].map(|epoch| settings.rate_at(epoch) / settings.learning_rate);
        assert!((rates[0] - 1.0).abs() < 1e-12 && (rates[1] - 0.5).abs() < 1e-12 && rates[2] < 1e-3, "{rates:?}");
    }
}
