//! Claims about cross-validation and the probability of overfitting, with golden values from R.

use statrs::distribution::{ContinuousCDF, Normal};

use super::*;
use crate::metrics::Random;

/// Golden values, written by `tests/golden/overfitting.R`.
const GOLDEN: &str = include_str!("../../../tests/golden/overfitting.csv");

const N_CANDIDATES: usize = 100;
const N_DATES: usize = 2_400;

/// Returns the golden rows of one case; each has the figure in sample, the figure out of sample,
/// and the logit.
fn golden(case: &str) -> Vec<[f64; 3]> {
    let rows = GOLDEN.lines().filter_map(|line| line.strip_prefix(case)?.strip_prefix(','));
    let numbers = |row: &str| row.split(',').map(|field| field.parse().unwrap()).collect::<Vec<f64>>();
    rows.map(|row| numbers(row).try_into().unwrap()).collect()
}

fn assert_equals_golden(found: &[Selected], case: &str) {
    let golden = golden(case);
    assert_eq!(found.len(), golden.len());
    for (idx, (found, expected)) in found.iter().zip(golden).enumerate() {
        let found = [found.in_sample, found.out_of_sample, found.logit];
        let is_close = found.iter().zip(expected).all(|(found, expected)| (found - expected).abs() < 1e-10);
        assert!(is_close, "{case}, combination {idx}: found {found:?}, expected {expected:?}");
    }
}

/// The generator of R's `rnorm` after `set.seed`: inversion of numbers from a Mersenne Twister
/// (Matsumoto and Nishimura, 1998) with a scrambled seed.
struct RNormal {
    state: Vec<u32>,
    next: usize,
}

impl RNormal {
    fn new(seed: u32) -> Self {
        let step = |seed: &mut u32| {
            *seed = seed.wrapping_mul(69_069).wrapping_add(1);
            Some(*seed)
        };
        // R scrambles the seed with 50 steps. R stores the next number as the position, then
        // overwrites the position with the end of the state.
        let state = std::iter::repeat_n((), 675).scan(seed, |seed, ()| step(seed)).skip(51).collect();
        Self { state, next: 624 }
    }

    fn uniform(&mut self) -> f64 {
        if self.next == 624 {
            for idx in 0..624 {
                let joined = (self.state[idx] & 0x8000_0000) | (self.state[(idx + 1) % 624] & 0x7fff_ffff);
                let twist = if joined & 1 == 1 { 0x9908_b0df } else { 0 };
                self.state[idx] = self.state[(idx + 397) % 624] ^ (joined >> 1) ^ twist;
            }
            self.next = 0;
        }
        let mut value = self.state[self.next];
        self.next += 1;
        value ^= value >> 11;
        value ^= (value << 7) & 0x9d2c_5680;
        value ^= (value << 15) & 0xefc6_0000;
        value ^= value >> 18;
        f64::from(value) * 2.328_306_436_538_696_3e-10
    }

    fn draw(&mut self) -> f64 {
        const BIG: f64 = 134_217_728.0;
        let coarse = (BIG * self.uniform()).trunc();
        Normal::standard().inverse_cdf((coarse + self.uniform()) / BIG)
    }
}

fn vignette_matrix() -> Vec<Vec<f64>> {
    let mut random = RNormal::new(765);
    (0..N_CANDIDATES).map(|_| (0..N_DATES).map(|_| random.draw()).collect()).collect()
}

/// Rescales a candidate in the same way as the vignette: to a deviation of 1 / √252 and a mean of
/// 0, minus a rate of 0.03 / 252.
fn rescaled(returns: &[f64]) -> Vec<f64> {
    let n = returns.len() as f64;
    let mean = returns.iter().sum::<f64>() / n;
    let deviation = (returns.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1.0)).sqrt();
    returns.iter().map(|value| (value - mean) / deviation / 252_f64.sqrt() - 0.03 / 252.0).collect()
}

/// Returns the intercept of a least-squares line through points (x, y).
fn intercept(points: &[(f64, f64)]) -> f64 {
    let n = points.len() as f64;
    let (x, y) = points.iter().fold((0.0, 0.0), |(x, y), point| (x + point.0 / n, y + point.1 / n));
    let covariance: f64 = points.iter().map(|point| (point.0 - x) * (point.1 - y)).sum();
    let variance: f64 = points.iter().map(|point| (point.0 - x).powi(2)).sum();
    y - covariance / variance * x
}

