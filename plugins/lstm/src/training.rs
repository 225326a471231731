//! One fit: epoch by epoch, stopped early where there are rows for that, the best epoch kept.

use oculus_plugin_api::prelude::*;
use tch::Device;

use crate::device;
use crate::fitted::{LstmModel, Made};
use crate::network::refused;
use crate::params::Settings;
use crate::segments::Labels;
use crate::sequences::Sequences;
use crate::trainer::Trainer;

/// Fits one model.
///
/// # Errors
/// Unusable training rows, a device that this machine lacks, a loss that is not finite, cancellation, or an error of
/// libtorch.
pub(crate) fn fit(sequences: &Sequences, task: &Task<'_>, params: &Params, ctx: &Ctx<'_, '_>) -> Result<LstmModel> {
    device::use_one_thread();
    ctx.check()?;
    let settings = Settings::from_params(params)?;
    let train = rows_to_learn(sequences, task, &settings, ctx)?;
    let tune = rows_to_tune(sequences, task, &settings)?;
    let fit = Fit { sequences, settings: &settings, train, tune };

    let candidates = device::candidates(task.device, &settings.device, &device::present())?;
    let device = fit.fastest(&candidates, ctx)?;
    let trainer = Trainer::new(sequences, &settings, task.seed, device).map_err(refused)?;
    let best = fit.run(trainer, ctx)?;
    let made = Made { n_epochs: best.epoch, device: device::name(device).to_owned() };
    Ok(LstmModel::new(sequences, &settings, best.weights, made))
}

/// Labels of the training rows whose windows are whole.
fn rows_to_learn(sequences: &Sequences, task: &Task<'_>, settings: &Settings, ctx: &Ctx<'_, '_>) -> Result<Labels> {
    let length = settings.sequence_length;
    let n_rows = task.train_rows.len();
    let rows = sequences.with_history(task.train_rows, length);
    if rows.is_empty() {
        return Err(PluginError::data(format!(
            "none of {n_rows} training rows has {length} whole rows of its symbol up to it; needs a shorter \
             sequence_length, or more bars"
        )));
    }
    if rows.len() < n_rows {
        let n_left_out = n_rows - rows.len();
        ctx.log(
            Level::Info,
            &format!("{n_left_out} of {n_rows} training rows have less than {length} rows of history"),
        );
    }
    Task { train_rows: &rows, ..*task }.needs_both_classes()?;
    Ok(Labels::new(&rows, task.label, &sequences.history))
}

/// Labels of the rows for early stopping whose windows are whole; `None` where none are given.
fn rows_to_tune(sequences: &Sequences, task: &Task<'_>, settings: &Settings) -> Result<Option<Labels>> {
    if task.tune_rows.is_empty() {
        return Ok(None);
    }
    let length = settings.sequence_length;
    let n_rows = task.tune_rows.len();
    let rows = sequences.with_history(task.tune_rows, length);
    if rows.is_empty() {
        return Err(PluginError::data(format!(
            "none of {n_rows} rows for early stopping has {length} whole rows of its symbol up to it; needs a shorter \
             sequence_length"
        )));
    }
    Ok(Some(Labels::new(&rows, task.label, &sequences.history)))
}

/// What the epochs of a fit read.
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
    /// The device on which an update is fastest, where there is a choice.
    fn fastest(&self, candidates: &[Device], ctx: &Ctx<'_, '_>) -> Result<Device> {
        if let [only] = candidates {
            return Ok(*only);
        }
        let seconds = |&device: &Device| {
            ctx.check()?;
            let trainer = Trainer::new(self.sequences, self.settings, 0, device);
            let time = trainer.and_then(|mut trainer| trainer.time_update(&self.train));
            time.map(|time| (device, time)).map_err(refused)
        };
        let timed = candidates.iter().map(seconds).collect::<Result<Vec<_>>>()?;
        let (device, why) = device::choice(timed);
        ctx.log(Level::Info, &why);
        Ok(device)
    }

    /// Runs the epochs; returns the last, or the one of lowest loss on the rows for early stopping.
    fn run(&self, mut trainer: Trainer<'_>, ctx: &Ctx<'_, '_>) -> Result<BestEpoch> {
        let n_epochs = self.settings.n_epochs;
        let mut stopping = EarlyStopping::new(self.settings.patience);
        let mut best = None;
        for epoch in 1..=n_epochs {
            let loss = trainer.epoch(&self.train, epoch, ctx)?;
            self.refuse_overflow(loss.is_finite(), epoch)?;
            ctx.metric("loss", epoch as u64, loss);
            let tune_loss = self.tune.as_ref().map(|tune| trainer.loss_on(tune, ctx)).transpose()?;
            if let Some(tune_loss) = tune_loss {
                self.refuse_overflow(tune_loss.is_finite(), epoch)?;
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
        self.refuse_overflow(best.weights.iter().all(|weight| weight.is_finite()), best.epoch)?;
        Ok(best)
    }

    /// Returns an error if numbers are no longer finite.
    fn refuse_overflow(&self, is_finite: bool, epoch: usize) -> Result<()> {
        if is_finite {
            return Ok(());
        }
        let rate = self.settings.learning_rate;
        let decay = self.settings.weight_decay;
        Err(PluginError::engine(format!(
            "epoch {epoch}: the loss is no longer a number; needs a lower learning_rate (found {rate}) or weight_decay \
             (found {decay})"
        )))
    }
}
