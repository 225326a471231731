//! The table that plugins are tried on: a few symbols whose labels can be learnt, the same on every machine.
//!
//! Days are split in three for all symbols: rows to train on, rows for early stopping, later rows. One column is for rules
//! only, and says what the label is.

use std::ops::Range;

use crate::testing::{Frame, Noise};

/// Names of the columns for models; each is of another scale.
pub(crate) const COLUMNS: [&str; 4] = ["RSI_14", "MACD_HIST", "NATR_14", "RET_5"];
/// The name of the column for rules.
pub(crate) const LEVEL: &str = "SMA_20";

/// Columns, labels and scores.
pub(crate) struct Panel {
    n_symbols: u32,
    n_days: u32,
    n_learnt: u32,
    columns: Vec<Vec<f32>>,
    /// One a row.
    pub(crate) label: Vec<f32>,
    /// One a row: a score that knows something of the label, NaN on the first tenth of the days.
    pub(crate) scores: Vec<f32>,
}

impl Panel {
    /// A panel in which `n_learnt` days of each symbol have `n_before` days of history or more.
    pub(crate) fn new(n_symbols: u32, n_before: u32, n_learnt: u32) -> Self {
        let n_days = n_before + n_learnt;
        let mut panel = Self {
            n_symbols,
            n_days,
            n_learnt,
            columns: vec![Vec::new(); COLUMNS.len()],
            label: Vec::new(),
            scores: Vec::new(),
        };
        for symbol in 0..n_symbols {
            panel.push_symbol(&mut Noise::new(u64::from(symbol)));
        }
        panel
    }

    /// A slow wave and a fast one make the label, but for some noise.
    fn push_symbol(&mut self, noise: &mut Noise) {
        let mut slow = 0.0;
        for day in 0..self.n_days {
            let [fast, size, doubt, other] = [(); 4].map(|()| centred(noise));
            slow = 0.8 * slow + 0.4 * centred(noise);
            let truth = slow + 1.2 * fast;
            let row = [50.0 + 25.0 * slow, 0.01 * fast, 2.0 + 0.5 * size, 0.03 * other];
            self.columns.iter_mut().zip(row).for_each(|(column, value)| column.push(value));
            self.label.push(f32::from(truth + 0.3 * doubt > 0.1));
            let is_scored = day >= self.n_days / 10;
            self.scores.push(if is_scored { 1.0 / (1.0 + (-truth).exp()) } else { f32::NAN });
        }
    }

    /// The table.
    pub(crate) fn frame(&self) -> Frame {
        self.frame_of(0..COLUMNS.len())
    }

    /// The table with its columns for models in this order.
    pub(crate) fn frame_of(&self, order: impl Iterator<Item = usize>) -> Frame {
        let frame = Frame::new(self.n_symbols, self.n_days).rule_column(LEVEL, self.label.clone());
        order.fold(frame, |frame, idx| frame.column(COLUMNS[idx], self.columns[idx].clone()))
    }

    /// The table with one and the same value everywhere.
    pub(crate) fn filled(&self, value: f32) -> Frame {
        let mut frame = self.frame();
        frame.values_mut().fill(value);
        frame
    }

    /// The table with features that never move.
    pub(crate) fn still(&self) -> Frame {
        self.filled(1.0)
    }

    /// The first row of the table, as a table.
    pub(crate) fn first_row(&self) -> Frame {
        let frame = Frame::new(1, 1).rule_column(LEVEL, vec![self.label[0]]);
        COLUMNS.iter().zip(&self.columns).fold(frame, |frame, (name, column)| frame.column(name, vec![column[0]]))
    }

    /// Rows of some days of some symbols.
    pub(crate) fn rows(&self, symbols: Range<u32>, days: Range<u32>) -> Vec<u32> {
        symbols.flat_map(|symbol| days.clone().map(move |day| symbol * self.n_days + day)).collect()
    }

    /// Rows of some days of all symbols.
    pub(crate) fn days(&self, days: Range<u32>) -> Vec<u32> {
        self.rows(0..self.n_symbols, days)
    }

    /// Days to train on.
    pub(crate) fn train(&self) -> Range<u32> {
        0..self.n_days - 2 * self.part()
    }

    /// Days for early stopping.
    pub(crate) fn tune(&self) -> Range<u32> {
        self.n_days - 2 * self.part()..self.n_days - self.part()
    }

    /// Days that nothing is learnt from.
    pub(crate) fn later(&self) -> Range<u32> {
        self.n_days - self.part()..self.n_days
    }

    /// All days.
    pub(crate) fn all(&self) -> Range<u32> {
        0..self.n_days
    }

    /// Rows of the later days of every symbol but the first.
    pub(crate) fn later_elsewhere(&self) -> Vec<u32> {
        self.rows(1..self.n_symbols, self.later())
    }

    fn part(&self) -> u32 {
        self.n_learnt / 5
    }
}

/// Draws a number from -1 up to, not including, 1.
fn centred(noise: &mut Noise) -> f32 {
    2.0 * noise.unit_f32() - 1.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_of_every_symbol_has_both_classes() {
        for (n_symbols, n_before, n_learnt) in [(2, 0, 60), (2, 100, 60), (3, 0, 120), (3, 2000, 120)] {
            let panel = Panel::new(n_symbols, n_before, n_learnt);
            for symbol in 0..n_symbols {
                for days in [panel.train(), panel.tune(), panel.later()] {
                    let rows = panel.rows(symbol..symbol + 1, days);
                    let n_positives = rows.iter().filter(|&&row| panel.label[row as usize] == 1.0).count();
                    assert!((1..rows.len()).contains(&n_positives), "{n_positives} of {}", rows.len());
                }
            }
        }
    }
}
