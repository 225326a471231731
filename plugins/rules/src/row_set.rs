//! Sets of training rows with one bit per row, such as the rows on which a rule holds or the rows
//! of a subsample.

/// A set of indices into the training rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RowSet(Vec<u64>);

impl RowSet {
    /// Creates the set of the indices below `n_rows` for which `is_in` returns true.
    pub(crate) fn from_fn(n_rows: usize, is_in: impl Fn(usize) -> bool) -> Self {
        let word = |from: usize| {
            let indices = from..(from + 64).min(n_rows);
            indices.filter(|&idx| is_in(idx)).fold(0, |word, idx| word | 1 << (idx - from))
        };
        Self((0..n_rows).step_by(64).map(word).collect())
    }

    /// Returns the intersection with another set.
    pub(crate) fn and(&self, other: &Self) -> Self {
        Self(self.0.iter().zip(&other.0).map(|(a, b)| a & b).collect())
    }

    /// Returns the number of rows.
    pub(crate) fn len(&self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Returns the number of rows in both sets.
    pub(crate) fn n_common(&self, other: &Self) -> usize {
        self.0.iter().zip(&other.0).map(|(a, b)| (a & b).count_ones() as usize).sum()
    }

    /// Returns whether the intersection has at least half of the rows of the union (Jaccard
    /// similarity).
    pub(crate) fn overlaps_mostly(&self, other: &Self) -> bool {
        let n_common = self.n_common(other);
        2 * n_common >= self.len() + other.len() - n_common
    }

    /// Returns the indices, ascending.
    pub(crate) fn indices(&self) -> impl Iterator<Item = usize> + '_ {
        self.0.iter().enumerate().flat_map(|(word_idx, &word)| {
            let mut left = word;
            std::iter::from_fn(move || {
                let idx = (left != 0).then(|| 64 * word_idx + left.trailing_zeros() as usize)?;
                // Clears the lowest set bit.
                left &= left - 1;
                Some(idx)
            })
        })
    }
}
