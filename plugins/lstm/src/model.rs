//! How a fitted model scores: on the CPU, whatever device it was fitted on, so that it has the same scores wherever it is
//! loaded.

use oculus_plugin_api::prelude::*;
use tch::{Device, Tensor};

use crate::fitted::LstmModel;
use crate::network::{Network, Torch, refused};
use crate::sequences::Sequences;
use crate::{device, format};

/// Windows run at once. Always as many, the last one repeated where there are less: matrix products of other sizes may
/// add in another order, and a score would depend on which others are asked for.
const WINDOWS_A_CHUNK: usize = 32;

impl LstmModel {
    /// Log-odds of the windows that end at `rows`, at most [`WINDOWS_A_CHUNK`] of them.
    fn logits(&self, network: &Network, values: &Tensor, rows: &[u32]) -> Torch<Vec<f32>> {
        let last = rows.last().copied().unwrap_or_default();
        let ends: Vec<u32> = rows.iter().copied().chain(std::iter::repeat(last)).take(WINDOWS_A_CHUNK).collect();
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

    /// Scores of rows whose windows are whole.
    fn scores(&self, sequences: &Sequences, rows: &[u32]) -> Torch<Vec<f32>> {
        let _guard = tch::no_grad_guard();
        let network = Network::new(self.architecture, &self.weights, Device::Cpu)?;
        let values = Tensor::f_from_slice(&sequences.values)?.f_view((-1, sequences.n_features() as i64))?;
        let chunks = rows.chunks(WINDOWS_A_CHUNK).map(|rows| self.logits(&network, &values, rows));
        Ok(chunks.collect::<Torch<Vec<_>>>()?.concat().into_iter().map(probability).collect())
    }
}

fn probability(logit: f32) -> f32 {
    1.0 / (1.0 + (-logit).exp())
}

impl Model for LstmModel {
    /// Probabilities of class 1; NaN where a row's window is longer than the history of its symbol, or has a hole.
    fn predict(&self, table: &Table<'_>, rows: &[u32], out: &mut [f32]) -> Result<()> {
        device::use_one_thread();
        let sequences = Sequences::scaled(&self.scaler, table)?;
        let has_window = |&row: &u32| sequences.history[row as usize] as usize >= self.sequence_length;
        let whole: Vec<u32> = rows.iter().copied().filter(has_window).collect();
        let mut scores = self.scores(&sequences, &whole).map_err(refused)?.into_iter();
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
        Summary { rounds: u32::try_from(self.made.n_epochs).ok(), device: Some(self.made.device.clone()) }
    }
}
