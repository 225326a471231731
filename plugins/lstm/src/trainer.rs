//! Trains one network on one device: runs updates and epochs, and computes the loss on rows for
//! early stopping.

use std::time::Instant;

use oculus_plugin_api::{Ctx, Result};
use oculus_plugin_support::Draws;
use tch::{Device, Kind, Reduction, Tensor};

use crate::adam::Adam;
use crate::network::{Architecture, Dropout, LstmState, Network, Torch, engine_error};
use crate::params::Settings;
use crate::random::{self, Purpose};
use crate::segments::{self, Labels, Plan, Segment};
use crate::sequences::Sequences;

/// Number of segments per pass without a gradient.
// Without a gradient, no intermediate results are stored, so a pass may be larger than an update.
const SEGMENTS_PER_PASS: usize = 128;

/// The inputs of one update.
#[derive(Clone, Copy)]
struct Update<'u> {
    plan: &'u Plan,
    batch: &'u [Segment],
    labels: &'u Labels,
    /// Start states of the segments; `None` for zeros.
    start: Option<&'u LstmState>,
    /// Number of the epoch, counted from 1.
    epoch: usize,
}

/// A network in training.
pub(crate) struct Trainer<'a> {
    settings: &'a Settings,
    plans: Vec<Plan>,
    /// Standardised values, `[n_rows, n_features]`, on the device.
    values: Tensor,
    network: Network,
    /// A network with the running mean of the weights, if averaging is on.
    averaged: Option<Network>,
    adam: Adam,
    dropout: Dropout,
    order: Draws,
    n_updates: usize,
}

impl<'a> Trainer<'a> {
    /// Creates a trainer with an untrained network.
    pub(crate) fn new(sequences: &Sequences, settings: &'a Settings, seed: u64, device: Device) -> Torch<Self> {
        let n_features = sequences.n_features();
        let architecture = Architecture { n_features, hidden_size: settings.hidden_size, n_layers: settings.n_layers };
        let weights = architecture.initial_weights(seed);
        let network = Network::new(architecture, &weights, device)?;
        let averaged = (settings.averaging > 0.0).then(|| Network::new(architecture, &weights, device)).transpose()?;
        Ok(Self {
            settings,
            plans: Plan::from_settings(settings),
            values: Tensor::f_from_slice(&sequences.values)?.f_view((-1, n_features as i64))?.f_to_device(device)?,
            adam: Adam::new(&network.flat, settings.weight_decay, settings.clip_norm)?,
            network,
            averaged,
            dropout: Dropout::new(seed, settings.dropout),
            order: random::draws(seed, Purpose::Shuffle),
            n_updates: 0,
        })
    }

    /// Copies the weights that a model would have after the last update.
    pub(crate) fn weights(&self) -> Result<Vec<f32>> {
        self.evaluated().weights().map_err(engine_error)
    }

    /// Returns the network that is evaluated and saved: the averaged one if averaging is on.
    fn evaluated(&self) -> &Network {
        self.averaged.as_ref().unwrap_or(&self.network)
    }

    /// Runs one pass over all labels in a new order. Returns the mean loss of the labels. The loss
    /// of each batch is measured before its update.
    ///
    /// # Errors
    /// Returns [`code::CANCELLED`](oculus_plugin_api::code::CANCELLED) if the host cancelled the
    /// fit, and [`code::ENGINE`](oculus_plugin_api::code::ENGINE) if libtorch fails.
    pub(crate) fn epoch(&mut self, labels: &Labels, epoch: usize, ctx: &Ctx<'_, '_>) -> Result<f64> {
        // The plan, the offset and the order are drawn from one stream. Another order of these
        // draws would change every fitted model.
        let plan = self.plans[self.order.index_below(self.plans.len())];
        // With a random offset, each epoch has other groups of labels in its segments and other
        // numbers of rows before each label.
        let mut segments = labels.segments(&plan, self.order.index_below(plan.label_steps));
        self.order.shuffle(&mut segments);

        let stored = self.stored_states(&plan, &segments, ctx)?;
        // The sum stays on the device: reading each loss would wait for the device at every update.
        let mut sum = Tensor::f_zeros([1], (Kind::Float, self.values.device())).map_err(engine_error)?;
        let mut n_labels = 0;
        for (update_idx, batch) in segments.chunks(plan.n_segments).enumerate() {
            ctx.check()?;
            let start = stored.as_ref().map(|stored| stored.narrow(update_idx * plan.n_segments, batch.len()));
            let start = start.transpose().map_err(engine_error)?;
            let update = Update { plan: &plan, batch, labels, start: start.as_ref(), epoch };
            let (loss, n) = self.update(&update).map_err(engine_error)?;
            sum += loss * n as f64;
            n_labels += n;
            let done = (update_idx + 1) as f64 / segments.len().div_ceil(plan.n_segments) as f64;
            let n_epochs = self.settings.n_epochs;
            ctx.progress(((epoch - 1) as f64 + done) / n_epochs as f64, &format!("epoch {epoch} of {n_epochs}"));
        }
        Ok(f64::try_from(sum).map_err(engine_error)? / n_labels as f64)
    }

