//! What the rule extractor finds in markets with something planted, and what it leaves alone.
#![allow(clippy::unwrap_used)]

use oculus_host::job::request::Timeframe;
use oculus_host::pipeline::features::{self, FeatureTable};
use oculus_host::synth::{Kind, Recipe, generate};
use oculus_plugin_api::testing::{Bench, Frame, Listener};
use oculus_plugin_api::{FeatureRole, MinedRule, Task};
use oculus_plugin_rules::RuleExtractor;

const HORIZON_BARS: usize = 5;
/// Five bars rise after a planted signal; the drift gives the planted rule a lift of 1.6 on this label.
const PLANTED: Kind = Kind::Rule { rsi_below: 38.0, adx_above: 22.0, drift: 0.0038 };
const THRESHOLD_PCT: f64 = 2.0;

/// Made-up markets, their features and labels.
struct Sample {
    table: FeatureTable,
    frame: Frame,
    label: Vec<f32>,
    n_days: usize,
}

impl Sample {
    fn new(kind: Kind, seed: u64, n_symbols: usize, n_bars: usize) -> Self {
        let bars: Vec<_> = (0..n_symbols)
            .map(|stream| {
                let (symbol, timeframe) = (format!("S{stream}"), Timeframe::Day1);
                generate(&Recipe { kind, symbol, stream: stream as u64, seed, timeframe, n_bars }).bars
            })
            .collect();
        let names: Vec<String> =
            features::defaults().iter().filter(|f| f.benchmark().is_none()).map(|f| f.name()).collect();
        let table = features::compute(&bars, &[], Timeframe::Day1, &names).unwrap();
        let n_days = table.n_rows() / n_symbols;
        let mut frame = Frame::new(n_symbols as u32, n_days as u32);
        for (idx, name) in table.names.iter().enumerate() {
            let (name, column) = (String::leak(name.clone()), table.column(idx).to_vec());
            frame = match table.roles[idx] {
                FeatureRole::Model => frame.column(name, column),
                FeatureRole::Rule => frame.rule_column(name, column),
            };
        }
        let label = (0..table.n_rows())
            .map(|row| {
                let (close, bar) = (&bars[table.symbol[row] as usize].close, table.bar[row] as usize);
                let later = close.get(bar + HORIZON_BARS).map(|later| 100.0 * (later / close[bar] - 1.0));
                later.map_or(f32::NAN, |rise| f32::from(u8::from(rise >= THRESHOLD_PCT)))
            })
            .collect();
        Self { table, frame, label, n_days }
    }

    /// A market of eight symbols over six years, the rows of the first four fifths, and those after.
    fn parted(kind: Kind, seed: u64) -> (Self, Vec<u32>, Vec<u32>) {
        let sample = Self::new(kind, seed, 8, 1770);
        let cut = sample.n_days * 4 / 5;
        let (train, test) = (sample.rows(|day| day + HORIZON_BARS < cut), sample.rows(|day| day >= cut));
        (sample, train, test)
    }

    fn rows(&self, is_in: impl Fn(usize) -> bool) -> Vec<u32> {
        (0..self.table.n_rows() as u32)
            .filter(|row| is_in(*row as usize % self.n_days) && !self.label[*row as usize].is_nan())
            .collect()
    }

    fn mine(&self, train_rows: &[u32], seed: u64) -> Vec<MinedRule> {
        let task = Task { label: &self.label, train_rows, tune_rows: &[], seed, threads: 1, device: "auto" };
        let scores = vec![f32::NAN; self.label.len()];
        Bench::extractor::<RuleExtractor>().extract(&self.frame, &task, &scores, &Listener::default()).unwrap()
    }

    fn holds(&self, rule: &MinedRule, row: u32) -> bool {
        rule.conditions.iter().all(|c| c.holds(f64::from(self.table.by_name(&c.feature).unwrap()[row as usize])))
    }

    fn share(&self, rows: impl Iterator<Item = u32>) -> (f64, usize) {
        let labels: Vec<f32> = rows.map(|row| self.label[row as usize]).collect();
        (f64::from(labels.iter().sum::<f32>()) / labels.len() as f64, labels.len())
    }

    fn oracle(&self, row: u32) -> bool {
        let of = |name| self.table.by_name(name).unwrap()[row as usize];
        of("RSI_14") < 38.0 && of("ADX_14") > 22.0
    }
}

fn stable(rules: &[MinedRule]) -> Vec<&MinedRule> {
    let mut s: Vec<&MinedRule> = rules.iter().filter(|r| r.stability.unwrap() >= 0.5).collect();
    s.sort_by(|a, b| b.stability.unwrap().total_cmp(&a.stability.unwrap()));
    s.truncate(5);
    s
}

