//! Determines the rows that an update reads: rows with labels, and the rows before them, in order.
//!
//! The network runs over a segment in three parts:
//!
//! 1. `stored` rows, from a state of zeros and without a gradient; this part runs once per epoch,
//!    for many segments at once;
//! 2. `burn_in` rows with a gradient, but without labels;
//! 3. `label_steps` rows whose labels contribute to the loss.
//!
//! The output for the last label depends on exactly
//! `stored + burn_in + label_steps = sequence_length` rows. Windowed training is the special case
//! of one label step and no stored rows, so both schemes share this code.
//!
//! Invariant: all rows of a segment belong to one symbol and have no missing values. No row is
//! after the last training row.

use crate::params::{Settings, Training};

/// The lengths of the parts of a segment, and the number of segments per update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    /// Number of rows that are read without a gradient, before the burn-in.
    pub(crate) stored: usize,
    /// Number of rows that are read with a gradient, before the rows with labels.
    pub(crate) burn_in: usize,
    /// Number of rows whose labels contribute to the loss.
    pub(crate) label_steps: usize,
    /// Segments per update.
    pub(crate) n_segments: usize,
}

impl Plan {
    /// Returns the possible plans. Each epoch draws one of them. Only mixed burn-ins have several
    /// plans.
    pub(crate) fn from_settings(settings: &Settings) -> Vec<Self> {
        let length = settings.sequence_length;
        let batch_size = settings.batch_size;
        match settings.training {
            Training::Windowed => {
                vec![Self { stored: 0, burn_in: length - 1, label_steps: 1, n_segments: batch_size }]
            }
            Training::Segments { label_steps, burn_in, mixed } => {
                // At least two thirds of the rows precede the labels, because a label with almost
                // no rows before it contributes almost nothing to training.
                let label_steps = label_steps.min(length / 3).max(1);
                let plan = |burn_in: usize| {
                    // If the sequence is short, only the burn-in is shortened; the number of label
                    // steps stays.
                    let burn_in = burn_in.min(length - label_steps);
                    let stored = length - label_steps - burn_in;
                    // `batch_size` is a number of labels, so that an update has about the same
                    // number of labels in both schemes.
                    Self { stored, burn_in, label_steps, n_segments: batch_size.div_ceil(label_steps) }
                };
                if mixed { [burn_in / 2, burn_in, 2 * burn_in].map(plan).to_vec() } else { vec![plan(burn_in)] }
            }
        }
    }

    /// Returns the number of rows that are read with a gradient.
    pub(crate) fn n_steps(&self) -> usize {
        self.burn_in + self.label_steps
    }

    /// Converts the stored rows to burn-in rows. A pass without a gradient can then read all rows
    /// in one run from zeros.
    pub(crate) fn without_stored(self) -> Self {
        Self { stored: 0, burn_in: self.stored + self.burn_in, ..self }
    }
}

/// Consecutive rows of one symbol without missing values: all rows from the first label to the
/// last, both inclusive. Every labelled row of the span has enough history for a complete sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    first: usize,
    last: usize,
}

/// Labels of the training rows, and the spans that contain them.
pub(crate) struct Labels {
    /// One value per row of the table: the label of a selected row, or NaN for any other row.
    label: Vec<f32>,
    spans: Vec<Span>,
}

/// Consecutive rows with labels, at most `label_steps`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Segment {
    /// The first row that can have a label.
    first: usize,
    /// The last row of the span; later rows are not read.
    last: usize,
}

impl Labels {
    /// Groups the labels of `rows` into spans.
    ///
    /// * `history`: for each row of the table, the number of usable rows up to it, as in
    ///   [`Sequences`](crate::Sequences). For each of `rows`, it must be at least the length of a
    ///   sequence.
    pub(crate) fn new(rows: &[u32], label: &[f32], history: &[u32]) -> Self {
        let mut selected = vec![f32::NAN; label.len()];
        let mut spans: Vec<Span> = Vec::new();
        for row in rows.iter().map(|&row| row as usize) {
            selected[row] = label[row];
            // A row extends the previous span if the row's history reaches back to that span.
            match spans.last_mut().filter(|span| history[row] as usize > row - span.last) {
                Some(span) => span.last = row,
                None => spans.push(Span { first: row, last: row }),
            }
        }
        Self { label: selected, spans }
    }

    /// Returns all segments of a plan that have a label.
    ///
    /// * `offset`: the distance, in rows, from the start of the first segment of a span to the
    ///   first label of the span. It is below `label_steps`.
    pub(crate) fn segments(&self, plan: &Plan, offset: usize) -> Vec<Segment> {
        let span_segments = |span: &Span| {
            let last = span.last;
            // The subtraction does not underflow: a labelled row has the history of a complete
            // sequence, which is longer than any offset.
            (span.first - offset..=last).step_by(plan.label_steps).map(move |first| Segment { first, last })
        };
        let segments = self.spans.iter().flat_map(span_segments);
        segments.filter(|segment| (0..plan.label_steps).any(|step| self.at(segment, step).is_some())).collect()
    }

