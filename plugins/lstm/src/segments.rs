//! Which rows an update reads: places of labels, the rows run before them, and in what order.
//!
//! A segment is run from zeros over `stored` rows without a gradient (once an epoch, many segments
//! at a time), then over `burn_in` rows with a gradient but without labels, then over `label_steps`
//! rows whose labels count. The last of them sees `stored + burn_in + label_steps =
//! sequence_length` rows; nothing before them. A window with one label is the case of one label
//! step and nothing stored, so both trainings are one.
//!
//! Invariant: all rows of a segment are rows of one symbol without holes, and none is after the last row to learn from.

use crate::params::{Settings, Training};

/// How long the parts of a segment are, and how many segments an update reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    /// Rows run without a gradient.
    pub(crate) stored: usize,
    /// Rows run with a gradient, before the labels.
    pub(crate) burn_in: usize,
    /// Rows whose labels count.
    pub(crate) label_steps: usize,
    /// Segments an update.
    pub(crate) n_segments: usize,
}

impl Plan {
    /// All plans that the epochs of a fit draw from; more than one for mixed burn-ins.
    pub(crate) fn all(settings: &Settings) -> Vec<Self> {
        let length = settings.sequence_length;
        let batch_size = settings.batch_size;
        match settings.training {
            Training::Windowed => {
                vec![Self { stored: 0, burn_in: length - 1, label_steps: 1, n_segments: batch_size }]
            }
            Training::Segments { label_steps, burn_in, mixed } => {
                // Short windows keep two thirds for the run-up: a label that sees next to nothing
                // teaches next to nothing.
                let label_steps = label_steps.min(length / 3).max(1);
                let plan = |burn_in: usize| {
                    let burn_in = burn_in.min(length - label_steps);
                    let stored = length - label_steps - burn_in;
                    Self { stored, burn_in, label_steps, n_segments: batch_size.div_ceil(label_steps) }
                };
                if mixed { [burn_in / 2, burn_in, 2 * burn_in].map(plan).to_vec() } else { vec![plan(burn_in)] }
            }
        }
    }

    /// Rows run with a gradient.
    pub(crate) fn n_steps(&self) -> usize {
        self.burn_in + self.label_steps
    }

    /// The same rows, all run from zeros in one go, for a pass without a gradient.
    pub(crate) fn in_one_go(self) -> Self {
        Self { stored: 0, burn_in: self.stored + self.burn_in, ..self }
    }
}

/// Rows without a hole of one symbol between which labels lie, ends included. There is history for all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    first: usize,
    last: usize,
}

/// Labels of the rows to learn from, and where they lie.
pub(crate) struct Labels {
    /// One a row of the table; NaN for rows that are not to be learnt from.
    label: Vec<f32>,
    spans: Vec<Span>,
}

/// Some neighbouring labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Segment {
    /// The first row whose label may count.
    first: usize,
    /// The last row of the span: what lies behind is not read.
    last: usize,
}

impl Labels {
    /// Sorts out where the labels of `rows` lie; `history` as in [`Sequences`](crate::Sequences),
    /// enough for each of `rows`.
    pub(crate) fn new(rows: &[u32], label: &[f32], history: &[u32]) -> Self {
        let mut own = vec![f32::NAN; label.len()];
        let mut spans: Vec<Span> = Vec::new();
        for row in rows.iter().map(|&row| row as usize) {
            own[row] = label[row];
            // A row extends the previous span if its history reaches back to it.
            match spans.last_mut().filter(|span| history[row] as usize > row - span.last) {
                Some(span) => span.last = row,
                None => spans.push(Span { first: row, last: row }),
            }
        }
        Self { label: own, spans }
    }

    /// All segments of a plan that have a label, the first of a span `offset < label_steps` rows before its labels.
    pub(crate) fn segments(&self, plan: &Plan, offset: usize) -> Vec<Segment> {
        let of_span = |span: &Span| {
            let last = span.last;
            (span.first - offset..=last).step_by(plan.label_steps).map(move |first| Segment { first, last })
        };
        let segments = self.spans.iter().flat_map(of_span);
        segments.filter(|segment| (0..plan.label_steps).any(|step| self.at(segment, step).is_some())).collect()
    }

    /// Places among `n_steps × segments` outputs that have a label, and these labels.
    pub(crate) fn labelled(&self, plan: &Plan, segments: &[Segment]) -> (Vec<i64>, Vec<f32>) {
        let steps = (0..plan.label_steps).flat_map(|step| (0..segments.len()).map(move |idx| (step, idx)));
        let place = |step, idx| ((plan.burn_in + step) * segments.len() + idx) as i64;
        steps.filter_map(|(step, idx)| Some((place(step, idx), self.at(&segments[idx], step)?))).unzip()
    }

    fn at(&self, segment: &Segment, step: usize) -> Option<f32> {
        let row = segment.first + step;
        (row <= segment.last).then(|| self.label[row]).filter(|label| !label.is_nan())
    }
}

/// Rows that segments read, step by step, from `n_before` rows before their labels on; behind its span a segment
/// repeats the last row, whose outputs there count for nothing.
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
        Plan::all(&Settings::from_json(&format!(r#"{{"sequence_length": {length}{more}}}"#)))
    }

    #[test]
    fn the_last_label_of_a_segment_sees_exactly_the_sequence() {
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
    fn every_label_is_in_one_segment_whatever_the_offset() {
        // Two symbols of 40 rows, a hole at row 60; labels here and there.
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
            let (places, found) = labels.labelled(&plan, &segments);
            let read = super::rows(&segments, plan.burn_in, plan.n_steps());
            let mut at: Vec<u32> = places.iter().map(|&place| read[place as usize] as u32).collect();
            assert!(at.iter().zip(&found).all(|(&row, &found)| label[row as usize] == found));
            at.sort_unstable();
            assert_eq!(at, rows, "offset {offset}");
        }
    }

    #[test]
    fn a_segment_reads_nothing_behind_its_labels_or_before_its_history() {
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
