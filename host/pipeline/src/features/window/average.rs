//! Computes exponential averages that are seeded by a mean.

/// A running average that moves towards each value by a share of the distance.
///
/// The average of a constant is exactly that constant, because sums are taken over distances, not
/// over values.
pub(in super::super) struct Average {
    factor: f64,
    n_seeds: usize,
    n_values: usize,
    first: f64,
    /// Sum of the seeds' distances from the first seed, until there are `n_seeds` seeds.
    distance: f64,
    value: f64,
}

impl Average {
    /// Creates an exponential average with factor `2 / (n + 1)`, seeded by the mean of its first
    /// `n` values.
    pub(in super::super) fn exponential(n: usize) -> Self {
        Self::new(n, 2.0 / (n as f64 + 1.0))
    }

    /// Creates Wilder's average, with factor `1 / n`, seeded by the mean of its first `n` values.
    pub(in super::super) fn wilder(n: usize) -> Self {
        Self::new(n, 1.0 / n as f64)
    }

    fn new(n_seeds: usize, factor: f64) -> Self {
        Self { factor, n_seeds, n_values: 0, first: 0.0, distance: 0.0, value: f64::NAN }
    }

    /// Adds a value and returns the average, or NaN while there are fewer than `n` values.
    #[inline]
    pub(in super::super) fn push(&mut self, value: f64) -> f64 {
        if self.n_values >= self.n_seeds {
            // In this form the average of a constant is exact;
            // `factor · value + (1 − factor) · average` would round.
            self.value += (value - self.value) * self.factor;
        } else {
            self.seed(value);
        }
        self.value
    }

    #[inline]
    fn seed(&mut self, value: f64) {
        if self.n_values == 0 {
            self.first = value;
        }
        self.n_values += 1;
        self.distance += value - self.first;
        if self.n_values == self.n_seeds {
            self.value = self.first + self.distance / self.n_seeds as f64;
        }
    }
}

/// Adds a value to a chain of averages. The second and every later average averages the values of
/// the previous one. Returns the last average, or NaN while it has no value.
#[inline]
pub(in super::super) fn push_through(averages: &mut [Average], value: f64) -> f64 {
    averages.iter_mut().fold(value, |value, average| if value.is_nan() { value } else { average.push(value) })
}

/// Computes the exponential moving average with factor `2 / (n + 1)`, seeded by the mean of its
/// first `n` values.
pub(in super::super) fn ema(values: &[f64], n: usize) -> Vec<f64> {
    follow(values, Average::exponential(n))
}

/// Computes Wilder's average with factor `1 / n`, seeded by the mean of its first `n` values.
pub(in super::super) fn wilder(values: &[f64], n: usize) -> Vec<f64> {
    follow(values, Average::wilder(n))
}

fn follow(values: &[f64], mut average: Average) -> Vec<f64> {
    let mut out = vec![f64::NAN; values.len()];
    for (out, value) in out.iter_mut().zip(values) {
        *out = average.push(*value);
    }
    out
}
