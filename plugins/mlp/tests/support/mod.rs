//! Tables with a planted signal, and functions that fit models on them through the plugin module.
#![allow(dead_code)]

use oculus_plugin_api::testing::{Fitted, Frame, Harness, Listener, Noise};
use oculus_plugin_api::{PluginError, Task};
use oculus_plugin_mlp::Mlp;

pub(crate) const NAMES: [&str; 6] = ["RSI_14", "MACD_HIST", "ADX_14", "NATR_14", "RET_5", "BB_PCT_B_20"];

/// Columns of a table of several symbols, the labels, and the probability with which each label was
/// drawn.
pub(crate) struct Data {
    pub(crate) n_symbols: u32,
    pub(crate) columns: Vec<Vec<f32>>,
    pub(crate) chance: Vec<f32>,
    pub(crate) label: Vec<f32>,
}

impl Data {
    /// Creates a table with random features from 0 to 1. From the features of a row, `chance`
    /// computes the probability that the label is 1.
    pub(crate) fn drawn(n_symbols: u32, n_days: u32, seed: u64, chance: impl Fn([f32; 6]) -> f32) -> Self {
        let mut noise = Noise::new(seed);
        let n_rows = (n_symbols * n_days) as usize;
        let mut column = || (0..n_rows).map(|_| noise.unit_f32()).collect::<Vec<_>>();
        let columns: Vec<Vec<f32>> = NAMES.iter().map(|_| column()).collect();
        let uniform = column();
        let chance: Vec<f32> = (0..n_rows).map(|row| chance(std::array::from_fn(|idx| columns[idx][row]))).collect();
        let label = uniform.iter().zip(&chance).map(|(uniform, chance)| f32::from(uniform < chance)).collect();
        Self { n_symbols, columns, chance, label }
    }

    /// Creates a table of one symbol. The label depends on the first feature, the third feature and
    /// noise.
    pub(crate) fn planted(n_days: u32, seed: u64) -> Self {
        Self::drawn(1, n_days, seed, |[rsi, _, adx, ..]| 1.0 / (1.0 + (-12.0 * (rsi + 0.5 * adx - 0.8)).exp()))
    }

    /// Returns the table with an additional column for rules in its middle. This column equals the
    /// label.
    pub(crate) fn frame(&self) -> Frame {
        let frame = Frame::new(self.n_symbols, self.label.len() as u32 / self.n_symbols);
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
        Harness::family::<Mlp>().prepare(&frame, train_rows)?.fit(&task, params, &Listener::default())
    }

    /// Returns the rows of all symbols from day `start` (inclusive) to `end` (exclusive).
    pub(crate) fn days(&self, start: u32, end: u32) -> Vec<u32> {
        let n_days = self.label.len() as u32 / self.n_symbols;
        (0..self.n_symbols).flat_map(|symbol| symbol * n_days + start..symbol * n_days + end).collect()
    }
}

/// Returns the rows from `start` (inclusive) to `end` (exclusive).
pub(crate) fn rows(start: u32, end: u32) -> Vec<u32> {
    (start..end).collect()
}

/// Returns the values of `rows`.
pub(crate) fn at(values: &[f32], rows: &[u32]) -> Vec<f32> {
    rows.iter().map(|&row| values[row as usize]).collect()
}

/// Returns the bits of the scores, for exact comparisons that include NaN.
pub(crate) fn bits(scores: &[f32]) -> Vec<u32> {
    scores.iter().map(|score| score.to_bits()).collect()
}
