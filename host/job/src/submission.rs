//! Submissions: which designs were tested on which test periods of which symbols.
//!
//! In: nothing. Out: [`Submission`], an entry of a ledger, and [`SubmissionHistory`]. Invariant: a
//! submission contains hashes, months and figures, but nothing of the design itself. The field
//! names must not change, because ledgers contain them for a year.

use serde::{Deserialize, Serialize};

/// The maximum number of submissions in a ledger. At the maximum, the oldest one is removed.
pub const MAX_SUBMISSIONS: usize = 1000;

/// One test of a design on a test period.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Submission {
    /// SHA-256 of the design and its symbols; see
    /// [`Job::design_sha256`](crate::request::Job::design_sha256).
    pub design_sha256: String,
    /// Hashes of the symbols; see [`Job::symbol_hashes`](crate::request::Job::symbol_hashes).
    pub symbols: Vec<String>,
    /// First and last month of the test period, such as `2024-01`; both are inclusive.
    pub test_months: [String; 2],
    /// Start of the job in UTC, such as `2024-01-15T10:30:00`.
    pub at: String,
    /// AUC in the test period, if it is defined.
    pub auc: Option<f64>,
    /// Probability of this AUC by chance, if it is defined.
    pub auc_p: Option<f64>,
    /// Probabilistic Sharpe ratio of the excess in the test period, if it is defined.
    pub probabilistic_sharpe: Option<f64>,
}

impl Submission {
    /// Returns the identity of the submission. Two tests of a design on the same months are one
    /// submission.
    pub fn id(&self) -> String {
        let [from, to] = &self.test_months;
        format!("{}:{from}:{to}", self.design_sha256)
    }

    /// Returns whether both submissions use bars of the same symbol in the same month for the test.
    pub fn overlaps(&self, other: &Self) -> bool {
        let [from, to] = &self.test_months;
        // Months in this format are in order of time if they are in order as text.
        let share_month = *from <= other.test_months[1] && other.test_months[0] <= *to;
        share_month && self.symbols.iter().any(|symbol| other.symbols.contains(symbol))
    }
}

/// The earlier submissions of a user in a timeframe.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SubmissionHistory {
    /// All submissions that the ledger contains.
    Known(Vec<Submission>),
    /// The ledger cannot be read, for this reason.
    Unknown(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn submission(from: &str, to: &str) -> Submission {
        Submission {
            design_sha256: "d".to_owned(),
            symbols: vec!["a1".to_owned(), "b2".to_owned()],
            test_months: [from.to_owned(), to.to_owned()],
            at: "2026-01-01T00:00:00".to_owned(),
            auc: Some(0.1 + 0.2),
            auc_p: None,
            probabilistic_sharpe: Some(0.5),
        }
    }

    #[test]
    fn tests_overlap_if_they_share_a_month_and_a_symbol() {
        let tested = submission("2023-11", "2024-02");
        let overlaps = |from: &str, to: &str| tested.overlaps(&submission(from, to));
        assert!(overlaps("2024-02", "2024-05") && overlaps("2022-01", "2023-11"));
        assert!(overlaps("2023-12", "2024-01") && overlaps("2000-01", "2030-12"));
        assert!(!overlaps("2024-03", "2024-05") && !overlaps("2023-01", "2023-10"));
        let with_symbols = |symbols: [&str; 2]| {
            tested.overlaps(&Submission { symbols: symbols.map(str::to_owned).into(), ..tested.clone() })
        };
        assert!(with_symbols(["b2", "c3"]) && !with_symbols(["c3", "d4"]));
    }

    #[test]
    fn a_submission_is_unchanged_by_json() {
        let tested = submission("2023-11", "2024-02");
        let json = serde_json::to_string(&tested).unwrap();
        assert_eq!(serde_json::from_str::<Submission>(&json).unwrap(), tested);
        assert_eq!(tested.id(), "d:2023-11:2024-02");
    }
}
