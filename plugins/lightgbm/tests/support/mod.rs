//! Tables with a planted signal, and functions that fit models on them through the plugin module.

use oculus_plugin_api::testing::{Fitted, Frame, Harness, Listener, Noise};
use oculus_plugin_api::{PluginError, Task};
use oculus_plugin_lightgbm::LightGbm;

pub(crate) const NAMES: [&str; 6] = ["RSI_14", "MACD_HIST", "ADX_14", "NATR_14", "RET_5", "BB_PCT_B_20"];

/// Columns of a table, and labels that depend on the first column, the third column and noise.
pub(crate) struct Data {
    pub(crate) columns: Vec<Vec<f32>>,
    pub(crate) label: Vec<f32>,
}

impl Data {
    /// Creates a table with a planted signal.
    pub(crate) fn planted(n_rows: usize, seed: u64) -> Self {
        let mut noise = Noise::new(seed);
        let mut column = || (0..n_rows).map(|_| noise.unit_f32()).collect::<Vec<_>>();
        let columns: Vec<Vec<f32>> = NAMES.iter().map(|_| column()).collect();
        let label_noise = column();
        let label = (0..n_rows)
            .map(|row| f32::from(columns[0][row] + 0.5 * columns[2][row] + 0.2 * label_noise[row] > 0.95))
            .collect();
        Self { columns, label }
    }

    /// Returns the table with an additional column for rules in its middle. This column equals the
    /// label.
    pub(crate) fn frame(&self) -> Frame {
        let frame = Frame::new(1, self.label.len() as u32);
        let mut columns = NAMES.into_iter().zip(self.columns.clone());
        let frame = columns.by_ref().take(2).fold(frame, |frame, (name, column)| frame.column(name, column));
        columns
            .fold(frame.rule_column("SMA_20", self.label.clone()), |frame, (name, column)| frame.column(name, column))
    }

    /// Returns a task with a fixed seed, number of threads and device.
    pub(crate) fn task<'a>(&'a self, train_rows: &'a [u32], tune_rows: &'a [u32]) -> Task<'a> {
        Task { label: &self.label, train_rows, tune_rows, seed: 7, threads: 1, device: "cpu" }
    }

    /// Prepares a table and fits a model on the same rows.
    pub(crate) fn fit(&self, train_rows: &[u32], params: &str) -> Result<Fitted, PluginError> {
        let frame = self.frame();
        let task = self.task(train_rows, &[]);
        Harness::family::<LightGbm>().prepare(&frame, train_rows)?.fit(&task, params, &Listener::default())
    }
}

/// Returns the rows from `start` (inclusive) to `end` (exclusive).
pub(crate) fn rows(start: u32, end: u32) -> Vec<u32> {
    (start..end).collect()
}