    /// Computes the state at the start of each segment's burn-in, with the current weights.
    fn stored_states(&self, plan: &Plan, segments: &[Segment], ctx: &Ctx<'_, '_>) -> Result<Option<LstmState>> {
        if plan.stored == 0 {
            return Ok(None);
        }
        // No gradient flows into the stored states, so that the cost of an update does not depend
        // on the number of stored rows.
        let _guard = tch::no_grad_guard();
        let n_before = plan.stored + plan.burn_in;
        let state = |segments: &[Segment]| {
            ctx.check()?;
            let inputs = self.gather(segments, n_before, plan.stored);
            inputs.and_then(|inputs| Ok(self.network.run(inputs, None, None)?.1)).map_err(engine_error)
        };
        let states = segments.chunks(SEGMENTS_PER_PASS).map(state).collect::<Result<Vec<_>>>()?;
        LstmState::concat(&states).map(Some).map_err(engine_error)
    }

    /// Runs one optimizer step on the mean loss of a batch of segments. Returns the loss and the
    /// number of labels.
    fn update(&mut self, update: &Update<'_>) -> Torch<(Tensor, usize)> {
        let Update { plan, batch, labels, start, epoch } = *update;
        let inputs = self.gather(batch, plan.burn_in, plan.n_steps())?;
        let (outputs, _) = self.network.run(inputs, start, Some(&mut self.dropout))?;
        let (outputs, label) = self.labelled(outputs, plan, batch, labels)?;
        let logits = self.network.logits(outputs, Some(&mut self.dropout))?;
        let loss = logits.f_binary_cross_entropy_with_logits::<&Tensor>(&label, None, None, Reduction::Mean)?;
        let gradients = Tensor::f_run_backward(&[&loss], &self.network.tensors, false, false)?;

        let _guard = tch::no_grad_guard();
        self.adam.step(&mut self.network.flat, &gradients, self.settings.rate_at(epoch))?;
        self.n_updates += 1;
        if let Some(averaged) = &mut self.averaged {
            // The mean starts at the random initial weights. Early updates use a smaller decay, so
            // that the mean forgets these weights fast. TensorFlow's `ExponentialMovingAverage` has
            // the same formula for `num_updates`.
            let decay = self.settings.averaging.min((1 + self.n_updates) as f64 / (10 + self.n_updates) as f64);
            _ = averaged.flat.f_lerp_(&self.network.flat, 1.0 - decay)?;
        }
        Ok((loss.f_detach()?, label.numel()))
    }

