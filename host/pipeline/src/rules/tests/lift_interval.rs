//! Claims about the interval of a lift.

use proptest::prelude::*;

use super::super::{lift_interval::LiftCounts, tally::Tally};
use crate::metrics::{Interval, Random, Resamples, UndefinedError, standard_error};

const BLOCK_DATES: usize = 10;

fn resamples(n_dates: usize) -> Result<Resamples, UndefinedError> {
    Resamples::draw(n_dates, BLOCK_DATES, Random::new(42, "test"))
}

/// Returns the ends of the interval for the counts of some dates.
fn ends(by_date: &[Tally], n_episodes: usize) -> Result<(f64, f64), UndefinedError> {
    let counts = LiftCounts { by_date, n_episodes, block_dates: BLOCK_DATES };
    counts.interval(&resamples(by_date.len())).map(|Interval(low, high)| (low.get(), high.get()))
}

/// Returns dates with four rows and two hits each. On every fifth date, the condition holds on two
/// rows, of which `n_held_hits` returns the number of hits.
fn dates(n_dates: usize, n_held_hits: impl Fn(usize) -> u64) -> Vec<Tally> {
    let date = |idx: usize| {
        let held = if idx.is_multiple_of(5) { (2, n_held_hits(idx)) } else { (0, 0) };
        Tally { n_rows: 4, n_hits: 2, n_held: held.0, n_held_hits: held.1 }
    };
    (0..n_dates).map(date).collect()
}

fn assert_close(found: f64, expected: f64) {
    assert!((found - expected).abs() < 1e-9 * expected.abs().max(1.0), "{found}, expected {expected}");
}

#[test]
fn without_hits_or_without_misses_the_interval_comes_from_the_number_of_episodes() {
    // The limits of Clopper and Pearson for 0 of n and n of n are powers.
    for n_episodes in [1, 3, 12] {
        let limit = 0.025_f64.powf(1.0 / n_episodes as f64);
        let (low, high) = ends(&dates(50, |_| 0), n_episodes).unwrap();
        assert_close(low, 0.0);
        assert_close(high, (1.0 - limit) / 0.5);
        let (low, high) = ends(&dates(50, |_| 2), n_episodes).unwrap();
        assert_close(low, limit / 0.5);
        assert_close(high, 1.0 / 0.5);
    }
}

#[test]
fn otherwise_the_log_of_the_lift_has_the_interval_of_students_t() {
    // The lift is 1, so its interval is symmetric on a log scale.
    let by_date = dates(50, |idx| (idx / 5 % 3) as u64);
    let n_held_hits: u64 = by_date.iter().map(|date| date.n_held_hits).sum();
    let n_held: u64 = by_date.iter().map(|date| date.n_held).sum();
    let log_lift = (n_held_hits as f64 / n_held as f64 / 0.5).ln();
    let log_draw = |times: &[u32]| {
        let weighted = |count: fn(&Tally) -> u64| -> f64 {
            by_date.iter().zip(times).map(|(date, &times)| (u64::from(times) * count(date)) as f64).sum()
        };
        Some((weighted(|date| date.n_held_hits) / weighted(|date| date.n_held) / 0.5).ln())
    };
    let deviation = standard_error(&resamples(50).unwrap().defined(log_draw)).unwrap();
    // Quantiles of Student's t with 4, 2 and 1 degrees of freedom, from a table.
    for (n_episodes, n, quantile) in [(100, 5.0, 2.776_445), (3, 3.0, 4.302_653), (1, 2.0, 12.706_205)] {
        let (low, high) = ends(&by_date, n_episodes).unwrap();
        let reach = quantile * f64::sqrt(n / (n - 1.0)) * deviation;
        assert!((low.ln() - (log_lift - reach)).abs() < 1e-5 * reach, "{n_episodes} episodes: {low}");
        let expected = (log_lift + reach).exp().min(2.0);
        assert!((high - expected).abs() < 1e-5 * expected, "{n_episodes} episodes: {high}");
    }
}

#[test]
fn a_condition_that_held_on_every_row_has_no_interval() {
    let everywhere: Vec<Tally> =
        (0..50).map(|idx| Tally { n_rows: 2, n_hits: idx % 2, n_held: 2, n_held_hits: idx % 2 }).collect();
    let reason = ends(&everywhere, 5).unwrap_err().to_string();
    assert!(reason.contains("every row"), "{reason}");
    let too_few_dates = ends(&dates(19, |_| 1), 3).unwrap_err().to_string();
    assert!(too_few_dates.contains("found 19 dates, expected at least 20"), "{too_few_dates}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn an_interval_contains_the_lift_is_wider_than_zero_and_ends_below_the_largest_lift(
        rows in prop::collection::vec((0_u64..4, 0_u64..4, any::<bool>()), 20..80),
        n_episodes in 1_usize..20,
    ) {
        let date = |&(hits, misses, is_held): &(u64, u64, bool)| Tally {
            n_rows: hits + misses,
            n_hits: hits,
            n_held: if is_held { hits + misses } else { 0 },
            n_held_hits: if is_held { hits } else { 0 },
        };
        let by_date: Vec<Tally> = rows.iter().map(date).collect();
        if let Ok((low, high)) = ends(&by_date, n_episodes) {
            let all = super::super::tally::total(&by_date);
            let lift = all.lift().unwrap();
            prop_assert!(0.0 <= low && low < high);
            prop_assert!(low <= lift && lift <= high + 1e-12, "{low} {lift} {high}");
            prop_assert!(high <= 1.0 / all.base_rate().unwrap() + 1e-12);
        }
    }
}
