//! Candidates that enter the symbols with the highest scores of a date.

use std::ops::Range;

use oculus_job::request::Timeframe;

use super::super::{candidate::*, period_bars::PeriodBars, signals::*};
use crate::{
    bars::{Bars, LabelledSpan, Market},
    features::FeatureTable,
    metrics::Random,
    rules::PerSide,
};

const N_SYMBOLS: usize = 6;
const HOUR_S: i64 = 3_600;

/// Bars of six symbols, with one row of the feature table per bar.
struct Panel {
    market: Market,
    table: FeatureTable,
    days: Vec<Vec<i32>>,
}

impl Panel {
    /// Creates a panel of flat prices.
    ///
    /// * `times`: start of each bar of each symbol, in hours since 1970-01-01.
    fn new(times: &[Vec<i64>]) -> Self {
        let bars = |(idx, hours): (usize, &Vec<i64>)| Bars {
            symbol: format!("S{idx}"),
            time: hours.iter().map(|hour| hour * HOUR_S).collect(),
            open: vec![100.0; hours.len()],
            high: vec![101.0; hours.len()],
            low: vec![99.0; hours.len()],
            close: vec![100.0; hours.len()],
            volume: vec![1e6; hours.len()],
        };
        let market = Market {
            bars: times.iter().enumerate().map(bars).collect(),
            benchmarks: Vec::new(),
            timeframe: Timeframe::Hour1,
            span: LabelledSpan::default(),
            warm_up_bars: 0,
            warnings: Vec::new(),
            sha256: String::new(),
        };
        let days: Vec<Vec<i32>> =
            times.iter().map(|hours| hours.iter().map(|hour| (hour / 24) as i32).collect()).collect();
        let rows: Vec<(usize, usize)> = times
            .iter()
            .enumerate()
            .flat_map(|(symbol, hours)| (0..hours.len()).map(move |bar| (symbol, bar)))
            .collect();
        let table = FeatureTable {
            symbols: market.bars.iter().map(|bars| bars.symbol.clone()).collect(),
            symbol: rows.iter().map(|(symbol, _)| *symbol as u32).collect(),
            bar: rows.iter().map(|(_, bar)| *bar as u32).collect(),
            time: rows.iter().map(|&(symbol, bar)| market.bars[symbol].time[bar]).collect(),
            day: rows.iter().map(|&(symbol, bar)| days[symbol][bar]).collect(),
            ..FeatureTable::default()
        };
        Self { market, table, days }
    }

    /// Returns the times, in seconds, and symbols at which the `n_symbols` best symbols are entered.
    fn entries(&self, scores: &[f32], n_symbols: usize) -> Vec<(i64, usize)> {
        let bars = PeriodBars::new(&self.market, &self.table, &self.days, &ALL_DATES);
        let rules = PeriodRules { job: &PerSide::default(), mined: Vec::new() };
        let signals = SignalTable::new(&bars, &self.table, &rules, scores);
        let of_symbol = |symbol: usize| {
            let entry = signals.signals(symbol, &best_alone(n_symbols), None).entry;
            let times = entry.into_iter().zip(&self.market.bars[symbol].time);
            times.filter(|(enters, _)| *enters).map(move |(_, &time)| (time, symbol)).collect::<Vec<_>>()
        };
        let mut entries: Vec<(i64, usize)> = (0..N_SYMBOLS).flat_map(of_symbol).collect();
        entries.sort_unstable();
        entries
    }
}

const ALL_DATES: Range<i32> = 0..i32::MAX;

fn best_alone(n_symbols: usize) -> StrategyCandidate {
    StrategyCandidate {
        entry: None,
        exit: None,
        score: Some(ScoreGate::BestOfDate(n_symbols)),
        holding_bars: 1,
        stop_pct: None,
        target_pct: None,
    }
}

/// Draws a score per row; a tenth of the rows has none.
fn scores(seed: u64, n_rows: usize) -> Vec<f32> {
    let mut random = Random::new(seed, "scores");
    (0..n_rows).map(|_| if random.below(10) == 0 { f32::NAN } else { random.unit() as f32 }).collect()
}