    /// Computes the mean loss of labels that are not used for training.
    ///
    /// One pass evaluates all labels of a segment. The last label reads the full sequence, and the
    /// first label reads `label_steps − 1` fewer rows. A score would always read the full sequence.
    /// Compared with scores, this evaluation selects epochs equally well in a tenth of the time.
    ///
    /// # Errors
    /// Returns [`code::CANCELLED`](oculus_plugin_api::code::CANCELLED) if the host cancelled the
    /// fit, and [`code::ENGINE`](oculus_plugin_api::code::ENGINE) if libtorch fails.
    pub(crate) fn loss_on(&self, labels: &Labels, ctx: &Ctx<'_, '_>) -> Result<f64> {
        let _guard = tch::no_grad_guard();
        // All plans read the same number of rows, so the first plan represents all of them.
        let plan = self.plans[0].without_stored();
        let sum_of_losses = |segments: &[Segment]| {
            let inputs = self.gather(segments, plan.burn_in, plan.n_steps())?;
            let (outputs, _) = self.evaluated().run(inputs, None, None)?;
            let (outputs, label) = self.labelled(outputs, &plan, segments, labels)?;
            let logits = self.evaluated().logits(outputs, None)?;
            let loss = logits.f_binary_cross_entropy_with_logits::<&Tensor>(&label, None, None, Reduction::Sum)?;
            Ok((f64::try_from(loss)?, label.numel()))
        };
        let mut sum = 0.0;
        let mut n_labels = 0;
        // The offset is fixed, so that the losses of two epochs are comparable.
        for segments in labels.segments(&plan, 0).chunks(SEGMENTS_PER_PASS) {
            ctx.check()?;
            let (loss, n) = sum_of_losses(segments).map_err(engine_error)?;
            sum += loss;
            n_labels += n;
        }
        Ok(sum / n_labels as f64)
    }

    /// Measures the seconds of one update, after an untimed update that warms up the device.
    ///
    /// # Errors
    /// Returns the error of libtorch if an operation fails.
    pub(crate) fn time_update(&mut self, labels: &Labels) -> Torch<f64> {
        let plan = self.plans[0];
        let segments = labels.segments(&plan, 0);
        let batch = &segments[..plan.n_segments.min(segments.len())];
        let mut timed = || -> Torch<f64> {
            let start = Instant::now();
            let update = Update { plan: &plan, batch, labels, start: None, epoch: 1 };
            let (loss, _) = self.update(&update)?;
            // Device operations are asynchronous; reading a value waits until they are finished.
            f64::try_from(loss)?;
            Ok(start.elapsed().as_secs_f64())
        };
        timed()?;
        timed()
    }

    /// Returns the values of the rows that segments read, `[n_steps, n_segments, n_features]`.
    fn gather(&self, segments: &[Segment], n_before: usize, n_steps: usize) -> Torch<Tensor> {
        let rows = self.on_device(&segments::rows(segments, n_before, n_steps))?;
        self.values.f_index_select(0, &rows)?.f_view((n_steps as i64, segments.len() as i64, -1))
    }

    /// Returns the outputs that have a label, and these labels.
    fn labelled(&self, outputs: Tensor, plan: &Plan, batch: &[Segment], labels: &Labels) -> Torch<(Tensor, Tensor)> {
        let (positions, label) = labels.labelled(plan, batch);
        let outputs = outputs.f_view((-1, self.settings.hidden_size as i64))?;
        Ok((outputs.f_index_select(0, &self.on_device(&positions)?)?, self.on_device(&label)?))
    }

    /// Copies values to the device.
    fn on_device<T: tch::kind::Element>(&self, values: &[T]) -> Torch<Tensor> {
        Tensor::f_from_slice(values)?.f_to_device(self.values.device())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sequences::Scaler;

    #[test]
    fn an_update_can_be_timed_for_both_training_schemes_with_few_rows() {
        let scaler = Scaler { features: vec!["RSI_14".to_owned()], mean: vec![0.0], deviation: vec![1.0] };
        let history: Vec<u32> = (1..=20).collect();
        let sequences = Sequences { scaler, columns: Vec::new(), values: vec![0.5; 20], history: history.clone() };
        let labels = Labels::new(&[14, 15, 19], &[1.0; 20], &history);
        for training in [r#""training": "windowed""#, r#""label_steps": 4, "burn_in": 3, "mixed_burn_in": true"#] {
            let net = r#""hidden_size": 3, "sequence_length": 15, "batch_size": 8, "averaging": 0.5"#;
            let settings = Settings::from_json(&format!("{{{net}, {training}}}"));
            let mut trainer = Trainer::new(&sequences, &settings, 1, Device::Cpu).unwrap();
            let before = trainer.weights().unwrap();
            assert!(trainer.time_update(&labels).unwrap().is_finite());
            assert_ne!(trainer.weights().unwrap(), before);
        }
    }
}
