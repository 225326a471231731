//! Tables with a planted signal, and fits on them through the plugin's module.
#![allow(dead_code)]

use oculus_plugin_api::testing::{Fitted, Frame, Harness, Listener, Noise};
use oculus_plugin_api::{PluginError, Task};
use oculus_plugin_mlp::Mlp;

pub(crate) const NAMES: [&str; 6] = ["RSI_14", "MACD_HIST", "ADX_14", "NATR_14", "RET_5", "BB_PCT_B_20"];

/// Columns of a table of some symbols, their labels, and the probability that each label was drawn with.
pub(crate) struct Data {
    pub(crate) n_symbols: u32,
    pub(crate) columns: Vec<Vec<f32>>,
    pub(crate) chance: Vec<f32>,
    pub(crate) label: Vec<f32>,
}

impl Data {
    /// Labels drawn with the probability that `chance` gives for a row's features, each from 0 to 1.
    pub(crate) fn drawn(n_symbols: u32, n_days: u32, seed: u64, chance: impl Fn([f32; 6]) -> f32) -> Self {
        let mut noise = Noise::new(seed);
        let n_rows = (n_symbols * n_days) as usize;
        let mut column = || (0..n_rows).map(|_| noise.unit_f32()).collect::<Vec<_>>();
        let columns: Vec<Vec<f32>> = NAMES.iter().map(|_| column()).collect();
        let doubt = column();
        let chance: Vec<f32> = (0..n_rows).map(|row| chance(std::array::from_fn(|idx| columns[idx][row]))).collect();
        let label = doubt.iter().zip(&chance).map(|(doubt, chance)| f32::from(doubt < chance)).collect();
        Self { n_symbols, columns, chance, label }
    }

    /// One symbol; the first and third feature decide, but for noise.
    pub(crate) fn planted(n_days: u32, seed: u64) -> Self {
        Self::drawn(1, n_days, seed, |[rsi, _, adx, ..]| 1.0 / (1.0 + (-12.0 * (rsi + 0.5 * adx - 0.8)).exp()))
    }

    /// The table, with a column for rules in the middle that gives the label away.
    pub(crate) fn frame(&self) -> Frame {
        let frame = Frame::new(self.n_symbols, self.label.len() as u32 / self.n_symbols);
        let mut columns = NAMES.into_iter().zip(self.columns.clone());
        let frame = columns.by_ref().take(2).fold(frame, |frame, (name, column)| frame.column(name, column));
        columns
            .fold(frame.rule_column("SMA_20", self.label.clone()), |frame, (name, column)| frame.column(name, column))
    }

    pub(crate) fn task<'a>(&'a self, train_rows: &'a [u32], tune_rows: &'a [u32]) -> Task<'a> {
        Task { label: &self.label, train_rows, tune_rows, seed: 7, threads: 1, device: "cpu" }
    }

    /// Prepares and fits on the same rows.
    pub(crate) fn fit(&self, train_rows: &[u32], params: &str) -> Result<Fitted, PluginError> {
        let frame = self.frame();
        let task = self.task(train_rows, &[]);
        Harness::family::<Mlp>().prepare(&frame, train_rows)?.fit(&task, params, &Listener::default())
    }

    /// Rows of all symbols from day `start` up to, not including, `end`.
    pub(crate) fn days(&self, start: u32, end: u32) -> Vec<u32> {
        let n_days = self.label.len() as u32 / self.n_symbols;
        (0..self.n_symbols).flat_map(|symbol| symbol * n_days + start..symbol * n_days + end).collect()
    }
}

/// Rows from `start` up to, not including, `end`.
pub(crate) fn rows(start: u32, end: u32) -> Vec<u32> {
    (start..end).collect()
}

/// The values of `rows`.
pub(crate) fn at(values: &[f32], rows: &[u32]) -> Vec<f32> {
    rows.iter().map(|&row| values[row as usize]).collect()
}

pub(crate) fn bits(scores: &[f32]) -> Vec<u32> {
    scores.iter().map(|score| score.to_bits()).collect()
}
