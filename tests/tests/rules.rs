//! What the rule extractor finds in markets with something planted, and what it leaves alone.
#![allow(clippy::unwrap_used)]

use std::time::Instant;

use oculus_host::job::request::Timeframe;
use oculus_host::pipeline::features::{self, FeatureTable};
use oculus_host::synth::{Kind, Recipe, generate};
use oculus_plugin_api::testing::{Bench, Frame, Listener};
use oculus_plugin_api::{FeatureRole, MinedRule, Task};
use oculus_plugin_rules::RuleExtractor;

const HORIZON_BARS: usize = 5;
const THRESHOLD_PCT: f64 = 2.0;

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

fn said(rule: &MinedRule) -> String {
    let c: Vec<String> =
        rule.conditions.iter().map(|c| format!("{} {} {}", c.feature, c.operator.sign(), c.threshold)).collect();
    format!("{} [{:.2}]", c.join(" & "), rule.stability.unwrap())
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

fn experiment(kind: Kind) {
    let (mut ours, mut oracles, mut dices) = (0.0, 0.0, Vec::new());
    for seed in 1..=5 {
        let sample = Sample::new(kind, seed, 8, 1770);
        let cut = sample.n_days * 4 / 5;
        let train = sample.rows(|day| day + HORIZON_BARS < cut);
        let test = sample.rows(|day| day >= cut);
        let started = Instant::now();
        let rules = sample.mine(&train, seed);
        let took = started.elapsed();
        let base = sample.share(test.iter().copied());
        let base_train = sample.share(train.iter().copied()).0;
        let oracle = sample.share(test.iter().copied().filter(|row| sample.oracle(*row)));
        println!(
            "seed {seed}: {} train {} test base {:.3} oracle {:.3} ({:.3} train) n {} took {took:?} {} rules",
            train.len(),
            base.1,
            base.0,
            oracle.0 / base.0,
            sample.share(train.iter().copied().filter(|row| sample.oracle(*row))).0 / base_train,
            oracle.1,
            rules.len()
        );
        let (mut held, mut hits) = (0.0, 0.0);
        for (idx, rule) in rules.iter().enumerate() {
            let (p, n) = sample.share(test.iter().copied().filter(|row| sample.holds(rule, *row)));
            let (pt, nt) = sample.share(train.iter().copied().filter(|row| sample.holds(rule, *row)));
            if idx < 5 {
                held += n as f64;
                hits += p * n as f64;
            }
            if idx < 8 {
                println!("   {} train {:.2} ({nt}) test {:.2} ({n})", said(rule), pt / base_train, p / base.0);
            }
        }
        println!("  pooled {:.3}", hits / held / base.0);
        ours += if held > 0.0 { hits / held / base.0 } else { 1.0 };
        oracles += oracle.0 / base.0;
        for fifth in 0..5 {
            let kept: Vec<u32> =
                train.iter().copied().filter(|row| (*row as usize % sample.n_days) * 5 / cut != fifth).collect();
            let other = sample.mine(&kept, seed);
            let (a, b) = (stable(&rules), stable(&other));
            let n = a.iter().filter(|x| b.iter().any(|y| same(&sample, &train, x, y))).count();
            let dice = 2.0 * n as f64 / (a.len() + b.len()).max(1) as f64;
            dices.push(dice);
            if seed <= 2 {
                println!(
                    "    dropped {fifth}: dice {dice:.2} of {} {}: {:?}",
                    a.len(),
                    b.len(),
                    b.iter().map(|r| said(r)).collect::<Vec<_>>()
                );
            }
        }
    }
    println!(
        "ours {:.3} oracle {:.3} ratio {:.3}; dice {:.3} {dices:.2?}",
        ours / 5.0,
        oracles / 5.0,
        ours / oracles,
        dices.iter().sum::<f64>() / dices.len() as f64
    );
}

#[test]
fn planted() {
    experiment(Kind::usual("rule").unwrap());
}

#[test]
fn noise() {
    experiment(Kind::Walk);
}

#[test]
fn small() {
    let sample = Sample::new(Kind::usual("rule").unwrap(), 1, 2, 252 + 405);
    let train = sample.rows(|_| true);
    for _ in 0..3 {
        let started = Instant::now();
        let rules = sample.mine(&train, 1);
        println!("{} rows {:?} {} rules", train.len(), started.elapsed(), rules.len());
    }
}