#[test]
fn the_symbols_with_the_highest_scores_of_a_time_are_entered() {
    // The symbols have bars at different hours, as after a halt or on another exchange.
    let times: Vec<Vec<i64>> =
        (0..N_SYMBOLS as i64).map(|symbol| (0..200).filter(|hour| hour % (symbol + 2) != 0).collect()).collect();
    let panel = Panel::new(&times);
    let scores = scores(1, panel.table.n_rows());
    for n_symbols in [1, 2] {
        let mut expected = Vec::new();
        for hour in 0..200 {
            let rows = (0..panel.table.n_rows()).filter(|&row| panel.table.time[row] == hour * HOUR_S);
            let mut scored: Vec<usize> = rows.filter(|&row| !scores[row].is_nan()).collect();
            scored.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
            expected
                .extend(scored.iter().take(n_symbols).map(|&row| (hour * HOUR_S, panel.table.symbol[row] as usize)));
        }
        expected.sort_unstable();
        assert_eq!(panel.entries(&scores, n_symbols), expected, "{n_symbols}");
    }
}

#[test]
fn a_rank_does_not_depend_on_scores_of_later_bars() {
    let panel = Panel::new(&vec![(0..100).collect(); N_SYMBOLS]);
    let first = scores(1, panel.table.n_rows());
    let later = scores(2, panel.table.n_rows());
    let is_early = |row: usize| panel.table.time[row] < 50 * HOUR_S;
    let changed: Vec<f32> = (0..first.len()).map(|row| if is_early(row) { first[row] } else { later[row] }).collect();
    let early = |scores: &[f32]| {
        panel.entries(scores, 2).into_iter().filter(|(time, _)| *time < 50 * HOUR_S).collect::<Vec<_>>()
    };
    assert_eq!(early(&first), early(&changed));
    assert_ne!(panel.entries(&first, 2), panel.entries(&changed, 2));
}

#[test]
fn symbols_with_equal_scores_share_their_place() {
    let panel = Panel::new(&vec![vec![0]; N_SYMBOLS]);
    let symbols = |scores: [f32; N_SYMBOLS], n_symbols| {
        panel.entries(&scores, n_symbols).into_iter().map(|(_, symbol)| symbol).collect::<Vec<_>>()
    };
    let scores = [0.5, 0.9, 0.5, f32::NAN, 0.5, 0.1];
    assert_eq!(symbols(scores, 1), [1]);
    assert_eq!(symbols(scores, 2), [0, 1, 2, 4], "three symbols share the second place");
    assert_eq!(symbols(scores, 5), [0, 1, 2, 4, 5], "a symbol without a score is never entered");
}

fn space(n_scored_symbols: usize) -> SearchSpace {
    SearchSpace {
        n_entry_rules: [1, 2, 0],
        n_exit_rules: [1, 0, 0],
        entry_score_threshold: 1,
        exit_score_threshold: 1,
        base_rate: Some(0.3),
        n_scored_symbols,
        horizon_bars: 5,
        threshold_pct: 2.0,
    }
}

#[test]
fn panels_of_fewer_than_five_symbols_have_no_ranks_among_their_candidates() {
    let all = |n_scored_symbols| space(n_scored_symbols).draw(usize::MAX, 1);
    assert_eq!(all(4), all(0), "the draws of a small panel do not change");
    assert!(all(4).iter().all(|candidate| candidate.best_symbols().is_none()));
    let best = |n_scored_symbols| {
        let mut best: Vec<usize> = all(n_scored_symbols).iter().filter_map(StrategyCandidate::best_symbols).collect();
        best.sort_unstable();
        best.dedup();
        best
    };
    assert_eq!((best(5), best(10), best(20)), (vec![1, 2], vec![1, 2, 5], vec![1, 2, 5, 10]));
}

#[test]
fn the_best_symbols_alone_are_tried_after_the_job_and_the_model() {
    let drawn = space(6).draw(10, 1);
    let best: Vec<Option<usize>> = drawn[..4].iter().map(StrategyCandidate::best_symbols).collect();
    assert_eq!(best, [None, None, Some(1), Some(2)]);
    assert_eq!(drawn[2], StrategyCandidate { holding_bars: 5, ..best_alone(1) });
    assert_eq!(drawn[2].score_threshold(&[0.9, 0.1]), None, "a rank is not a threshold");
}
