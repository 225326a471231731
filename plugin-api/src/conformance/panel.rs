//! The synthetic table on which claims are tested: a few symbols with labels that depend on the
//! features. It is the same on every machine.
//!
//! The days are split into the same three parts for all symbols: training, early stopping and later
//! days. One column is for rules only and equals the label, so the tests detect a family that
//! trains on it.

use std::ops::Range;

use crate::testing::{Frame, Noise};

/// Names of the columns for models. Each column has a different scale.
pub(crate) const COLUMNS: [&str; 4] = ["RSI_14", "MACD_HIST", "NATR_14", "RET_5"];
/// Names with characters that an engine may refuse, one per column for models.
pub(crate) const UNUSUAL_NAMES: [&str; 4] = ["BETA_^IDX_60", "RET:5=1", "Größe 5 %", "{\"a\",[b]}"];
/// Name of the column for rules.
pub(crate) const LEVEL: &str = "SMA_20";

/// Name of the column for rules next to [`UNUSUAL_NAMES`].
pub(crate) const UNUSUAL_LEVEL: &str = "SMA ^=:ü";

/// The columns, labels and scores of the table.
pub(crate) struct Panel {
    n_symbols: u32,
    n_days: u32,
    /// Number of days per symbol that are split into three parts.
    n_split: u32,
    columns: Vec<Vec<f32>>,
    /// Labels, one per row.
    pub(crate) label: Vec<f32>,
    /// Scores that correlate with the label, one per row. They are NaN on the first tenth of the
    /// days, because a walk-forward validation does not score its first days either.
    pub(crate) scores: Vec<f32>,
}

impl Panel {
    /// Creates a table in which `n_split` days per symbol have at least `n_before` days of history.
    pub(crate) fn new(n_symbols: u32, n_before: u32, n_split: u32) -> Self {
        let n_days = n_before + n_split;
        let mut panel = Self {
            n_symbols,
            n_days,
            n_split,
            columns: vec![Vec::new(); COLUMNS.len()],
            label: Vec::new(),
            scores: Vec::new(),
        };
        for symbol in 0..n_symbols {
            // Each symbol has its own seed, so that its data does not depend on the number of
            // symbols.
            panel.push_symbol(&mut Noise::new(u64::from(symbol)));
        }
        panel
    }

    /// Adds the rows of a symbol. The label depends on a slow and a fast component, plus noise.
    fn push_symbol(&mut self, noise: &mut Noise) {
        let mut slow = 0.0;
        for day in 0..self.n_days {
            let [fast, size, label_noise, other] = [(); 4].map(|()| centred(noise));
            slow = 0.8 * slow + 0.4 * centred(noise);
            let truth = slow + 1.2 * fast;
            let row = [50.0 + 25.0 * slow, 0.01 * fast, 2.0 + 0.5 * size, 0.03 * other];
            self.columns.iter_mut().zip(row).for_each(|(column, value)| column.push(value));
            self.label.push(f32::from(truth + 0.3 * label_noise > 0.1));
            let is_scored = day >= self.n_days / 10;
            self.scores.push(if is_scored { 1.0 / (1.0 + (-truth).exp()) } else { f32::NAN });
        }
    }

    /// Returns the table.
    pub(crate) fn frame(&self) -> Frame {
        self.frame_with_columns(0..COLUMNS.len())
    }

    /// Returns a table that contains only these columns for models, in this order.
    pub(crate) fn frame_with_columns(&self, order: impl Iterator<Item = usize>) -> Frame {
        self.named_frame(LEVEL, &COLUMNS, order)
    }

    /// Returns the table with unusual names of its columns.
    pub(crate) fn frame_with_unusual_names(&self) -> Frame {
        self.named_frame(UNUSUAL_LEVEL, &UNUSUAL_NAMES, 0..COLUMNS.len())
    }

    fn named_frame(
        &self,
        level: &'static str,
        names: &[&'static str; COLUMNS.len()],
        order: impl Iterator<Item = usize>,
    ) -> Frame {
        let frame = Frame::new(self.n_symbols, self.n_days).rule_column(level, self.label.clone());
        order.fold(frame, |frame, idx| frame.column(names[idx], self.columns[idx].clone()))
    }

    /// Returns the table with every value replaced by `value`.
    pub(crate) fn filled(&self, value: f32) -> Frame {
        let mut frame = self.frame();
        frame.values_mut().fill(value);
        frame
    }

    /// Returns the table with constant features.
    pub(crate) fn constant(&self) -> Frame {
        self.filled(1.0)
    }

    /// Returns a table that contains the first row only.
    pub(crate) fn first_row(&self) -> Frame {
        let frame = Frame::new(1, 1).rule_column(LEVEL, vec![self.label[0]]);
        COLUMNS.iter().zip(&self.columns).fold(frame, |frame, (name, column)| frame.column(name, vec![column[0]]))
    }

    /// Returns the rows of some symbols on some days.
    pub(crate) fn rows(&self, symbols: Range<u32>, days: Range<u32>) -> Vec<u32> {
        symbols.flat_map(|symbol| days.clone().map(move |day| symbol * self.n_days + day)).collect()
    }

    /// Returns the rows of all symbols on some days.
    pub(crate) fn days(&self, days: Range<u32>) -> Vec<u32> {
        self.rows(0..self.n_symbols, days)
    }

    /// Returns the training days.
    pub(crate) fn train(&self) -> Range<u32> {
        0..self.n_days - 2 * self.part()
    }

    /// Returns the days for early stopping.
    pub(crate) fn tune(&self) -> Range<u32> {
        self.n_days - 2 * self.part()..self.n_days - self.part()
    }

    /// Returns the later days, which no fit may use.
    pub(crate) fn later(&self) -> Range<u32> {
        self.n_days - self.part()..self.n_days
    }

    /// Returns all days.
    pub(crate) fn all(&self) -> Range<u32> {
        0..self.n_days
    }

    /// Returns the rows of all symbols except the first, on the later days.
    pub(crate) fn later_rows_of_other_symbols(&self) -> Vec<u32> {
        self.rows(1..self.n_symbols, self.later())
    }

    /// Returns the number of days in the second part, which is also the number in the third part.
    fn part(&self) -> u32 {
        self.n_split / 5
    }
}

/// Draws a number in [-1, 1).
fn centred(noise: &mut Noise) -> f32 {
    2.0 * noise.unit_f32() - 1.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_of_every_symbol_has_both_classes() {
        for (n_symbols, n_before, n_split) in [(2, 0, 60), (2, 100, 60), (3, 0, 120), (3, 2000, 120)] {
            let panel = Panel::new(n_symbols, n_before, n_split);
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
