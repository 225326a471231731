//! Warnings about values of a job that are valid but probably given in another unit.
//!
//! In: a valid [`Job`]. Out: warnings. The checks need no bars; the pipeline compares the label
//! thresholds with the bars.

use super::job::Job;
use crate::warning::{Warning, WarningCode};

/// A smaller cost than any broker charges, in basis points.
const SMALL_COST_BPS: f64 = 0.1;
/// Basis points per 1, and per percent.
const BPS: f64 = 10_000.0;
const BPS_PER_PERCENT: f64 = 100.0;

impl Job {
    /// Returns the warnings about values that are probably given in another unit.
    pub fn unit_warnings(&self) -> Vec<Warning> {
        let cost = self.design.cost_bps;
        if cost == 0.0 || cost >= SMALL_COST_BPS {
            return Vec::new();
        }
        // The rounding removes the error of the multiplication.
        let rounded = |value: f64| (value * 1e6).round() / 1e6;
        let message = format!(
            "design.cost_bps: found {cost}, which are basis points (hundredths of a percent). If it is a percentage, write \
             {}, and if it is a share, write {}",
            rounded(cost * BPS_PER_PERCENT),
            rounded(cost * BPS)
        );
        vec![Warning::new(WarningCode::UnitSuspected, message)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cost_below_a_tenth_of_a_basis_point_is_probably_a_percentage_or_a_share() {
        let warnings = |cost: &str| {
            let job = format!(r#"{{"build_id": "b", "symbols": ["A"], "design": {{"cost_bps": {cost}}}}}"#);
            Job::parse(&job).unwrap().unit_warnings()
        };
        for cost in ["0", "0.1", "5"] {
            assert_eq!(warnings(cost), [], "{cost}");
        }
        let warning = warnings("0.0007").remove(0);
        assert_eq!(warning.code, WarningCode::UnitSuspected);
        assert!(warning.message.ends_with("write 0.07, and if it is a share, write 7"), "{}", warning.message);
    }
}
