//! Fits one model: runs epochs in batches, stops early, and keeps the parameters of the best epoch.

use candle_core::{Device, Tensor};
use oculus_plugin_api::prelude::*;
use oculus_plugin_support::Draws;

use crate::device;
use crate::network::{Batch, Dropout, Network, Shape};
use crate::optimizer::AdamW;
use crate::params::Settings;
use crate::perceptron::{Layer, Perceptron};
use crate::random::{self, Purpose};
use crate::scaling::Scaled;

/// Fits one model.
///
/// # Errors
/// * [`code::DATA`](oculus_plugin_api::code::DATA) if all training rows have the same label, or a
///   row has a missing value.
/// * [`code::DEVICE`](oculus_plugin_api::code::DEVICE) if the device is not available.
/// * [`code::CANCELLED`](oculus_plugin_api::code::CANCELLED) if the host cancelled the fit.
/// * [`code::ENGINE`](oculus_plugin_api::code::ENGINE) if a loss or weight is not finite, or candle
///   fails.
pub(crate) fn fit(scaled: &Scaled, task: &Task<'_>, params: &Params, ctx: &Ctx<'_, '_>) -> Result<Perceptron> {
    task.needs_both_classes()?;
    scaled.reject_missing_values("train_rows", task.train_rows)?;
    scaled.reject_missing_values("tune_rows", task.tune_rows)?;
    let (device_name, device) = device::choose(task.device, params.choice("device")?)?;
    ctx.check()?;

    let settings = Settings::new(params)?;
    let mut fit = Fit::new(scaled, task, &settings, device)?;
    let best = fit.run(ctx)?;
    let parameters = best.parameters.to_vec1::<f32>().map_err(PluginError::engine)?;
    // Without rows for early stopping, no loss is computed from these mean parameters, so no other
    // check would find an overflow.
    check_finite_parameters(&parameters, best.epoch)?;
    Ok(Perceptron {
        inputs: scaled.inputs.clone(),
        layers: Layer::from_parameters(&fit.shape, &parameters)?,
        n_epochs: best.epoch as u32,
        device: device_name.to_owned(),
    })
}

/// The epoch whose parameters become the model.
struct BestEpoch {
    epoch: usize,
    parameters: Tensor,
}

/// The state of a running fit.
struct Fit<'a> {
    scaled: &'a Scaled,
    label: &'a [f32],
    settings: &'a Settings,
    shape: Shape,
    device: Device,
    /// Training rows, in the order of the last epoch.
    order: Vec<u32>,
    tune: Option<Batch>,
    network: Network,
    optimizer: AdamW,
    shuffling: Draws,
    dropout: Dropout,
}

impl<'a> Fit<'a> {
    fn new(scaled: &'a Scaled, task: &Task<'a>, settings: &'a Settings, device: Device) -> Result<Self> {
        let shape = Shape::new(scaled.inputs.len(), &settings.hidden_sizes);
        // `fit` has checked that both classes are present, so the share is neither 0 nor 1.
        let share = task.n_positives() as f64 / task.train_rows.len() as f64;
        let weight_mask = Tensor::new(shape.weight_mask(), &device).map_err(PluginError::engine)?;
        let initial = shape.initial_parameters(task.seed, share);
        let mut fit = Self {
            scaled,
            label: task.label,
            settings,
            order: task.train_rows.to_vec(),
            tune: None,
            network: Network::new(&shape, initial, &device).map_err(PluginError::engine)?,
            optimizer: AdamW::new(settings.learning_rate, settings.weight_decay, &weight_mask)
                .map_err(PluginError::engine)?,
            shuffling: random::draws(task.seed, Purpose::Shuffle),
            dropout: Dropout { share: settings.dropout, draws: random::draws(task.seed, Purpose::Dropout) },
            shape,
            device,
        };
        if !task.tune_rows.is_empty() {
            // The rows are copied to the device only once, because every epoch evaluates them.
            fit.tune = Some(fit.batch(task.tune_rows).map_err(PluginError::engine)?);
        }
        Ok(fit)
    }

    fn batch(&self, rows: &[u32]) -> candle_core::Result<Batch> {
        let label = rows.iter().map(|&row| self.label[row as usize]).collect();
        Batch::new(self.scaled.rows(rows), label, &self.device)
    }

