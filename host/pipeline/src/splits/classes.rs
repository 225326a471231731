//! Counts the positives, negatives and independent episodes of a set of rows.

use crate::{features::FeatureTable, labels::Label};

/// The smallest class counts for one purpose. Positives alone are not enough: the horizons of the
/// positives in an episode overlap, so many positives may come from one price move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MinCounts {
    /// Number of positives, and number of negatives.
    pub n_per_class: usize,
    /// Number of episodes.
    pub n_episodes: usize,
}

impl MinCounts {
    /// Training rows of a fold.
    pub(crate) const TRAIN: Self = Self { n_per_class: 10, n_episodes: 2 };
    /// Rows on which early stopping or a rule is evaluated.
    pub(crate) const TUNE: Self = Self { n_per_class: 10, n_episodes: 3 };
    /// Pooled validation rows of a label whose scores are compared with those of other labels.
    pub(crate) const COMPARE: Self = Self { n_per_class: 20, n_episodes: 4 };
    /// Test rows of an AUC that is called sound.
    pub(crate) const SOUND: Self = Self { n_per_class: 20, n_episodes: 6 };
}

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
    /// Returns whether every count reaches its minimum.
    pub(crate) fn suffice(&self, min: MinCounts) -> bool {
        self.shortfall(min).is_none()
    }

    /// Names the counts found and the minimum, such as `12 positives in 1 episode and 90 negatives,
    /// expected at least 20 in 4 and 20`; `None` if every count reaches its minimum.
    pub(crate) fn shortfall(&self, min: MinCounts) -> Option<String> {
        let MinCounts { n_per_class, n_episodes } = min;
        let Self { n_positive, n_negative, n_episodes: found_episodes } = *self;
        let suffices = n_positive >= n_per_class && n_negative >= n_per_class && found_episodes >= n_episodes;
        (!suffices).then(|| {
            format!(
                "found {n_positive} positives in {found_episodes} episodes and {n_negative} negatives, expected at least \
                 {n_per_class} positives in {n_episodes} episodes and {n_per_class} negatives"
            )
        })
    }

    /// Returns whether there are positives and negatives.
    pub(crate) fn has_both_classes(&self) -> bool {
        self.n_positive > 0 && self.n_negative > 0
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
