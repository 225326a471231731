//! Fits one model: chooses the device, runs epochs, stops early if there are rows for early
//! stopping, and keeps the best epoch.

use oculus_plugin_api::prelude::*;
use tch::Device;

use crate::device;
use crate::fitted::{FitInfo, LstmModel};
use crate::network::engine_error;
use crate::params::Settings;
use crate::segments::Labels;
use crate::sequences::Sequences;
use crate::trainer::Trainer;

/// Fits one model.
///
/// # Errors
/// * [`code::DATA`](oculus_plugin_api::code::DATA) if no training or tuning row has a complete
///   window, or if all usable training rows have the same label.
/// * [`code::DEVICE`](oculus_plugin_api::code::DEVICE) if the device is not available.
/// * [`code::CANCELLED`](oculus_plugin_api::code::CANCELLED) if the host cancelled the fit.
/// * [`code::ENGINE`](oculus_plugin_api::code::ENGINE) if a loss or weight is not finite, or
///   libtorch fails.
pub(crate) fn fit(sequences: &Sequences, task: &Task<'_>, params: &Params, ctx: &Ctx<'_, '_>) -> Result<LstmModel> {
    device::use_one_thread();
    ctx.check()?;
    let settings = Settings::from_params(params)?;
    let train = train_labels(sequences, task, &settings, ctx)?;
    let tune = tune_labels(sequences, task, &settings)?;
    let fit = Fit { sequences, settings: &settings, train, tune };

    let candidates = device::candidates(task.device, &settings.device, &device::present())?;
    let device = fit.fastest(&candidates, ctx)?;
    let trainer = Trainer::new(sequences, &settings, task.seed, device).map_err(engine_error)?;
    let best = fit.run(trainer, ctx)?;
    let fit_info = FitInfo { n_epochs: best.epoch, device: device::name(device).to_owned() };
    Ok(LstmModel::new(sequences, &settings, best.weights, fit_info))
}

/// Returns the labels of the training rows that have complete windows.
fn train_labels(sequences: &Sequences, task: &Task<'_>, settings: &Settings, ctx: &Ctx<'_, '_>) -> Result<Labels> {
    let length = settings.sequence_length;
    let n_rows = task.train_rows.len();
    let rows = sequences.with_history(task.train_rows, length);
    if rows.is_empty() {
        return Err(PluginError::data(format!(
            "found no complete window of {length} rows for any of {n_rows} training rows; use a shorter sequence_length \
             or more bars"
        )));
    }
    if rows.len() < n_rows {
        let n_left_out = n_rows - rows.len();
        ctx.log(
            Level::Info,
            &format!("skipping {n_left_out} of {n_rows} training rows: they have fewer than {length} rows of history"),
        );
    }
    // The remaining rows may lack a class, because all rows of that class may have been left out.
    Task { train_rows: &rows, ..*task }.needs_both_classes()?;
    Ok(Labels::new(&rows, task.label, &sequences.history))
}

/// Returns the labels of the rows for early stopping that have complete windows; `None` if the task
/// has no such rows.
fn tune_labels(sequences: &Sequences, task: &Task<'_>, settings: &Settings) -> Result<Option<Labels>> {
    if task.tune_rows.is_empty() {
        return Ok(None);
    }
    let length = settings.sequence_length;
    let n_rows = task.tune_rows.len();
    let rows = sequences.with_history(task.tune_rows, length);
    if rows.is_empty() {
        return Err(PluginError::data(format!(
            "found no complete window of {length} rows for any of {n_rows} rows for early stopping; use a shorter \
             sequence_length"
        )));
    }
    Ok(Some(Labels::new(&rows, task.label, &sequences.history)))
}

/// The inputs of a fit.
struct Fit<'a> {
    sequences: &'a Sequences,
    settings: &'a Settings,
    train: Labels,
    tune: Option<Labels>,
}

/// The epoch whose weights become the model.
struct BestEpoch {
    epoch: usize,
    weights: Vec<f32>,
}

impl Fit<'_> {
    /// Returns the device on which an update is fastest. A single candidate is returned without a
    /// measurement.
    fn fastest(&self, candidates: &[Device], ctx: &Ctx<'_, '_>) -> Result<Device> {
        if let [only] = candidates {
            return Ok(*only);
        }
        let seconds = |&device: &Device| {
            ctx.check()?;
            // This trainer is dropped after the measurement, so its updates do not affect the
            // model. The time does not depend on the weights, so the seed is arbitrary.
            let trainer = Trainer::new(self.sequences, self.settings, 0, device);
            let time = trainer.and_then(|mut trainer| trainer.time_update(&self.train));
            time.map(|time| (device, time)).map_err(engine_error)
        };
        let timed = candidates.iter().map(seconds).collect::<Result<Vec<_>>>()?;
        let (device, log_line) = device::fastest(timed);
        ctx.log(Level::Info, &log_line);
        Ok(device)
    }

    /// Runs the epochs. Returns the epoch with the lowest loss on the rows for early stopping, or
    /// the last epoch if there are no such rows.
    fn run(&self, mut trainer: Trainer<'_>, ctx: &Ctx<'_, '_>) -> Result<BestEpoch> {
        let n_epochs = self.settings.n_epochs;
        let mut stopping = EarlyStopping::new(self.settings.patience);
        let mut best = None;
        for epoch in 1..=n_epochs {
            let loss = trainer.epoch(&self.train, epoch, ctx)?;
            self.check_finite(loss.is_finite(), epoch)?;
            ctx.metric("loss", epoch as u64, loss);
            let tune_loss = self.tune.as_ref().map(|tune| trainer.loss_on(tune, ctx)).transpose()?;
            if let Some(tune_loss) = tune_loss {
                self.check_finite(tune_loss.is_finite(), epoch)?;
                ctx.metric("tune_loss", epoch as u64, tune_loss);
            }
            ctx.progress(epoch as f64 / n_epochs as f64, &format!("epoch {epoch} of {n_epochs}, loss {loss:.4}"));
            ctx.check()?;
            match tune_loss.map(|tune_loss| stopping.observe(epoch, tune_loss)) {
                Some(StopDecision::Best) => best = Some(BestEpoch { epoch, weights: trainer.weights()? }),
                Some(StopDecision::Stop) => break,
                Some(StopDecision::Continue) | None => {}
            }
        }
        let best = match best {
            Some(best) => best,
            None => BestEpoch { epoch: n_epochs, weights: trainer.weights()? },
        };
        // The last update of an epoch comes after the loss is measured, so the loss does not show
        // whether that update made a weight infinite.
        self.check_finite(best.weights.iter().all(|weight| weight.is_finite()), best.epoch)?;
        Ok(best)
    }

    /// Returns an error if the loss or the weights of an epoch are not finite.
    fn check_finite(&self, is_finite: bool, epoch: usize) -> Result<()> {
        if is_finite {
            return Ok(());
        }
        let rate = self.settings.learning_rate;
        let decay = self.settings.weight_decay;
        Err(PluginError::engine(format!(
            "epoch {epoch}: the loss or a weight is not finite; use a lower learning_rate (found {rate}) or weight_decay \
             (found {decay})"
        )))
    }
}
