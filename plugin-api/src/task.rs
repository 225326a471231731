//! The task of a fit as plain slices, checked against its table.

use crate::table::as_slice;
use crate::{PluginError, Result, Table, abi};

/// The labels of a fit and the rows that it may train on.
///
/// ```
/// use oculus_plugin_api::Task;
///
/// let label = [1.0, 0.0, 1.0, f32::NAN];
/// let task = Task { label: &label, train_rows: &[0, 1], tune_rows: &[2], seed: 7, threads: 1, device: "cpu" };
/// task.needs_both_classes()?;
/// assert_eq!(task.train_labels().collect::<Vec<_>>(), [1.0, 0.0]);
/// assert_eq!(task.n_positives(), 1);
/// # Ok::<(), oculus_plugin_api::PluginError>(())
/// ```
#[derive(Clone, Copy)]
pub struct Task<'a> {
    /// Labels, one per row of the table: 0, 1, or NaN for a row without a label. Labels of
    /// `train_rows` and `tune_rows` are 0 or 1.
    pub label: &'a [f32],
    /// Ascending rows to fit on.
    pub train_rows: &'a [u32],
    /// Ascending rows for early stopping, later than `train_rows`; possibly none.
    pub tune_rows: &'a [u32],
    /// Seed of all random numbers of the fit.
    pub seed: u64,
    /// Number of threads that the fit may use, at least 1. The number must not change the model.
    pub threads: usize,
    /// Device to fit on: one of the manifest's devices, or `auto`.
    pub device: &'a str,
}

impl<'a> Task<'a> {
    /// Checks a task that crossed the boundary against its table.
    ///
    /// # Errors
    /// [`code::DATA`](crate::code::DATA) in these cases:
    ///
    /// * The number of labels differs from the number of rows.
    /// * A list of rows is not strictly ascending, or contains a row beyond the table.
    /// * `train_rows` is empty.
    /// * A label of `train_rows` or `tune_rows` is neither 0 nor 1.
    pub fn new(raw: &abi::Task<'a>, table: &Table<'_>) -> Result<Self> {
        let task = Self {
            label: as_slice(raw.label),
            train_rows: as_slice(raw.train_rows),
            tune_rows: as_slice(raw.tune_rows),
            seed: raw.seed,
            // A number of 0 is raised to 1, so that an author can rely on at least one thread.
            threads: raw.threads.max(1) as usize,
            device: raw.device.as_str(),
        };
        if task.label.len() != table.n_rows() {
            let n_labels = task.label.len();
            let n_rows = table.n_rows();
            return Err(PluginError::data(format!("found {n_labels} labels for {n_rows} rows, expected one per row")));
        }
        table.check_rows("train_rows", task.train_rows)?;
        table.check_rows("tune_rows", task.tune_rows)?;
        if task.train_rows.is_empty() {
            return Err(PluginError::data("train_rows is empty, expected at least one row"));
        }
        // Other rows may have any label, NaN included, because a fit must not read them.
        let mut rows = task.train_rows.iter().chain(task.tune_rows);
        if let Some(row) = rows.find(|&&row| !matches!(task.label[row as usize], 0.0 | 1.0)) {
            let found = task.label[*row as usize];
            return Err(PluginError::data(format!(
                "row {row} has label {found}, expected 0 or 1 in train_rows and tune_rows"
            )));
        }
        Ok(task)
    }

    /// Checks that a base score is finite in the rows of the task.
    ///
    /// # Errors
    /// [`code::DATA`](crate::code::DATA) if it is not. The message names the first such row.
    pub(crate) fn check_base_score(&self, base_score: &[f32]) -> Result<()> {
        let mut rows = self.train_rows.iter().chain(self.tune_rows);
        match rows.find(|&&row| !base_score[row as usize].is_finite()) {
            None => Ok(()),
            Some(&row) => {
                let found = base_score[row as usize];
                Err(PluginError::data(format!(
                    "row {row} has base score {found}, expected a finite number in train_rows and tune_rows"
                )))
            }
        }
    }

    /// Returns the labels of `train_rows`, in the order of the rows.
    pub fn train_labels(&self) -> impl Iterator<Item = f32> + 'a {
        let label = self.label;
        self.train_rows.iter().map(move |&row| label[row as usize])
    }

    /// Returns the number of rows of class 1 in `train_rows`.
    pub fn n_positives(&self) -> usize {
        self.train_labels().filter(|label| *label == 1.0).count()
    }

    /// Checks that `train_rows` contains both classes.
    ///
    /// # Errors
    /// [`code::DATA`](crate::code::DATA) if all rows have the same class. The message names this
    /// class.
    pub fn needs_both_classes(&self) -> Result<()> {
        let n_positives = self.n_positives();
        let n_rows = self.train_rows.len();
        if n_positives == 0 || n_positives == n_rows {
            let class = u32::from(n_positives > 0);
            return Err(PluginError::data(format!(
                "all {n_rows} training rows are of class {class}, expected both classes"
            )));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code;

    #[test]
    fn training_rows_of_one_class_are_rejected_with_the_class() {
        let task = |label| Task { label, train_rows: &[0, 2], tune_rows: &[], seed: 1, threads: 1, device: "auto" };
        assert_eq!(task(&[1.0, 0.0, 0.0]).needs_both_classes(), Ok(()));
        let error = task(&[1.0, 0.0, 1.0]).needs_both_classes().unwrap_err();
        let expected = "all 2 training rows are of class 1, expected both classes";
        assert_eq!((error.code, error.message.as_str()), (code::DATA, expected));
        assert_eq!(task(&[0.0, 1.0, 0.0]).needs_both_classes().unwrap_err().code, code::DATA);
    }
}
