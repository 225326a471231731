//! Tables with a planted signal.
#![allow(dead_code)]

use oculus_plugin_api::testing::{Frame, Noise};

pub(crate) const NAMES: [&str; 6] = ["RSI_14", "MACD_HIST", "ADX_14", "NATR_14", "RET_5", "BB_PCT_B_20"];

/// Columns of a table, and labels that depend on the first column, the third column and noise.
pub(crate) struct Data {
    pub(crate) columns: Vec<Vec<f32>>,
    pub(crate) label: Vec<f32>,
}

impl Data {
    /// Creates a table with a planted signal. The columns have different scales. One value in fifty
    /// of the fourth column is far from its mean.
    pub(crate) fn planted(n_rows: usize, seed: u64) -> Self {
        let mut noise = Noise::new(seed);
        let mut column = || (0..n_rows).map(|_| noise.unit_f32()).collect::<Vec<_>>();
        let mut columns: Vec<Vec<f32>> = NAMES.iter().map(|_| column()).collect();
        let uniform = column();
        let chance = |row: usize| 1.0 / (1.0 + (-4.0 * (columns[0][row] + 0.5 * columns[2][row] - 0.9)).exp());
        let label = (0..n_rows).map(|row| f32::from(uniform[row] < chance(row))).collect();
        columns[0].iter_mut().for_each(|value| *value *= 100.0);
        columns[1].iter_mut().for_each(|value| *value = 0.01 * *value - 0.005);
        columns[3].iter_mut().enumerate().filter(|(row, _)| row % 50 == 7).for_each(|(_, value)| *value *= 40.0);
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
}

/// Returns the rows from `start` (inclusive) to `end` (exclusive).
pub(crate) fn rows(start: u32, end: u32) -> Vec<u32> {
    (start..end).collect()
}