/// The vignette of the R package pbo prints p_bo 1, "slope" −0.0030456 and p_loss 1
/// (<https://cran.r-project.org/web/packages/pbo/vignettes/pbo.html>). The figure that it prints as
/// "slope" is the intercept of a regression of the in-sample figures on the out-of-sample figures.
#[test]
fn the_worked_example_of_the_package_pbo_is_reproduced() {
    let matrix: Vec<Vec<f64>> = vignette_matrix().iter().map(|returns| rescaled(returns)).collect();
    let selected = cross_validate(&matrix, 8).unwrap();
    let share = |holds: fn(&Selected) -> bool| selected.iter().filter(|it| holds(it)).count() as f64 / 70.0;
    assert_eq!((share(|it| it.logit <= 0.0), share(|it| it.out_of_sample < 0.0)), (1.0, 1.0));
    let points: Vec<_> = selected.iter().map(|it| (it.out_of_sample, it.in_sample)).collect();
    assert_eq!(format!("{:.7}", intercept(&points)), "-0.0030456");
    assert_equals_golden(&selected, "vignette");
    assert_eq!(probability_of_overfitting(&matrix), Ok(1.0), "with sixteen blocks too");
}

#[test]
fn equal_candidates_have_averaged_ranks_and_blocks_may_differ_in_length() {
    let matrix = vignette_matrix();
    let mut ties: Vec<Vec<f64>> =
        [0, 1, 2, 1, 3, 4, 5].iter().map(|&idx: &usize| matrix[idx][..101].to_vec()).collect();
    ties[6][..50].fill(0.0);
    assert_equals_golden(&cross_validate(&ties, 6).unwrap(), "ties");
}

fn noise(seed: u64, n_candidates: usize, n_dates: usize) -> Vec<Vec<f64>> {
    let mut random = Random::new(seed, "returns");
    let mut draw = || (0..12).map(|_| random.unit()).sum::<f64>() - 6.0;
    (0..n_candidates).map(|_| (0..n_dates).map(|_| 0.01 * draw()).collect()).collect()
}

#[test]
fn the_probability_of_overfitting_is_one_half_for_noise_and_near_zero_for_skill() {
    let mean_pbo = |advantage: f64| {
        let pbo = |seed| {
            let mut candidates = noise(seed, 16, 160);
            candidates[5].iter_mut().for_each(|value| *value += advantage);
            probability_of_overfitting(&candidates).unwrap()
        };
        (0..40).map(pbo).sum::<f64>() / 40.0
    };
    let without_skill = mean_pbo(0.0);
    let with_skill = mean_pbo(0.006);
    assert!((without_skill - 0.5).abs() < 0.1, "{without_skill}");
    assert!(with_skill < 0.01, "{with_skill}");
    assert!(mean_pbo(0.001) < without_skill && with_skill < mean_pbo(0.001));
}

#[test]
fn the_probability_does_not_depend_on_the_unit_of_returns_or_the_order_of_candidates() {
    let candidates = noise(3, 9, 100);
    let pbo = probability_of_overfitting(&candidates).unwrap();
    let percent: Vec<Vec<f64>> =
        candidates.iter().rev().map(|it| it.iter().map(|value| value * 64.0).collect()).collect();
    assert_eq!(probability_of_overfitting(&percent).unwrap(), pbo);
}

#[test]
fn returns_that_cannot_be_halved_are_an_error_with_a_reason() {
    let reason = |candidates: &[Vec<f64>]| probability_of_overfitting(candidates).unwrap_err().to_string();
    assert_eq!(reason(&[]), "found 0 dates, expected at least 60 for the probability of overfitting");
    assert!(reason(&noise(1, 4, 59)).starts_with("found 59 dates"), "one date too few");
    assert_eq!(reason(&noise(1, 1, 60)), "found 1 strategies, expected at least 2 for the probability of overfitting");
    let uneven = [vec![0.01; 80], vec![0.02; 79]];
    assert_eq!(reason(&uneven), "80 dates cannot be cut into 8 blocks");
    let idle = vec![vec![0.0; 80]; 3];
    assert_eq!(probability_of_overfitting(&idle), Ok(1.0), "a choice among equal candidates is not above the median");
    for n_blocks in [0, 1, 5, 18, 40] {
        assert!(cross_validate(&noise(1, 4, 80), n_blocks).is_err());
    }
}
