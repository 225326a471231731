//! Averages that forget slowly, seeded by a mean.

/// A running average that moves by a share of each value's distance: exactly the value where it does not change.
pub(in super::super) struct Average {
    factor: f64,
    n_seeds: usize,
    n_seen: usize,
    first: f64,
    /// The seeds' summed distance from the first, until there are enough of them.
    distance: f64,
    value: f64,
}

impl Average {
    /// The exponential one with factor `2 / (n + 1)`, seeded by the mean of its first `n` values.
    pub(in super::super) fn exponential(n: usize) -> Self {
        Self::new(n, 2.0 / (n as f64 + 1.0))
    }

    /// Wilder's, with factor `1 / n`, seeded alike.
    pub(in super::super) fn wilder(n: usize) -> Self {
        Self::new(n, 1.0 / n as f64)
    }

    fn new(n_seeds: usize, factor: f64) -> Self {
        Self { factor, n_seeds, n_seen: 0, first: 0.0, distance: 0.0, value: f64::NAN }
    }

    /// Takes a value; the average, or NaN before there are `n` of them.
    #[inline]
    pub(in super::super) fn push(&mut self, value: f64) -> f64 {
        if self.n_seen >= self.n_seeds {
            self.value += (value - self.value) * self.factor;
        } else {
            self.seed(value);
        }
        self.value
    }

    #[inline]
    fn seed(&mut self, value: f64) {
        if self.n_seen == 0 {
            self.first = value;
        }
        self.n_seen += 1;
        self.distance += value - self.first;
        if self.n_seen == self.n_seeds {
            self.value = self.first + self.distance / self.n_seeds as f64;
        }
    }
}

/// Takes a value into an average of an average and so on; each starts where the one before has its first value.
#[inline]
pub(in super::super) fn push_through(averages: &mut [Average], value: f64) -> f64 {
    averages.iter_mut().fold(value, |value, average| if value.is_nan() { value } else { average.push(value) })
}

/// Exponential moving average with factor `2 / (n + 1)`, seeded by the mean of its first `n` values.
pub(in super::super) fn ema(values: &[f64], n: usize) -> Vec<f64> {
    follow(values, Average::exponential(n))
}

/// Wilder's average, with factor `1 / n`, seeded by the mean of its first `n` values.
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
