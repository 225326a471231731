//! Decides which rows are signals: rows whose score is high among the scores of the dates before.
//!
//! In: standardised scores and dates. Out: one flag per row. A fixed threshold does not transfer:
//! the level of the scores moves with the market, and in a third of two-year jobs the flagged share
//! differed from the base rate by more than 0.3. The threshold of a date is therefore the quantile
//! of the scores of the 252 dates before it, at the base rate of the development period. Invariant:
//! the flag of a row depends on earlier dates and on its own score only.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Number of dates whose scores determine a threshold: about a year.
const WINDOW_DATES: usize = 252;
/// Smallest number of scores that determine a threshold.
const MIN_SCORES: usize = 20;

/// The rule that flags rows, with the scores of the development period that it starts from.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SignalRule {
    /// Share of rows to flag: the base rate of the development period.
    pub base_rate: f64,
    /// Session dates of the scores before the test period, ascending, days since 1970-01-01.
    pub days: Vec<i32>,
    /// Out-of-fold scores of these dates in deviations, one per entry of `days`.
    pub scores: Vec<f32>,
}

impl SignalRule {
    /// Returns the rule of a family with the out-of-fold scores of its last 252 dates.
    ///
    /// * `day`, `standard_scores`: one entry per row of the table; rows with a NaN score are left out.
    pub(super) fn new(base_rate: f64, day: &[i32], standard_scores: &[f32]) -> Self {
        let scored = standard_scores.iter().zip(day).filter(|(score, _)| score.is_finite());
        let mut scored: Vec<(i32, f32)> = scored.map(|(&score, &day)| (day, score)).collect();
        // The sort is stable, so the order of rows within a date is fixed.
        scored.sort_by_key(|(day, _)| *day);
        let mut dates: Vec<i32> = scored.iter().map(|(day, _)| *day).collect();
        dates.dedup();
        let first = dates.get(dates.len().saturating_sub(WINDOW_DATES)).copied().unwrap_or_default();
        let (days, scores) = scored.into_iter().filter(|(day, _)| *day >= first).unzip();
        Self { base_rate, days, scores }
    }

    /// Flags rows after the development period, in any order.
    ///
    /// Returns `None` for a row without a score, or if fewer than 20 scores precede its date.
    ///
    /// * `days`, `standard_scores`: one entry per row, in deviations of the final model.
    /// * `of_job`: one entry per row: whether its symbol is one of the job's. Only these rows
    ///   determine thresholds, so the flag of a row does not depend on other symbols.
    pub fn flags(&self, days: &[i32], standard_scores: &[f32], of_job: &[bool]) -> Vec<Option<bool>> {
        let mut by_date: BTreeMap<i32, Vec<f32>> = BTreeMap::new();
        let history = self.days.iter().zip(&self.scores);
        let later = days.iter().zip(standard_scores).zip(of_job).filter(|(_, of_job)| **of_job).map(|(row, _)| row);
        for (&day, &score) in history.chain(later).filter(|(_, score)| score.is_finite()) {
            by_date.entry(day).or_default().push(score);
        }
        let mut dates = days.to_vec();
        dates.sort_unstable();
        dates.dedup();
        let threshold = |&day: &i32| Some((day, self.threshold(&by_date, day)?));
        let thresholds: BTreeMap<i32, f32> = dates.iter().filter_map(threshold).collect();
        let flag = |(day, score): (&i32, &f32)| {
            let threshold = thresholds.get(day)?;
            score.is_finite().then_some(score >= threshold)
        };
        days.iter().zip(standard_scores).map(flag).collect()
    }

    /// Returns the threshold of a date from the scores of the dates before it.
    fn threshold(&self, by_date: &BTreeMap<i32, Vec<f32>>, day: i32) -> Option<f32> {
        let before = by_date.range(..day).rev().take(WINDOW_DATES);
        let mut scores: Vec<f32> = before.flat_map(|(_, scores)| scores.iter().copied()).collect();
        if scores.len() < MIN_SCORES {
            return None;
        }
        scores.sort_by(|a, b| b.total_cmp(a));
        let n_flagged = (self.base_rate * scores.len() as f64).round() as usize;
        // At least one score of the window reaches the threshold.
        scores.get(n_flagged.max(1) - 1).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flagged_share_of_a_drifting_score_stays_near_the_base_rate() {
        // Scores rise by one deviation per 100 dates, and alternate by ±1 within.
        let score = |day: i32| day as f32 / 100.0 + [(-1.0), 1.0, 0.5, -0.5][day as usize % 4];
        let days: Vec<i32> = (0..400).collect();
        let scores: Vec<f32> = days.iter().map(|&day| score(day)).collect();
        let rule = SignalRule::new(0.25, &days, &scores);
        let later: Vec<i32> = (400..600).collect();
        let flags = rule.flags(&later, &later.iter().map(|&day| score(day)).collect::<Vec<_>>(), &[true; 200]);
        let n_flagged = flags.iter().filter(|flag| **flag == Some(true)).count();
        assert!((30..=150).contains(&n_flagged), "{n_flagged} of 200");
    }

    #[test]
    fn a_flag_depends_on_earlier_dates_and_its_own_score_only() {
        let days: Vec<i32> = (0..300).collect();
        let scores: Vec<f32> = days.iter().map(|&day| ((day * 37) % 101) as f32).collect();
        let rule = SignalRule::new(0.3, &days[..200], &scores[..200]);
        let whole = rule.flags(&days[200..], &scores[200..], &[true; 100]);
        for end in [201, 250, 299] {
            assert_eq!(rule.flags(&days[200..end], &scores[200..end], &[true; 100]), whole[..end - 200]);
        }
        // Rows of another symbol have flags, and change none of the others.
        let both: Vec<i32> = [&days[200..], &days[200..]].concat();
        let foreign: Vec<f32> = scores[200..].iter().copied().chain([1e6; 100]).collect();
        let of_job: Vec<bool> = (0..200).map(|row| row < 100).collect();
        let found = rule.flags(&both, &foreign, &of_job);
        assert_eq!((&found[..100], &found[100..]), (&whole[..], &[Some(true); 100][..]));
        assert_eq!(rule.days.first(), Some(&0));
    }

    #[test]
    fn the_rule_keeps_the_scores_of_the_last_252_dates() {
        let days: Vec<i32> = (0..400).flat_map(|day| [day, day]).collect();
        let rule = SignalRule::new(0.3, &days, &vec![1.0; 800]);
        assert_eq!((rule.days.first(), rule.days.len()), (Some(&148), 504));
    }

    #[test]
    fn too_few_earlier_scores_and_missing_scores_have_no_flag() {
        let rule = SignalRule::new(0.3, &[0; 19], &[1.0; 19]);
        assert_eq!(rule.flags(&[1, 2], &[1.0, f32::NAN], &[true; 2]), [None, None]);
        let rule = SignalRule::new(0.3, &[0; 20], &[1.0; 20]);
        assert_eq!(rule.flags(&[1, 1], &[1.0, 0.0], &[true; 2]), [Some(true), Some(false)]);
    }
}
