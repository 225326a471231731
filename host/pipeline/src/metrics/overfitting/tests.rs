use statrs::distribution::{ContinuousCDF, Normal};

use super::*;
use crate::metrics::Random;

/// Made by `tests/golden/overfitting.R`.
const GOLDEN: &str = include_str!("../../../tests/golden/overfitting.csv");

const N_CANDIDATES: usize = 100;
const N_DATES: usize = 2_400;

/// The rows of one case: in sample, out of sample, logit.
fn golden(case: &str) -> Vec<[f64; 3]> {
    let rows = GOLDEN.lines().filter_map(|line| line.strip_prefix(case)?.strip_prefix(','));
    let numbers = |row: &str| row.split(',').map(|field| field.parse().unwrap()).collect::<Vec<f64>>();
    rows.map(|row| numbers(row).try_into().unwrap()).collect()
}

fn assert_as_recorded(found: &[Selected], case: &str) {
    let golden = golden(case);
    assert_eq!(found.len(), golden.len());
    for (idx, (found, wanted)) in found.iter().zip(golden).enumerate() {
        let found = [found.in_sample, found.out_of_sample, found.logit];
        let is_close = found.iter().zip(wanted).all(|(found, wanted)| (found - wanted).abs() < 1e-10);
        assert!(is_close, "{case}, combination {idx}: {found:?}, recorded {wanted:?}");
    }
}

/// R's `rnorm` after `set.seed`: Mersenne Twister (Matsumoto and Nishimura, 1998), scrambled seeding, inversion.
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
        // Fifty numbers scramble the seed; the next would be the position, which starts at the end instead.
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

/// A candidate as the vignette goes on with it: a deviation of 1 / √252, a mean of 0, less a rate of 0.03 / 252.
fn rescaled(returns: &[f64]) -> Vec<f64> {
    let n = returns.len() as f64;
    let mean = returns.iter().sum::<f64>() / n;
    let deviation = (returns.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1.0)).sqrt();
    returns.iter().map(|value| (value - mean) / deviation / 252_f64.sqrt() - 0.03 / 252.0).collect()
}

/// Intercept of a line through (x, y) by least squares.
fn intercept(points: &[(f64, f64)]) -> f64 {
    let n = points.len() as f64;
    let (x, y) = points.iter().fold((0.0, 0.0), |(x, y), point| (x + point.0 / n, y + point.1 / n));
    let covariance: f64 = points.iter().map(|point| (point.0 - x) * (point.1 - y)).sum();
    let variance: f64 = points.iter().map(|point| (point.0 - x).powi(2)).sum();
    y - covariance / variance * x
}

/// The vignette of the R package pbo prints p_bo 1, "slope" −0.0030456 and p_loss 1
/// (<https://cran.r-project.org/web/packages/pbo/vignettes/pbo.html>). What it calls slope is the intercept of the
/// in-sample on the out-of-sample figures.
#[test]
fn the_worked_example_of_the_package_pbo_is_reproduced() {
    let matrix: Vec<Vec<f64>> = vignette_matrix().iter().map(|returns| rescaled(returns)).collect();
    let selected = cross_validate(&matrix, 8).unwrap();
    let share = |holds: fn(&Selected) -> bool| selected.iter().filter(|it| holds(it)).count() as f64 / 70.0;
    assert_eq!((share(|it| it.logit <= 0.0), share(|it| it.out_of_sample < 0.0)), (1.0, 1.0));
    let points: Vec<_> = selected.iter().map(|it| (it.out_of_sample, it.in_sample)).collect();
    assert_eq!(format!("{:.7}", intercept(&points)), "-0.0030456");
    assert_as_recorded(&selected, "vignette");
    assert_eq!(probability_of_overfitting(&matrix), Ok(1.0), "with sixteen blocks too");
}

#[test]
fn equal_candidates_share_their_ranks_and_blocks_may_differ_in_length() {
    let matrix = vignette_matrix();
    let mut ties: Vec<Vec<f64>> =
        [0, 1, 2, 1, 3, 4, 5].iter().map(|&idx: &usize| matrix[idx][..101].to_vec()).collect();
    ties[6][..50].fill(0.0);
    assert_as_recorded(&cross_validate(&ties, 6).unwrap(), "ties");
}

fn noise(seed: u64, n_candidates: usize, n_dates: usize) -> Vec<Vec<f64>> {
    let mut random = Random::new(seed, "returns");
    let mut draw = || (0..12).map(|_| random.unit()).sum::<f64>() - 6.0;
    (0..n_candidates).map(|_| (0..n_dates).map(|_| 0.01 * draw()).collect()).collect()
}

#[test]
fn the_best_of_noise_is_at_the_median_and_one_better_candidate_stays_the_best() {
    let mean = |better: f64| {
        let of_seed = |seed| {
            let mut candidates = noise(seed, 16, 160);
            candidates[5].iter_mut().for_each(|value| *value += better);
            probability_of_overfitting(&candidates).unwrap()
        };
        (0..40).map(of_seed).sum::<f64>() / 40.0
    };
    let of_noise = mean(0.0);
    let of_skill = mean(0.006);
    assert!((of_noise - 0.5).abs() < 0.1, "{of_noise}");
    assert!(of_skill < 0.01, "{of_skill}");
    assert!(mean(0.001) < of_noise && of_skill < mean(0.001));
}

#[test]
fn the_figure_does_not_depend_on_the_unit_of_returns_or_the_order_of_candidates() {
    let candidates = noise(3, 9, 100);
    let pbo = probability_of_overfitting(&candidates).unwrap();
    let percent: Vec<Vec<f64>> =
        candidates.iter().rev().map(|it| it.iter().map(|value| value * 64.0).collect()).collect();
    assert_eq!(probability_of_overfitting(&percent).unwrap(), pbo);
}

#[test]
fn returns_that_cannot_be_halved_give_the_reason() {
    let reason = |candidates: &[Vec<f64>]| probability_of_overfitting(candidates).unwrap_err().to_string();
    assert_eq!(reason(&[]), "0 dates, halving them in many ways needs 60");
    assert!(reason(&noise(1, 4, 59)).starts_with("59 "), "one date too few");
    assert_eq!(reason(&noise(1, 1, 60)), "1 strategies tried, a choice needs 2");
    let uneven = [vec![0.01; 80], vec![0.02; 79]];
    assert_eq!(reason(&uneven), "80 dates cannot be cut into 8 blocks");
    let idle = vec![vec![0.0; 80]; 3];
    assert_eq!(probability_of_overfitting(&idle), Ok(1.0), "a choice among equals chose nothing");
    for n_blocks in [0, 1, 5, 18, 40] {
        assert!(cross_validate(&noise(1, 4, 80), n_blocks).is_err());
    }
}