    /// Runs the epochs. Returns the epoch with the lowest loss on the rows for early stopping, or
    /// the last epoch if there are no such rows.
    fn run(&mut self, ctx: &Ctx<'_, '_>) -> Result<BestEpoch> {
        let n_epochs = self.settings.n_epochs;
        let mut stopping = EarlyStopping::new(self.settings.patience);
        let mut should_stop = false;
        let mut best = None;
        for epoch in 1..=n_epochs {
            let loss = finite("loss", epoch, self.epoch(ctx)?)?;
            ctx.metric("loss", epoch as u64, loss);
            let parameters = self.optimizer.mean().map_err(PluginError::engine)?;
            if let Some(tune) = &self.tune {
                let loss = self.network.loss_with(&parameters, tune).and_then(|loss| number(&loss));
                let loss = finite("tune_loss", epoch, loss.map_err(PluginError::engine)?)?;
                ctx.metric("tune_loss", epoch as u64, loss);
                match stopping.observe(epoch, loss) {
                    StopDecision::Best => best = Some(BestEpoch { epoch, parameters }),
                    StopDecision::Continue => {}
                    StopDecision::Stop => should_stop = true,
                }
            } else if epoch == n_epochs {
                best = Some(BestEpoch { epoch, parameters });
            }
            ctx.progress(epoch as f64 / n_epochs as f64, &format!("epoch {epoch} of {n_epochs}, loss {loss:.4}"));
            ctx.check()?;
            // The loop stops only at its end, so that the last epoch also reports its progress.
            if should_stop {
                break;
            }
        }
        best.ok_or_else(|| PluginError::engine("no epoch was run"))
    }

    /// Runs one pass over the training rows, in batches of nearly equal size. Returns the mean of
    /// the batch losses.
    fn epoch(&mut self, ctx: &Ctx<'_, '_>) -> Result<f64> {
        self.shuffling.shuffle(&mut self.order);
        let n_rows = self.order.len();
        let n_batches = n_rows.div_ceil(self.settings.batch_size);
        // The sum stays on the device: reading each loss would wait for the device in every batch.
        let mut sum: Option<Tensor> = None;
        for idx in 0..n_batches {
            ctx.check()?;
            // Equal sizes avoid a small last batch, whose step would have more noise.
            let rows = idx * n_rows / n_batches..(idx + 1) * n_rows / n_batches;
            let loss =
                self.batch(&self.order[rows]).and_then(|batch| self.step(&batch)).map_err(PluginError::engine)?;
            sum = Some(match sum {
                Some(sum) => (sum + loss).map_err(PluginError::engine)?,
                None => loss,
            });
        }
        let sum = sum.ok_or_else(|| PluginError::engine("the epoch has no training rows"))?;
        Ok(number(&sum).map_err(PluginError::engine)? / n_rows as f64)
    }

    /// Runs one optimizer step. Returns the loss before the step, summed over the batch. It stays
    /// on the device.
    fn step(&mut self, batch: &Batch) -> candle_core::Result<Tensor> {
        let loss = self.network.training_loss(batch, &mut self.dropout)?;
        let gradients = loss.backward()?;
        if let Some(gradient) = gradients.get(&self.network.parameters) {
            self.optimizer.step(&self.network.parameters, gradient)?;
        }
        loss.detach() * batch.n_rows() as f64
    }
}

/// Reads a tensor of one element from its device.
fn number(tensor: &Tensor) -> candle_core::Result<f64> {
    Ok(f64::from(tensor.to_scalar::<f32>()?))
}

/// Rejects parameters that are not finite, because scores computed from them would be NaN.
fn check_finite_parameters(parameters: &[f32], epoch: usize) -> Result<()> {
    match parameters.iter().find(|value| !value.is_finite()) {
        None => Ok(()),
        Some(found) => Err(PluginError::engine(format!(
            "found a weight of {found} after {epoch} epochs; use a smaller learning_rate or weight_decay"
        ))),
    }
}

/// Rejects a loss that is not finite, because the fit cannot recover from it.
fn finite(name: &str, epoch: usize, loss: f64) -> Result<f64> {
    if loss.is_finite() {
        return Ok(loss);
    }
    Err(PluginError::engine(format!(
        "found a {name} of {loss} in epoch {epoch}; use a smaller learning_rate or weight_decay"
    )))
}
