//! Helpers for the tests and examples of several plugins: golden tables as CSV, the AUC of scores,
//! and timings.

use std::panic::resume_unwind;
use std::time::{Duration, Instant};

use oculus_plugin_api::testing::{Frame, Harness, Listener, Noise};
use oculus_plugin_api::{PluginError, Result, Task};

/// Reads a table of one symbol from CSV: a line of feature names, then one line of numbers per row.
///
/// # Errors
/// Returns [`code::DATA`](oculus_plugin_api::code::DATA) if the text is empty, a field is not a
/// number, or the lines have different numbers of fields.
pub fn frame_from_csv(text: &'static str) -> Result<Frame> {
    let mut lines = text.lines();
    let names: Vec<&str> = lines.next().ok_or_else(|| PluginError::data("the CSV is empty"))?.split(',').collect();
    let mut columns = vec![Vec::new(); names.len()];
    for line in lines {
        let fields: Vec<&str> = line.split(',').collect();
        if fields.len() != names.len() {
            return Err(PluginError::data(format!("found {line:?}, expected {} numbers", names.len())));
        }
        for (column, field) in columns.iter_mut().zip(fields) {
            let value = field
                .parse::<f32>()
                .map_err(|error| PluginError::data(format!("invalid number {field:?}: {error}")))?;
            column.push(value);
        }
    }
    let n_rows = columns[0].len() as u32;
    let frame = Frame::new(1, n_rows);
    Ok(names.into_iter().zip(columns).fold(frame, |frame, (name, column)| frame.column(name, column)))
}

/// Writes rows of a table as CSV for [`frame_from_csv`]. Numbers have enough digits to be read back
/// exactly.
pub fn csv_from_columns(names: &[&str], columns: &[Vec<f32>], rows: impl IntoIterator<Item = usize>) -> String {
    let mut csv = names.join(",") + "\n";
    for row in rows {
        let values: Vec<_> = columns.iter().map(|column| column[row].to_string()).collect();
        csv += &(values.join(",") + "\n");
    }
    csv
}

/// Computes the area under the ROC curve: among all pairs of a positive and a negative row, the
/// share that the scores order correctly. A tie counts as one half. Returns NaN if there is no
/// pair. The formula is that of the rank-sum test (Mann and Whitney 1947).
pub fn auc(scores: &[f32], label: &[f32]) -> f64 {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|&a, &b| scores[a].total_cmp(&scores[b]));
    let mut rank_sum = 0.0;
    let mut n_before = 0;
    for tie in order.chunk_by(|&a, &b| scores[a] == scores[b]) {
        let rank = n_before as f64 + (tie.len() + 1) as f64 / 2.0;
        rank_sum += rank * tie.iter().filter(|&&row| label[row] == 1.0).count() as f64;
        n_before += tie.len();
    }
    let n_positives = label.iter().filter(|&&label| label == 1.0).count() as f64;
    (rank_sum - n_positives * (n_positives + 1.0) / 2.0) / (n_positives * (label.len() as f64 - n_positives))
}

/// Prints four times of a family on a table of noise: preparing the table, one fit, fits in four
/// concurrent threads, and predicting the rows. An untimed fit comes first, because the first fit
/// also loads code and allocates memory.
///
/// * `hyperparameters`: a JSON object of the family's parameters.
///
/// # Errors
/// Returns the family's error if preparing, fitting or predicting fails.
pub fn print_times(family: &Harness, n_rows: u32, n_features: u32, hyperparameters: &str) -> Result<()> {
    let mut noise = Noise::new(1);
    let mut column = || (0..n_rows).map(|_| noise.unit_f32()).collect::<Vec<_>>();
    let label: Vec<f32> = column().into_iter().map(|value| f32::from(value > 0.7)).collect();
    // A frame requires static names. The leak is small, and the program terminates soon.
    let name = |idx: u32| -> &'static str { format!("F_{idx}").leak() };
    let frame = (0..n_features).fold(Frame::new(1, n_rows), |frame, idx| frame.column(name(idx), column()));
    let rows: Vec<u32> = (0..n_rows).collect();

    let (prepared, elapsed) = timed(|| family.prepare(&frame, &rows));
    let prepared = prepared?;
    println!("prepare          {elapsed:?}");
    let fit = &|seed| {
        let task = Task { label: &label, train_rows: &rows, tune_rows: &[], seed, threads: 1, device: "cpu" };
        prepared.fit(&task, hyperparameters, &Listener::default())
    };
    fit(0)?;
    let (model, elapsed) = timed(|| fit(1));
    let model = model?;
    println!("fit              {elapsed:?}");
    let (fits, elapsed): (Result<Vec<()>>, _) = timed(|| {
        std::thread::scope(|scope| {
            let threads: Vec<_> = (2..6).map(|seed| scope.spawn(move || fit(seed).map(drop))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic))).collect()
        })
    });
    fits?;
    println!("4 concurrent     {elapsed:?}");
    let (scores, elapsed) = timed(|| model.predict(&frame, &rows));
    println!("predict {} rows {elapsed:?}", scores?.len());
    Ok(())
}

/// Runs `work` and measures its time.
fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    let result = work();
    (result, start.elapsed())
}

#[cfg(test)]
mod tests {
    use oculus_plugin_api::{Table, code};

    use super::*;

    #[test]
    fn auc_is_the_share_of_ordered_pairs_with_ties_as_half() {
        assert_eq!(auc(&[0.1, 0.4, 0.3, 0.8], &[0.0, 0.0, 1.0, 1.0]), 0.75);
        assert_eq!(auc(&[0.5, 0.5], &[0.0, 1.0]), 0.5);
        assert_eq!(auc(&[0.9, 0.1], &[0.0, 1.0]), 0.0);
        assert!(auc(&[0.9, 0.1], &[1.0, 1.0]).is_nan());
    }

    #[test]
    fn a_table_is_read_back_from_csv_bit_by_bit() {
        let columns = [vec![0.1, 0.2, 0.3], vec![f32::MIN_POSITIVE, -1.5, 7.0]];
        let csv = csv_from_columns(&["A", "B"], &columns, 1..3);
        let frame = frame_from_csv(csv.leak()).unwrap();
        let table = Table::new(frame.table()).unwrap();
        assert_eq!((table.name(0), table.name(1)), ("A", "B"));
        assert_eq!([table.column(0), table.column(1)], [&columns[0][1..], &columns[1][1..]]);
    }

    #[test]
    fn csv_that_is_not_a_table_is_rejected() {
        for text in ["", "A,B\n1,x\n", "A,B\n1\n"] {
            assert_eq!(frame_from_csv(text).err().unwrap().code, code::DATA, "{text:?}");
        }
    }
}
