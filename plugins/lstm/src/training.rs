//! One fit: epoch by epoch, stopped early where there are rows for that, the best epoch kept.

use oculus_plugin_api::prelude::*;
use tch::Device;

use crate::model::LstmModel;
use crate::network::refused;
use crate::params::Settings;
use crate::segments::Labels;
use crate::sequences::Sequences;
use crate::trainer::Trainer;
use crate::{device, model};

/// Fits one model.
///
/// # Errors
/// Rows that cannot be learnt from, a device that is not there, a loss that is no number, a cancel, or what libtorch says.
pub fn fit(sequences: &Sequences, task: &Task<'_>, params: &Params, ctx: &Ctx<'_, '_>) -> Result<LstmModel> {
    device::use_one_thread();
    ctx.check()?;
    let settings = Settings::of(params)?;
    let train = rows_to_learn(sequences, task, &settings, ctx)?;
    let tune = rows_to_tune(sequences, task, &settings)?;

    let candidates = device::candidates(task.device, &settings.device, &device::present())?;
    let device = fastest(&candidates, sequences, &settings, &train, ctx)?;
    let trainer = Trainer::new(sequences, &settings, task.seed, device).map_err(refused)?;
    let (weights, n_epochs) = epochs(trainer, &settings, &train, tune.as_ref(), ctx)?;
    let made = model::Made { n_epochs, device: device::name(device).to_owned() };
    Ok(LstmModel::of_fit(sequences, &settings, weights, made))
}

/// Labels of the training rows whose windows are whole.
fn rows_to_learn(sequences: &Sequences, task: &Task<'_>, settings: &Settings, ctx: &Ctx<'_, '_>) -> Result<Labels> {
    let (length, n_rows) = (settings.sequence_length, task.train_rows.len());
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
    let (length, n_rows) = (settings.sequence_length, task.tune_rows.len());
    let rows = sequences.with_history(task.tune_rows, length);
    if rows.is_empty() {
        return Err(PluginError::data(format!(
            "none of {n_rows} rows for early stopping has {length} whole rows of its symbol up to it; needs a shorter \
             sequence_length"
        )));
    }
    Ok(Some(Labels::new(&rows, task.label, &sequences.history)))
}

/// The device on which an update is fastest, where there is a choice.
fn fastest(
    candidates: &[Device],
    sequences: &Sequences,
    settings: &Settings,
    train: &Labels,
    ctx: &Ctx<'_, '_>,
) -> Result<Device> {
    if let [only] = candidates {
        return Ok(*only);
    }
    let seconds = |&device: &Device| {
        ctx.check()?;
        let trainer = Trainer::new(sequences, settings, 0, device);
        trainer.and_then(|mut trainer| trainer.time_update(train)).map(|time| (device, time)).map_err(refused)
    };
    let timed = candidates.iter().map(seconds).collect::<Result<Vec<_>>>()?;
    let (device, why) = device::choice(timed);
    ctx.log(Level::Info, &why);
    Ok(device)
}

/// Runs the epochs: the weights kept, and the number of the epoch that they are of.
fn epochs(
    mut trainer: Trainer<'_>,
    settings: &Settings,
    train: &Labels,
    tune: Option<&Labels>,
    ctx: &Ctx<'_, '_>,
) -> Result<(Vec<f32>, usize)> {
    let n_epochs = settings.n_epochs;
    let mut stopping = EarlyStopping::new(settings.patience);
    let mut kept = None;
    for epoch in 1..=n_epochs {
        let loss = trainer.epoch(train, epoch, ctx)?;
        refuse_overflow(loss.is_finite(), epoch, settings)?;
        ctx.metric("loss", epoch as u64, loss);
        let tune_loss = tune.map(|tune| trainer.loss_on(tune, ctx)).transpose()?;
        if let Some(tune_loss) = tune_loss {
            refuse_overflow(tune_loss.is_finite(), epoch, settings)?;
            ctx.metric("tune_loss", epoch as u64, tune_loss);
        }
        ctx.progress(epoch as f64 / n_epochs as f64, &format!("epoch {epoch} of {n_epochs}, loss {loss:.4}"));
        ctx.check()?;
        match tune_loss.map(|tune_loss| stopping.observe(epoch, tune_loss)) {
            Some(StopDecision::Best) => kept = Some((trainer.weights()?, epoch)),
            Some(StopDecision::Stop) => break,
            Some(StopDecision::Continue) | None => {}
        }
    }
    let (weights, epoch) = match kept {
        Some(kept) => kept,
        None => (trainer.weights()?, n_epochs),
    };
    refuse_overflow(weights.iter().all(|weight| weight.is_finite()), epoch, settings)?;
    Ok((weights, epoch))
}

/// Refuses to go on with numbers that are none.
fn refuse_overflow(is_finite: bool, epoch: usize, settings: &Settings) -> Result<()> {
    if is_finite {
        return Ok(());
    }
    let (rate, decay) = (settings.learning_rate, settings.weight_decay);
    Err(PluginError::engine(format!(
        "epoch {epoch}: the loss is no longer a number; needs a lower learning_rate (found {rate}) or weight_decay \
         (found {decay})"
    )))
}
