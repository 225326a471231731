//! Predictions of a fitted model. Each row is scored alone in plain Rust, so that the bits of a
//! score depend neither on the other rows of a call nor on the device of the fit.

use oculus_plugin_api::prelude::*;

use crate::file;
use crate::perceptron::{Buffers, Perceptron};
use crate::scaling::gather;

/// Rows copied at once. Chunks limit the memory of the copy.
const CHUNK_ROWS: usize = 8192;

impl Model for Perceptron {
    /// Computes probabilities of class 1. A row with a non-finite feature receives the score NaN.
    fn predict(&self, table: &Table<'_>, rows: &[u32], out: &mut [f32]) -> Result<()> {
        // This check reports all missing features at once; `gather` would report only the first.
        table.positions(self.inputs.iter().map(|input| &input.name))?;
        let mut buffers = Buffers::default();
        for (rows, out) in rows.chunks(CHUNK_ROWS).zip(out.chunks_mut(CHUNK_ROWS)) {
            let values = gather(table, &self.inputs, rows)?;
            for (features, out) in values.chunks_exact(self.inputs.len()).zip(out) {
                *out = self.score(features, &mut buffers);
            }
        }
        Ok(())
    }

    fn save(&self) -> Result<Vec<u8>> {
        file::write(self)
    }

    fn load(bytes: &[u8]) -> Result<Self> {
        file::read(bytes)
    }

    fn summary(&self) -> Summary {
        Summary { rounds: Some(self.n_epochs), device: Some(self.device.clone()) }
    }
}
