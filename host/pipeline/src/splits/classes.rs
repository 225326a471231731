//! Counts the positives, negatives and independent episodes of a set of rows.

use crate::{features::FeatureTable, labels::Label};

/// Smallest number of positives that a score needs.
const MIN_POSITIVE: usize = 10;
/// Smallest number of negatives that a score needs.
const MIN_NEGATIVE: usize = 10;
/// Smallest number of episodes that a score needs. The horizons of the positives in an episode
/// overlap, so many positives may come from one price move.
const MIN_EPISODES: usize = 3;

/// The class counts of a set of labelled rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ClassCounts {
    /// Number of rows of class 1.
    pub n_positive: usize,
    /// Number of rows of class 0.
    pub n_negative: usize,
    /// Number of episodes of positives. Two positives of the same symbol belong to one episode if
    /// their horizons overlap, so two episodes share no bar of their symbol.
    pub n_episodes: usize,
}

impl ClassCounts {
    /// Returns whether there are enough rows for a score: at least 10 positives, 10 negatives and 3
    /// episodes, each multiplied by `times`.
    pub(crate) fn suffice(&self, times: usize) -> bool {
        self.n_positive >= times * MIN_POSITIVE
            && self.n_negative >= times * MIN_NEGATIVE
            && self.n_episodes >= times * MIN_EPISODES
    }

    /// Returns the share of positives, or `None` if there are no rows.
    pub(crate) fn base_rate(&self) -> Option<f64> {
        let n_rows = self.n_positive + self.n_negative;
        (n_rows > 0).then(|| self.n_positive as f64 / n_rows as f64)
    }
}

/// Counts the classes of ascending rows; rows without a label are not counted.
pub(crate) fn class_counts(table: &FeatureTable, label: &Label, rows: &[u32]) -> ClassCounts {
    // NaN, the value of a row without a label, equals neither class.
    let count = |class: f32| rows.iter().filter(|&&row| label.value[row as usize] == class).count();
    let positives = rows.iter().copied().filter(|&row| label.value[row as usize] == 1.0);
    ClassCounts { n_positive: count(1.0), n_negative: count(0.0), n_episodes: n_episodes(table, label, positives) }
}

/// Counts the episodes among ascending rows. A row starts an episode if the labels of all earlier
/// rows of its symbol are known before its date.
pub(crate) fn n_episodes(table: &FeatureTable, label: &Label, rows: impl Iterator<Item = u32>) -> usize {
    let mut n_episodes = 0;
    let mut symbol = None;
    let mut known_until = i32::MIN;
    for row in rows.map(|row| row as usize) {
        if symbol != Some(table.symbol[row]) {
            symbol = Some(table.symbol[row]);
            known_until = i32::MIN;
        }
        n_episodes += usize::from(table.day[row] > known_until);
        // Rows of one symbol ascend, and so do the days on which their labels are known. Each
        // further row of an episode therefore extends the episode.
        known_until = label.known_day[row];
    }
    n_episodes
}
