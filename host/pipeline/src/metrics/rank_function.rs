//! Ranks of scores as shares: the empirical distribution function, which makes the scores of
//! different models comparable without their scales.
//!
//! In: scores. Out: mid-ranks from 0 to 1, and a [`RankFunction`] that ranks further scores.
//! Invariant: a higher score never has a lower rank, and no label is read.

use serde::{Deserialize, Serialize};

/// Largest number of knots of a [`RankFunction`].
const MAX_KNOTS: usize = 257;

/// The empirical distribution function of some scores, as a line through at most 257 of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RankFunction {
    /// Scores, strictly ascending.
    scores: Vec<f32>,
    /// Mid-ranks of these scores, ascending.
    ranks: Vec<f64>,
}

/// Returns the mid-rank of each score: the share of the scores below it, plus half of the share of
/// the scores equal to it. A NaN score does not count and has the rank NaN.
pub fn mid_ranks(scores: &[f32]) -> Vec<f64> {
    let sorted = sorted(scores);
    scores.iter().map(|&score| if score.is_nan() { f64::NAN } else { mid_rank(&sorted, score) }).collect()
}

impl RankFunction {
    /// Returns the function of some scores. NaN scores are left out.
    ///
    /// A knot has the mid-rank of its score. Up to 257 different scores are all knots, so their ranks
    /// are exact. Of more scores, the knots are the quantiles at equal steps, and the rank of a score
    /// between two knots is between the ranks of the knots.
    pub fn from_scores(scores: &[f32]) -> Self {
        let sorted = sorted(scores);
        let mut knots = sorted.clone();
        // The comparison treats -0 and 0 as equal, as the ranks do.
        knots.dedup();
        if knots.len() > MAX_KNOTS {
            let last = sorted.len() - 1;
            knots = (0..MAX_KNOTS).map(|knot| sorted[knot * last / (MAX_KNOTS - 1)]).collect();
            knots.dedup();
        }
        Self { ranks: knots.iter().map(|&score| mid_rank(&sorted, score)).collect(), scores: knots }
    }

    /// Returns the rank of a score: 0 below the lowest score, 1 above the highest, and NaN for NaN
    /// or without knots.
    pub fn rank(&self, score: f32) -> f64 {
        let (Some(&lowest), Some(&highest)) = (self.scores.first(), self.scores.last()) else { return f64::NAN };
        if score.is_nan() || self.ranks.len() != self.scores.len() {
            return f64::NAN;
        }
        if score < lowest {
            return 0.0;
        }
        if score > highest {
            return 1.0;
        }
        // The score is at least the lowest knot, so `next` is at least 1.
        let next = self.scores.partition_point(|knot| *knot <= score);
        let (from, from_rank) = (self.scores[next - 1], self.ranks[next - 1]);
        let Some((&to, &to_rank)) = self.scores.get(next).zip(self.ranks.get(next)) else { return from_rank };
        let share = (f64::from(score) - f64::from(from)) / (f64::from(to) - f64::from(from));
        from_rank + share * (to_rank - from_rank)
    }
}

/// Returns the scores that are not NaN, ascending.
fn sorted(scores: &[f32]) -> Vec<f32> {
    let mut sorted: Vec<f32> = scores.iter().copied().filter(|score| !score.is_nan()).collect();
    sorted.sort_by(f32::total_cmp);
    sorted
}

/// Returns the mid-rank of a score among sorted scores.
fn mid_rank(sorted: &[f32], score: f32) -> f64 {
    let n_below = sorted.partition_point(|other| *other < score);
    let n_up_to = sorted.partition_point(|other| *other <= score);
    (n_below + n_up_to) as f64 / (2 * sorted.len()) as f64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Computes the mid-rank of a score by counting.
    fn counted(scores: &[f32], score: f32) -> f64 {
        let points = |other: &f32| if *other < score { 1.0 } else { f64::from(u8::from(*other == score)) / 2.0 };
        scores.iter().map(points).sum::<f64>() / scores.len() as f64
    }

    proptest! {
        #[test]
        fn mid_ranks_are_shares_of_lower_and_half_of_equal_scores(
            scores in prop::collection::vec((-20_i8..20).prop_map(|score| f32::from(score) / 4.0), 1..600)
        ) {
            let expected: Vec<f64> = scores.iter().map(|&score| counted(&scores, score)).collect();
            prop_assert_eq!(&mid_ranks(&scores), &expected);
            // At most 40 scores are different, so each of them is a knot.
            let function = RankFunction::from_scores(&scores);
            let ranks: Vec<f64> = scores.iter().map(|&score| function.rank(score)).collect();
            prop_assert_eq!(&ranks, &expected);
        }

        #[test]
        fn the_function_is_near_the_exact_ranks_and_ascends(
            mut scores in prop::collection::vec(-1e3_f32..1e3, 2..2000), others in prop::collection::vec(-2e3_f32..2e3, 50)
        ) {
            scores.sort_by(f32::total_cmp);
            scores.dedup();
            let function = RankFunction::from_scores(&scores);
            prop_assert!(function.scores.len() <= MAX_KNOTS);
            let n = scores.len() as f64;
            for (rank, &score) in mid_ranks(&scores).into_iter().zip(&scores) {
                prop_assert!((function.rank(score) - rank).abs() <= 1.0 / 256.0 + 1.0 / n, "{score}");
            }
            let mut others = others;
            others.sort_by(f32::total_cmp);
            let ranks: Vec<f64> = others.iter().map(|&score| function.rank(score)).collect();
            prop_assert!(ranks.is_sorted() && ranks.iter().all(|rank| (0.0..=1.0).contains(rank)), "{ranks:?}");
        }

        #[test]
        fn a_function_is_unchanged_by_json(scores in prop::collection::vec(-1e3_f32..1e3, 0..400)) {
            let function = RankFunction::from_scores(&scores);
            let json = serde_json::to_string(&function).unwrap();
            prop_assert_eq!(serde_json::from_str::<RankFunction>(&json).unwrap(), function);
        }
    }

    #[test]
    fn few_scores_are_ranked_exactly_and_outside_scores_have_the_ranks_0_and_1() {
        let scores = [3.0, 1.0, f32::NAN, 1.0, -0.0, 0.0];
        let function = RankFunction::from_scores(&scores);
        let expected = [0.9, 0.6, f64::NAN, 0.6, 0.2, 0.2];
        let ranks = mid_ranks(&scores);
        assert!(ranks.iter().zip(expected).all(|(rank, expected)| rank.to_bits() == expected.to_bits()), "{ranks:?}");
        assert_eq!([3.0, 1.0, 0.0, 2.0, -1.0, 4.0].map(|score| function.rank(score)), [0.9, 0.6, 0.2, 0.75, 0.0, 1.0]);
        assert!(function.rank(f32::NAN).is_nan());
    }

    #[test]
    fn equal_scores_have_the_rank_one_half_and_no_scores_have_none() {
        let function = RankFunction::from_scores(&[2.0; 1000]);
        assert_eq!([2.0, 1.0, 3.0].map(|score| function.rank(score)), [0.5, 0.0, 1.0]);
        assert!(RankFunction::from_scores(&[f32::NAN]).rank(1.0).is_nan());
    }
}
