//! Tables whose labels depend on earlier rows, and the AUC of scores on them.

use oculus_plugin_api::Task;
use oculus_plugin_api::testing::{Frame, Noise};
use oculus_plugin_support::testing::auc;

/// Draws a number of the standard normal distribution (Box and Muller).
fn normal(noise: &mut Noise) -> f64 {
    (-2.0 * (1.0 - noise.unit_f64()).ln()).sqrt() * (std::f64::consts::TAU * noise.unit_f64()).cos()
}

/// The number of earlier rows on which the labels of a table depend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Memory {
    /// The labels depend on means over about 20 and 8 rows.
    Short,
    /// The labels depend on means over about 70 and 40 rows.
    Long,
    /// The labels are random.
    None,
}

/// The size of a table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    n_symbols: usize,
    n_days: usize,
    n_columns: usize,
}

impl Size {
    pub(crate) fn new(n_symbols: usize, n_days: usize, n_columns: usize) -> Self {
        Self { n_symbols, n_days, n_columns }
    }
}

/// Columns and labels of several symbols, which have rows on the same days.
pub(crate) struct Data {
    pub(crate) n_days: usize,
    pub(crate) columns: Vec<Vec<f32>>,
    pub(crate) label: Vec<f32>,
    /// Probability that each label is 1, which is the best possible score.
    pub(crate) truth: Vec<f32>,
}

impl Data {
    /// Creates a table with a planted memory.
    ///
    /// Each column is an autoregressive process with coefficient 0.6. The log-odds of a label have
    /// two terms, each with a weight. The first term is the running mean of the first column. The
    /// second term is negative: minus the running mean of the second column, times the hyperbolic
    /// tangent of the third column.
    pub(crate) fn planted(memory: Memory, size: Size, seed: u64) -> Self {
        let Size { n_symbols, n_days, n_columns } = size;
        let mut noise = Noise::new(seed);
        let n_rows = n_symbols * n_days;
        let mut column = |_| {
            let mut value = 0.0;
            let mut next = |row: usize| {
                value = if row.is_multiple_of(n_days) {
                    normal(&mut noise)
                } else {
                    0.6 * value + 0.8 * normal(&mut noise)
                };
                value as f32
            };
            (0..n_rows).map(&mut next).collect::<Vec<_>>()
        };
        let columns: Vec<Vec<f32>> = (0..n_columns).map(&mut column).collect();
        let (first, second, weights) = match memory {
            Memory::Short => (20.0, 8.0, [2.5, 2.5]),
            Memory::Long => (70.0, 40.0, [5.0, 3.0]),
            Memory::None => (1.0, 1.0, [0.0, 0.0]),
        };
        let first = running_mean(&columns[0], n_days, first);
        let second = running_mean(&columns[1], n_days, second);
        let odds = |row: usize| weights[0] * first[row] - weights[1] * second[row] * f64::from(columns[2][row]).tanh();
        let truth: Vec<f32> = (0..n_rows).map(|row| (1.0 / (1.0 + (-odds(row)).exp())) as f32).collect();
        let label = truth.iter().map(|&probability| f32::from(noise.unit_f64() < f64::from(probability))).collect();
        Self { n_days, columns, label, truth }
    }

    /// Returns the table.
    pub(crate) fn frame(&self) -> Frame {
        let n_symbols = self.label.len() / self.n_days;
        let name = |idx| -> &'static str { format!("F_{idx}").leak() };
        let frame = Frame::new(n_symbols as u32, self.n_days as u32);
        self.columns.iter().enumerate().fold(frame, |frame, (idx, column)| frame.column(name(idx), column.clone()))
    }

    /// Returns the rows of all symbols from day `from` (inclusive) to `to` (exclusive).
    pub(crate) fn days(&self, from: usize, to: usize) -> Vec<u32> {
        let n_symbols = self.label.len() / self.n_days;
        (0..n_symbols).flat_map(|symbol| (from..to).map(move |day| (symbol * self.n_days + day) as u32)).collect()
    }

    /// Returns a task with a fixed seed, number of threads and device.
    pub(crate) fn task<'a>(&'a self, train_rows: &'a [u32], tune_rows: &'a [u32]) -> Task<'a> {
        Task { label: &self.label, train_rows, tune_rows, seed: 7, threads: 1, device: "cpu" }
    }

    /// Computes the AUC of the scores of some rows.
    pub(crate) fn auc(&self, rows: &[u32], scores: &[f32]) -> f64 {
        auc(scores, &rows.iter().map(|&row| self.label[row as usize]).collect::<Vec<_>>())
    }
}

/// On Linux, returns the CPU seconds of this thread, so that concurrent work does not distort a
/// measurement. On other systems, returns the seconds of a clock.
pub(crate) fn seconds() -> f64 {
    let statistics = std::fs::read_to_string("/proc/thread-self/schedstat");
    let nanoseconds = statistics.ok().and_then(|text| text.split(' ').next()?.parse::<f64>().ok());
    let clock_seconds = || std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default().as_secs_f64();
    nanoseconds.map_or_else(clock_seconds, |nanoseconds| nanoseconds / 1e9)
}

/// Computes the exponential mean over about `length` rows; it restarts at 0 on the first day of
/// each symbol.
fn running_mean(column: &[f32], n_days: usize, length: f64) -> Vec<f64> {
    let mut mean = 0.0;
    let mut next = |(row, &value): (usize, &f32)| {
        mean = if row.is_multiple_of(n_days) { 0.0 } else { mean + 2.0 / (length + 1.0) * (f64::from(value) - mean) };
        mean
    };
    column.iter().enumerate().map(&mut next).collect()
}
