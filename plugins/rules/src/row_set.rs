//! Sets of training rows, a bit each: what a rule holds on, what a subsample has, where the label is 1.

/// A set of training rows by their place among them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RowSet(Vec<u64>);

impl RowSet {
    /// The places, of `n_rows`, at which `is_in` is true.
    pub(crate) fn from_fn(n_rows: usize, is_in: impl Fn(usize) -> bool) -> Self {
        let word = |from: usize| {
            let places = from..(from + 64).min(n_rows);
            places.filter(|&place| is_in(place)).fold(0, |word, place| word | 1 << (place - from))
        };
        Self((0..n_rows).step_by(64).map(word).collect())
    }

    /// What is in both.
    pub(crate) fn and(&self, other: &Self) -> Self {
        Self(self.0.iter().zip(&other.0).map(|(a, b)| a & b).collect())
    }

    /// Number of rows.
    pub(crate) fn len(&self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Number of rows in both.
    pub(crate) fn n_common(&self, other: &Self) -> usize {
        self.0.iter().zip(&other.0).map(|(a, b)| (a & b).count_ones() as usize).sum()
    }

    /// Whether both share half of the rows that either has (Jaccard).
    pub(crate) fn is_mostly(&self, other: &Self) -> bool {
        let n_common = self.n_common(other);
        2 * n_common >= self.len() + other.len() - n_common
    }

    /// The places, ascending.
    pub(crate) fn places(&self) -> impl Iterator<Item = usize> + '_ {
        self.0.iter().enumerate().flat_map(|(idx, &word)| {
            let mut left = word;
            std::iter::from_fn(move || {
                let place = (left != 0).then(|| 64 * idx + left.trailing_zeros() as usize)?;
                left &= left - 1;
                Some(place)
            })
        })
    }
}
