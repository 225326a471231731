//! Reads the predictions of an artifact, and recomputes figures from them.

use std::fs;
use std::path::Path;

/// A line of `predictions.csv`, as text.
#[derive(Clone, Debug)]
pub struct ScoredRow {
    /// Symbol and date, as in `AAPL,2024-01-15`.
    pub bar: String,
    /// Id of the plugin.
    pub family: String,
    /// Role of the row: `validation` or `test`.
    pub set: String,
    /// Number of the fold, for validation rows.
    pub fold: String,
    /// Score of the model.
    pub score: String,
    /// Score in deviations of the model's scores.
    pub standard_score: String,
    /// Calibrated probability.
    pub probability: String,
    /// Whether the row is a signal.
    pub signal: String,
    /// The label: `0` or `1`.
    pub label: String,
    /// The part of the standard score that volatility does not explain.
    pub rank_score: String,
}

impl ScoredRow {
    /// Reads a file `predictions.csv`.
    pub fn read(path: &Path) -> Vec<Self> {
        let text = fs::read_to_string(path).unwrap();
        let mut lines = text.lines();
        assert_eq!(
            lines.next(),
            Some("symbol,date,family,set,fold,score,standard_score,probability,signal,label,rank_score")
        );
        lines.map(Self::parse).collect()
    }

    fn parse(line: &str) -> Self {
        let fields: Vec<&str> = line.split(',').collect();
        let [symbol, date, family, set, fold, score, standard_score, probability, signal, label, rank_score] =
            fields[..]
        else {
            panic!("{line}")
        };
        let [family, set, fold, score, standard_score, probability, signal, label, rank_score] =
            [family, set, fold, score, standard_score, probability, signal, label, rank_score].map(str::to_owned);
        let bar = format!("{symbol},{date}");
        Self { bar, family, set, fold, score, standard_score, probability, signal, label, rank_score }
    }

    /// Returns whether the row is positive.
    pub fn is_hit(&self) -> bool {
        self.label == "1"
    }
}

/// Parses a number.
pub fn number(text: &str) -> f64 {
    text.parse().unwrap()
}

/// Computes the area under the ROC curve as the share of pairs in the right order.
pub fn auc(rows: impl Iterator<Item = (f64, bool)>) -> f64 {
    let (hits, misses): (Vec<_>, Vec<_>) = rows.partition(|(_, is_hit)| *is_hit);
    let points = |hit: f64, miss: f64| if hit > miss { 1.0 } else { f64::from(u8::from(hit == miss)) / 2.0 };
    let sum: f64 = hits.iter().map(|hit| misses.iter().map(|miss| points(hit.0, miss.0)).sum::<f64>()).sum();
    sum / (hits.len() * misses.len()) as f64
}

/// Asserts that two lists of figures are equal apart from rounding.
pub fn assert_all_close(found: &[f64], expected: &[f64]) {
    let is_close = |(found, expected): (&f64, &f64)| (found - expected).abs() < 1e-9;
    assert!(found.len() == expected.len() && found.iter().zip(expected).all(is_close), "{found:?}, {expected:?}");
}