    /// Returns the positions of the labelled outputs among all `n_steps × segments` outputs, and
    /// their labels.
    pub(crate) fn labelled(&self, plan: &Plan, segments: &[Segment]) -> (Vec<i64>, Vec<f32>) {
        let steps = (0..plan.label_steps).flat_map(|step| (0..segments.len()).map(move |idx| (step, idx)));
        let position = |step, idx| ((plan.burn_in + step) * segments.len() + idx) as i64;
        steps.filter_map(|(step, idx)| Some((position(step, idx), self.at(&segments[idx], step)?))).unzip()
    }

    /// Returns the label of one row of a segment, if it has one.
    fn at(&self, segment: &Segment, step: usize) -> Option<f32> {
        let row = segment.first + step;
        (row <= segment.last).then(|| self.label[row]).filter(|label| !label.is_nan())
    }
}

/// Returns the rows that segments read, step by step. A segment starts to read `n_before` rows
/// before its labels.
///
/// A segment that is longer than its span repeats the last row, because all segments of a batch
/// need equal lengths. The outputs for the repeated rows are not used.
pub(crate) fn rows(segments: &[Segment], n_before: usize, n_steps: usize) -> Vec<i64> {
    let row = |segment: &Segment, step: usize| (segment.first + step - n_before).min(segment.last) as i64;
    (0..n_steps).flat_map(|step| segments.iter().map(move |segment| row(segment, step))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(stored: usize, burn_in: usize, label_steps: usize) -> Plan {
        Plan { stored, burn_in, label_steps, n_segments: 4 }
    }

    fn plans(length: usize, more: &str) -> Vec<Plan> {
        Plan::from_settings(&Settings::from_json(&format!(r#"{{"sequence_length": {length}{more}}}"#)))
    }

    #[test]
    fn the_last_label_of_a_segment_reads_exactly_the_sequence_length() {
        for length in [1, 2, 3, 5, 29, 30, 31, 100, 400] {
            for more in ["", r#", "mixed_burn_in": true"#, r#", "training": "windowed""#] {
                for plan in plans(length, more) {
                    assert_eq!(plan.stored + plan.n_steps(), length, "{plan:?}");
                    assert!(plan.label_steps * plan.n_segments >= 32 && plan.label_steps >= 1, "{plan:?}");
                }
            }
        }
        assert_eq!(plans(100, ""), [plan(70, 20, 10)]);
        assert_eq!(plans(1, ""), plans(1, r#", "training": "windowed""#));
    }

    #[test]
    fn every_label_is_in_exactly_one_segment_for_every_offset() {
        // Two symbols of 40 rows, with a missing value at row 60 and labels on some rows.
        let history: Vec<u32> = (0..80)
            .map(|row| {
                if row < 40 {
                    row + 1
                } else if row <= 60 {
                    row - 40
                } else {
                    row - 60
                }
            })
            .collect();
        let rows: Vec<u32> = (9..40).chain(52..59).chain(75..80).filter(|row| row % 7 != 0).collect();
        let label: Vec<f32> = (0..80).map(|row| f32::from(row % 2 == 0)).collect();
        let labels = Labels::new(&rows, &label, &history);
        assert_eq!(labels.spans.len(), 3);
        let plan = plan(2, 4, 4);
        for offset in 0..4 {
            let segments = labels.segments(&plan, offset);
            let (positions, found) = labels.labelled(&plan, &segments);
            let read = super::rows(&segments, plan.burn_in, plan.n_steps());
            let mut label_rows: Vec<u32> = positions.iter().map(|&position| read[position as usize] as u32).collect();
            assert!(label_rows.iter().zip(&found).all(|(&row, &found)| label[row as usize] == found));
            label_rows.sort_unstable();
            assert_eq!(label_rows, rows, "offset {offset}");
        }
    }

    #[test]
    fn a_segment_reads_no_row_after_its_labels_or_before_its_history() {
        let history: Vec<u32> = (1..=30).collect();
        let rows: Vec<u32> = (9..23).collect();
        let labels = Labels::new(&rows, &[1.0; 30], &history);
        let plan = plan(3, 4, 3);
        for offset in 0..3 {
            let segments = labels.segments(&plan, offset);
            let read = super::rows(&segments, plan.stored + plan.burn_in, plan.stored + plan.n_steps());
            assert_eq!((read.iter().max(), read.iter().min()), (Some(&22), Some(&(2 - offset as i64))));
        }
    }
}
