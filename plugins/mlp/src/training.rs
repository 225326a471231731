//! One fit: epoch by epoch in batches, stopped early, the best epoch kept.

use candle_core::{Device, Tensor};
use oculus_plugin_api::prelude::*;
use oculus_plugin_support::Draws;

use crate::device;
use crate::network::{Batch, Dropout, Network, Shape};
use crate::optimizer::AdamW;
use crate::params::Recipe;
use crate::perceptron::{Layer, Perceptron};
use crate::random::{self, Purpose};
use crate::scaling::Scaled;

/// Fits one model.
///
/// # Errors
/// Training rows of one class, rows with holes, a device that this machine lacks, a loss that is not finite, cancellation,
/// or an error of candle.
pub(crate) fn fit(scaled: &Scaled, task: &Task<'_>, params: &Params, ctx: &Ctx<'_, '_>) -> Result<Perceptron> {
    task.needs_both_classes()?;
    scaled.refuse_holes("train_rows", task.train_rows)?;
    scaled.refuse_holes("tune_rows", task.tune_rows)?;
    let (device_name, device) = device::choose(task.device, params.choice("device")?)?;
    ctx.check()?;

    let recipe = Recipe::new(params)?;
    let mut fit = Fit::new(scaled, task, &recipe, device)?;
    let best = fit.run(ctx)?;
    let parameters = best.parameters.to_vec1::<f32>().map_err(PluginError::engine)?;
    refuse_overflow(&parameters, best.epoch)?;
    Ok(Perceptron {
        inputs: scaled.inputs.clone(),
        layers: Layer::all(&fit.shape, &parameters)?,
        n_epochs: best.epoch as u32,
        device: device_name.to_owned(),
    })
}

/// The epoch whose parameters become the model.
struct BestEpoch {
    epoch: usize,
    parameters: Tensor,
}

/// A fit between two epochs.
struct Fit<'a> {
    scaled: &'a Scaled,
    label: &'a [f32],
    recipe: &'a Recipe,
    shape: Shape,
    device: Device,
    /// Rows to train on, in the order of the last epoch.
    order: Vec<u32>,
    tune: Option<Batch>,
    network: Network,
    optimizer: AdamW,
    shuffling: Draws,
    dropout: Dropout,
}

impl<'a> Fit<'a> {
    fn new(scaled: &'a Scaled, task: &Task<'a>, recipe: &'a Recipe, device: Device) -> Result<Self> {
        let shape = Shape::new(scaled.inputs.len(), &recipe.hidden_sizes);
        let share = task.n_positives() as f64 / task.train_rows.len() as f64;
        let weight_mask = Tensor::new(shape.weight_mask(), &device).map_err(PluginError::engine)?;
        let first = shape.first_parameters(task.seed, share);
        let mut fit = Self {
            scaled,
            label: task.label,
            recipe,
            order: task.train_rows.to_vec(),
            tune: None,
            network: Network::new(&shape, first, &device).map_err(PluginError::engine)?,
            optimizer: AdamW::new(recipe.learning_rate, recipe.weight_decay, &weight_mask)
                .map_err(PluginError::engine)?,
            shuffling: random::draws(task.seed, Purpose::Order),
            dropout: Dropout { share: recipe.dropout, draws: random::draws(task.seed, Purpose::Dropout) },
            shape,
            device,
        };
        if !task.tune_rows.is_empty() {
            fit.tune = Some(fit.batch(task.tune_rows).map_err(PluginError::engine)?);
        }
        Ok(fit)
    }

    fn batch(&self, rows: &[u32]) -> candle_core::Result<Batch> {
        let label = rows.iter().map(|&row| self.label[row as usize]).collect();
        Batch::new(self.scaled.rows(rows), label, &self.device)
    }

    /// Runs the epochs; returns the last, or the one of lowest loss on the rows for early stopping.
    fn run(&mut self, ctx: &Ctx<'_, '_>) -> Result<BestEpoch> {
        let n_epochs = self.recipe.n_epochs;
        let mut stopping = EarlyStopping::new(self.recipe.patience);
        let mut is_over = false;
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
                    StopDecision::Stop => is_over = true,
                }
            } else if epoch == n_epochs {
                best = Some(BestEpoch { epoch, parameters });
            }
            ctx.progress(epoch as f64 / n_epochs as f64, &format!("epoch {epoch} of {n_epochs}, loss {loss:.4}"));
            ctx.check()?;
            if is_over {
                break;
            }
        }
        best.ok_or_else(|| PluginError::engine("no epoch was run"))
    }

    /// One pass over the training rows, in batches of nearly equal size; returns the mean loss on the way.
    fn epoch(&mut self, ctx: &Ctx<'_, '_>) -> Result<f64> {
        self.shuffling.shuffle(&mut self.order);
        let n_rows = self.order.len();
        let n_batches = n_rows.div_ceil(self.recipe.batch_size);
        let mut sum: Option<Tensor> = None;
        for idx in 0..n_batches {
            ctx.check()?;
            let rows = idx * n_rows / n_batches..(idx + 1) * n_rows / n_batches;
            let loss =
                self.batch(&self.order[rows]).and_then(|batch| self.step(&batch)).map_err(PluginError::engine)?;
            sum = Some(match sum {
                Some(sum) => (sum + loss).map_err(PluginError::engine)?,
                None => loss,
            });
        }
        let sum = sum.ok_or_else(|| PluginError::engine("an epoch without rows"))?;
        Ok(number(&sum).map_err(PluginError::engine)? / n_rows as f64)
    }

    /// One step; returns the loss before it, summed over the batch, on the device.
    fn step(&mut self, batch: &Batch) -> candle_core::Result<Tensor> {
        let loss = self.network.training_loss(batch, &mut self.dropout)?;
        let slopes = loss.backward()?;
        if let Some(slope) = slopes.get(&self.network.parameters) {
            self.optimizer.step(&self.network.parameters, slope)?;
        }
        loss.detach() * batch.n_rows() as f64
    }
}

/// A tensor of one element, from its device.
fn number(tensor: &Tensor) -> candle_core::Result<f64> {
    Ok(f64::from(tensor.to_scalar::<f32>()?))
}

/// Refuses parameters that no score can be computed from.
fn refuse_overflow(parameters: &[f32], epoch: usize) -> Result<()> {
    match parameters.iter().find(|value| !value.is_finite()) {
        None => Ok(()),
        Some(found) => Err(PluginError::engine(format!(
            "a weight is {found} after {epoch} epochs; needs a smaller learning_rate or weight_decay"
        ))),
    }
}

/// Refuses what no fit can go on from.
fn finite(what: &str, epoch: usize, loss: f64) -> Result<f64> {
    if loss.is_finite() {
        return Ok(loss);
    }
    Err(PluginError::engine(format!(
        "{what} is {loss} in epoch {epoch}; needs a smaller learning_rate or weight_decay"
    )))
}
