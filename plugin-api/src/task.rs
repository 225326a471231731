//! What to learn, as an author sees it.

use crate::table::as_slice;
use crate::{PluginError, Result, Table, abi};

/// Labels, and the rows that may be learnt from.
#[derive(Clone, Copy)]
pub struct Task<'a> {
    /// One a row of the table: 0, 1, or NaN where there is none. Never NaN on `train_rows` and `tune_rows`.
    pub label: &'a [f32],
    /// Ascending rows to fit on.
    pub train_rows: &'a [u32],
    /// Ascending rows for early stopping, later than `train_rows`; may be empty.
    pub tune_rows: &'a [u32],
    /// Where all randomness of the fit starts.
    pub seed: u64,
    /// Threads that the fit may use, at least 1. Must not change the model.
    pub threads: usize,
    /// Device to fit on, one of the manifest's, or `auto`.
    pub device: &'a str,
}

impl<'a> Task<'a> {
    /// Checks what crossed the boundary against its table.
    ///
    /// # Errors
    /// [`code::DATA`](crate::code::DATA) for lists that do not ascend within the table, labels other than 0 and 1 on
    /// rows to learn from, or no rows at all.
    pub fn new(raw: &abi::Task<'a>, table: &Table<'_>) -> Result<Self> {
        let task = Self {
            label: as_slice(raw.label),
            train_rows: as_slice(raw.train_rows),
            tune_rows: as_slice(raw.tune_rows),
            seed: raw.seed,
            threads: raw.threads.max(1) as usize,
            device: raw.device.as_str(),
        };
        if task.label.len() != table.n_rows() {
            let n_labels = task.label.len();
            let n_rows = table.n_rows();
            return Err(PluginError::data(format!("found {n_labels} labels for {n_rows} rows")));
        }
        table.check_rows("train_rows", task.train_rows)?;
        table.check_rows("tune_rows", task.tune_rows)?;
        if task.train_rows.is_empty() {
            return Err(PluginError::data("no rows to train on"));
        }
        let mut rows = task.train_rows.iter().chain(task.tune_rows);
        if let Some(row) = rows.find(|&&row| !matches!(task.label[row as usize], 0.0 | 1.0)) {
            let found = task.label[*row as usize];
            return Err(PluginError::data(format!("row {row} is to be learnt from and has label {found}, not 0 or 1")));
        }
        Ok(task)
    }

    /// The labels of the rows to train on, in their order.
    pub fn train_labels(&self) -> impl Iterator<Item = f32> + 'a {
        let label = self.label;
        self.train_rows.iter().map(move |&row| label[row as usize])
    }

    /// Rows of class 1 among the rows to train on.
    pub fn n_positives(&self) -> usize {
        self.train_labels().filter(|label| *label == 1.0).count()
    }

    /// Refuses training rows of one class only, for families that cannot learn from them.
    ///
    /// # Errors
    /// [`code::DATA`](crate::code::DATA), naming the class.
    pub fn needs_both_classes(&self) -> Result<()> {
        let n_positives = self.n_positives();
        let n_rows = self.train_rows.len();
        if n_positives == 0 || n_positives == n_rows {
            let class = u32::from(n_positives > 0);
            return Err(PluginError::data(format!("all {n_rows} training rows are of class {class}; needs both")));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code;

    #[test]
    fn training_rows_of_one_class_are_refused_with_the_class() {
        let task = |label| Task { label, train_rows: &[0, 2], tune_rows: &[], seed: 1, threads: 1, device: "auto" };
        assert_eq!(task(&[1.0, 0.0, 0.0]).needs_both_classes(), Ok(()));
        let error = task(&[1.0, 0.0, 1.0]).needs_both_classes().unwrap_err();
        let needed = "all 2 training rows are of class 1; needs both";
        assert_eq!((error.code, error.message.as_str()), (code::DATA, needed));
        assert_eq!(task(&[0.0, 1.0, 0.0]).needs_both_classes().unwrap_err().code, code::DATA);
    }
}
