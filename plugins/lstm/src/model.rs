//! Predictions of a fitted model. Predictions always run on the CPU, so a model's scores are equal
//! on every machine. They do not depend on the device of the fit.

use oculus_plugin_api::prelude::*;
use tch::{Device, Tensor};

use crate::fitted::LstmModel;
use crate::network::{Network, Torch, engine_error};
use crate::sequences::Sequences;
use crate::{device, format};

/// Number of windows in every batch of a prediction. A smaller batch is filled with copies of its
/// last window. The size is fixed, because a matrix product of another size may add its terms in
/// another order. Without a fixed size, the bits of a score would depend on the other rows of the
/// call.
const WINDOWS_PER_CHUNK: usize = 32;

impl LstmModel {
    /// Computes the log-odds of the windows that end at `rows`. There are at most
    /// [`WINDOWS_PER_CHUNK`] windows.
    fn logits(&self, network: &Network, values: &Tensor, rows: &[u32]) -> Torch<Vec<f32>> {
        let last = rows.last().copied().unwrap_or_default();
        let ends: Vec<u32> = rows.iter().copied().chain(std::iter::repeat(last)).take(WINDOWS_PER_CHUNK).collect();
        let n_steps = self.sequence_length;
        let row = |step: usize, end: u32| (end as usize + 1 + step - n_steps) as i64;
        let read: Vec<i64> = (0..n_steps).flat_map(|step| ends.iter().map(move |&end| row(step, end))).collect();

        let inputs = values.f_index_select(0, &Tensor::f_from_slice(&read)?)?;
        let (outputs, _) = network.run(inputs.f_view((n_steps as i64, ends.len() as i64, -1))?, None, None)?;
        let logits = network.logits(outputs.f_select(0, n_steps as i64 - 1)?, None)?;
        let mut all = vec![0.0; ends.len()];
        logits.f_copy_data(&mut all, ends.len())?;
        all.truncate(rows.len());
        Ok(all)
    }

    /// Computes the scores of rows that have complete windows.
    fn scores(&self, sequences: &Sequences, rows: &[u32]) -> Torch<Vec<f32>> {
        // Without this guard, libtorch would store every intermediate result for a gradient.
        let _guard = tch::no_grad_guard();
        let network = Network::new(self.architecture, &self.weights, Device::Cpu)?;
        let values = Tensor::f_from_slice(&sequences.values)?.f_view((-1, sequences.n_features() as i64))?;
        let chunks = rows.chunks(WINDOWS_PER_CHUNK).map(|rows| self.logits(&network, &values, rows));
        Ok(chunks.collect::<Torch<Vec<_>>>()?.concat().into_iter().map(probability).collect())
    }
}

fn probability(logit: f32) -> f32 {
    // For a very negative logit the exponential is infinite, and the probability is 0.
    1.0 / (1.0 + (-logit).exp())
}

impl Model for LstmModel {
    /// Computes probabilities of class 1. A row receives the score NaN if its window has a missing
    /// value, or if its symbol has too few earlier rows.
    fn predict(&self, table: &Table<'_>, rows: &[u32], out: &mut [f32]) -> Result<()> {
        // Each thread has its own setting for the number of libtorch's threads, and the thread of
        // this call may not be the thread of the fit.
        device::use_one_thread();
        let sequences = Sequences::scaled(&self.scaler, table)?;
        let has_window = |&row: &u32| sequences.history[row as usize] as usize >= self.sequence_length;
        let scorable: Vec<u32> = rows.iter().copied().filter(has_window).collect();
        let mut scores = self.scores(&sequences, &scorable).map_err(engine_error)?.into_iter();
        for (row, out) in rows.iter().zip(out) {
            *out = Some(row).filter(|row| has_window(row)).and_then(|_| scores.next()).unwrap_or(f32::NAN);
        }
        Ok(())
    }

    fn save(&self) -> Result<Vec<u8>> {
        format::write(self)
    }

    fn load(bytes: &[u8]) -> Result<Self> {
        format::read(bytes)
    }

    fn summary(&self) -> Summary {
        Summary { rounds: u32::try_from(self.fit_info.n_epochs).ok(), device: Some(self.fit_info.device.clone()) }
    }
}