/// Share of values at or below.
fn decile(sample: &Sample, rows: &[u32], feature: &str, threshold: f64) -> f64 {
    let column = sample.table.by_name(feature).unwrap();
    rows.iter().filter(|row| f64::from(column[**row as usize]) <= threshold).count() as f64 / rows.len() as f64 * 10.0
}

fn same(sample: &Sample, rows: &[u32], a: &MinedRule, b: &MinedRule) -> bool {
    a.conditions.len() == b.conditions.len()
        && a.conditions.iter().all(|x| {
            b.conditions.iter().any(|y| {
                x.feature == y.feature
                    && x.operator == y.operator
                    && (decile(sample, rows, &x.feature, x.threshold) - decile(sample, rows, &y.feature, y.threshold))
                        .abs()
                        <= 1.1
            })
        })
}

/// Lift of the rows that a condition holds on, over the base rate of `rows`.
fn lift(sample: &Sample, rows: &[u32], holds: impl Fn(u32) -> usize) -> f64 {
    let held = rows.iter().flat_map(|&row| std::iter::repeat_n(row, holds(row)));
    sample.share(held).0 / sample.share(rows.iter().copied()).0
}

#[test]
fn the_strongest_rules_reach_the_planted_ones_lift_on_later_rows() {
    let (mut ours, mut planted) = (0.0, 0.0);
    for seed in 1..=5 {
        let (sample, train, test) = Sample::parted(PLANTED, seed);
        let rules = sample.mine(&train, seed);
        let n_holding = |row| rules[..5].iter().filter(|rule| sample.holds(rule, row)).count();
        ours += lift(&sample, &test, n_holding) / 5.0;
        planted += lift(&sample, &test, |row| usize::from(sample.oracle(row))) / 5.0;
    }
    println!("pooled lift of the first five {ours:.3}, of the planted rule {planted:.3}: {:.3}", ours / planted);
    assert!(planted > 1.5 && ours >= 0.85 * planted, "{ours} of {planted}");
}

/// Each fifth of the dates is dropped in turn; a rule is the same with the same features and operators and thresholds a
/// decile apart at most.
#[test]
fn the_stable_list_outlives_the_loss_of_a_fifth_of_the_dates() {
    let mut dices = Vec::new();
    for seed in 1..=5 {
        let (sample, train, _) = Sample::parted(PLANTED, seed);
        let rules = sample.mine(&train, seed);
        let n_train_days = sample.n_days * 4 / 5;
        for fifth in 0..5 {
            let is_kept = |row: &u32| (*row as usize % sample.n_days) * 5 / n_train_days != fifth;
            let other = sample.mine(&train.iter().copied().filter(is_kept).collect::<Vec<_>>(), seed);
            let (a, b) = (stable(&rules), stable(&other));
            let n_common = a.iter().filter(|x| b.iter().any(|y| same(&sample, &train, x, y))).count();
            dices.push(2.0 * n_common as f64 / (a.len() + b.len()).max(1) as f64);
        }
    }
    let mean = dices.iter().sum::<f64>() / dices.len() as f64;
    println!("Dice of the stable list without a fifth of the dates: mean {mean:.3}, each {dices:.2?}");
    assert!(mean >= 0.6, "{dices:?}");
}

#[test]
fn what_is_mined_from_noise_lifts_nothing_later() {
    let lifts = (1..=5).map(|seed| {
        let (sample, train, test) = Sample::parted(Kind::Walk, seed);
        let rules = sample.mine(&train, seed);
        lift(&sample, &test, |row| rules.iter().take(5).filter(|rule| sample.holds(rule, row)).count())
    });
    // Where nothing is left of the noise, there is no lift.
    let lifts: Vec<f64> = lifts.filter(|lift| !lift.is_nan()).collect();
    let mean = lifts.iter().sum::<f64>() / lifts.len() as f64;
    println!("pooled lift of the first five on walks: mean {mean:.3}, each {lifts:.3?}");
    assert!(lifts.len() >= 3 && (mean - 1.0).abs() < 0.15, "{lifts:?}");
}

#[test]
fn rows_that_are_not_learnt_from_change_nothing() {
    let (mut sample, train, _) = Sample::parted(PLANTED, 1);
    let mined = sample.mine(&train, 1);
    assert_eq!(mined, sample.mine(&train, 1));
    let n_rows = sample.label.len();
    let mut is_learnt = vec![false; n_rows];
    train.iter().for_each(|&row| is_learnt[row as usize] = true);
    for (idx, value) in sample.frame.values_mut().iter_mut().enumerate().filter(|(idx, _)| !is_learnt[idx % n_rows]) {
        *value = if idx % 3 == 0 { f32::NAN } else { -1e9 };
    }
    sample.label.iter_mut().zip(&is_learnt).filter(|(_, learnt)| !**learnt).for_each(|(label, _)| *label = f32::NAN);
    assert_eq!(mined, sample.mine(&train, 1));
}
