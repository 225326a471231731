//! How a fitted model scores: row by row in plain numbers, so that neither the other rows of a call nor the device of the
//! fit change a bit of a score.

use oculus_plugin_api::prelude::*;

use crate::file;
use crate::perceptron::{Buffers, Perceptron};
use crate::scaling::gather;

/// Rows copied of a table at a time.
const CHUNK_ROWS: usize = 8192;

impl Model for Perceptron {
    /// Probabilities of class 1, NaN for rows with a feature that has no finite value.
    fn predict(&self, table: &Table<'_>, rows: &[u32], out: &mut [f32]) -> Result<()> {
        // Names every feature that is missing, where `gather` would name the first.
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
