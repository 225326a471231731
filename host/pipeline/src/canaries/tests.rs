//! Claims about the surrogate markets: on markets of their own, and in whole jobs on markets with
//! and without a planted reversal.

use oculus_job::error::JobErrorKind;
use oculus_job::request::Timeframe;
use oculus_job::submission::SubmissionHistory;
use oculus_plugin_api::{Manifest, Setting, code};
use parking_lot::Mutex;
use serde_json::json;

use super::{surrogate_market::surrogate, surrogates::read};
use crate::{
    PipelineInputs, StartedPlugins,
    bars::{Bars, BarsRequest, FetchProgressFn, FoundRows, LabelledSpan, Market, Reading, Row, RowUnit, Source},
    features::FeatureTable,
    fitter::{FitError, FitProgressFn, FitRequest, Fitted, Fitter, PreparedId},
    metrics::Random,
    participants::{Participant, Participants},
    report::Report,
    search::tests::panel::no_params,
    work::{PlannedStep, WorkFn, WorkUpdate},
};

use super::*;

/// Bars of two symbols whose daily moves answer the move of the day before.
struct Generated {
    seed: u64,
    /// Share of a day's move that the next day reverses.
    reversal: f64,
}

impl Generated {
    fn rows(&self, symbol: &str) -> Vec<Row> {
        let mut random = Random::new(self.seed, symbol);
        let mut normal = || (0..12).map(|_| random.unit()).sum::<f64>() - 6.0;
        let mut close = 100.0_f64;
        let mut move_before = 0.0;
        let row = |day: usize| {
            let open = close;
            move_before = 0.02 * normal() - self.reversal * move_before;
            close *= f64::exp(move_before);
            let high = open.max(close) * (1.0 + 0.004 * normal().abs());
            let low = open.min(close) * (1.0 - 0.004 * normal().abs());
            let volume = 1e6 * (0.3 * normal()).exp();
            Row { line: day + 1, time: (19_000 + day as i64) * 86_400, values: [open, high, low, close, volume] }
        };
        (0..820).map(row).collect()
    }
}

impl Source for Generated {
    fn name(&self) -> &'static str {
        "generated"
    }

    fn read(&self, request: &BarsRequest<'_>, _: &FetchProgressFn<'_>) -> Result<Vec<Reading>, JobError> {
        let found = |symbol: &String| FoundRows { origin: symbol.clone(), unit: RowUnit::Row, rows: self.rows(symbol) };
        let of_job = request.symbols.iter().map(|symbol| (symbol, Some(found(symbol))));
        let all = of_job.chain(request.optional.iter().map(|symbol| (symbol, None)));
        Ok(all.map(|(symbol, found)| Reading { symbol: symbol.clone(), found, warnings: Vec::new() }).collect())
    }

    fn no_bars_failure(&self, symbols: &[String]) -> JobError {
        panic!("every symbol has bars: {symbols:?}")
    }
}

/// A family that scores a row by the one column whose means differ most between the classes.
struct BestColumn {
    manifest: Manifest,
    table: FeatureTable,
    fault: Fault,
}

impl BestColumn {
    fn new(table: FeatureTable, fault: Fault) -> Self {
        let manifest = Manifest::new("best-column", "1.0.0").named(["Best column"]).leads_search().concurrent_fits();
        Self { manifest, table, fault }
    }

    /// Returns the difference of the class means of a column in its deviations.
    fn difference(&self, column: usize, request: &FitRequest<'_>) -> f64 {
        let values = self.table.column(column);
        let of = |class: f32| -> Vec<f64> {
            let rows = request.train_rows.iter().map(|&row| row as usize);
            rows.filter(|&row| request.label[row] == class).map(|row| f64::from(values[row])).collect()
        };
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len().max(1) as f64;
        let (ones, zeros) = (of(1.0), of(0.0));
        let all = [ones.as_slice(), zeros.as_slice()].concat();
        let centre = mean(&all);
        let variance = mean(&all.iter().map(|value| (value - centre).powi(2)).collect::<Vec<_>>());
        (mean(&ones) - mean(&zeros)) / variance.sqrt().max(1e-12)
    }
}

impl Fitter for BestColumn {
    fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    fn prepare(&self, _: &[u32], _: &Setting, _: &FitProgressFn<'_>) -> Result<PreparedId, FitError> {
        Ok(PreparedId(0))
    }

    fn fit(&self, request: &FitRequest<'_>) -> Result<Fitted, FitError> {
        if let Some(error) = (self.fault)(request) {
            return Err(error);
        }
        let differences = (0..self.table.names.len()).map(|column| (column, self.difference(column, request)));
        let (column, difference) = differences.max_by(|a, b| a.1.abs().total_cmp(&b.1.abs())).unwrap();
        let score = |&row: &u32| self.table.column(column)[row as usize] * difference.signum() as f32;
        Ok(Fitted { scores: request.predict_rows.iter().map(score).collect(), ..Fitted::default() })
    }
}

type Fault = fn(&FitRequest<'_>) -> Option<FitError>;

/// Runs a whole job on generated bars. `fault` applies to fits on surrogate markets only.
fn run_job(bars: &Generated, fault: Fault) -> Result<Report, JobError> {
    run_job_with(bars, fault, &|_| {})
}

/// Runs a whole job, and reports its work.
fn run_job_with(bars: &Generated, fault: Fault, on_work: &WorkFn<'_>) -> Result<Report, JobError> {
    let payload = json!({
        "build_id": "surrogates", "symbols": ["AAA", "BBB"],
        "design": {
            "years": 1.5, "forward_returns_days_options": [1], "profit_threshold_options": [0.5],
            "recommended_n_iter_search": 1,
        },
    });
    let participant = Participant {
        id: "best-column".to_owned(),
        version: "1.0.0".to_owned(),
        sha256: "00".to_owned(),
        params: no_params(),
        device: "auto".to_owned(),
    };
    let participants = Participants {
        families: vec![participant],
        baseline: None,
        extractor: Err("none is installed".to_owned()),
        skipped: Vec::new(),
        warnings: Vec::new(),
    };
    let open = |table: &FeatureTable| {
        let is_surrogate = table.symbols.len() > 2;
        let family = BestColumn::new(table.clone(), if is_surrogate { fault } else { |_| None });
        let fitters: Vec<Box<dyn Fitter>> = vec![Box::new(family)];
        Ok(StartedPlugins { fitters, miner: None })
    };
    let inputs = PipelineInputs {
        source: bars,
        participants: &participants,
        lookback_rows: 0,
        open: &open,
        n_parallel: 2,
        n_families_at_once: 1,
        history: &SubmissionHistory::Known(Vec::new()),
        started_at: "2026-01-02T03:04:05",
        on_work,
        on_progress: &|_| {},
    };
    crate::run(&Job::from_value(&payload).unwrap(), &inputs).map(|output| output.report)
}

fn surrogates_of(bars: &Generated) -> SurrogateMarkets {
    run_job(bars, |_| None).unwrap().canaries.surrogate_markets
}

fn warning_codes(surrogate_markets: SurrogateMarkets) -> Vec<&'static str> {
    let canaries = Canaries { surrogate_markets, ..Canaries::default() };
    canaries.warnings().into_iter().map(|warning| warning.code.as_str()).collect()
}

#[test]
fn every_planned_step_of_a_job_starts_and_ends_in_the_order_of_the_plan() {
    let updates = Mutex::new(Vec::new());
    let on_work = |update: &WorkUpdate| updates.lock().push(update.clone());
    run_job_with(&Generated { seed: 1, reversal: 0.5 }, |_| None, &on_work).unwrap();
    let updates = updates.into_inner();
    let planned = |update: &WorkUpdate| match update {
        WorkUpdate::Planned(steps) => Some(steps.clone()),
        _ => None,
    };
    let planned: Vec<PlannedStep> = updates.iter().find_map(planned).unwrap();
    assert!(planned.iter().all(|planned| planned.units >= 1.0 && planned.n_parallel == 1), "{planned:?}");
    let with_fraction = |end: f64| {
        let of_step = move |update: &WorkUpdate| match update {
            WorkUpdate::Progressed { step, fraction, .. } if *fraction == end => Some(step.clone()),
            _ => None,
        };
        let mut steps: Vec<_> = updates.iter().filter_map(of_step).collect();
        steps.dedup();
        steps
    };
    let steps: Vec<_> = planned.into_iter().map(|planned| planned.step).collect();
    assert_eq!(with_fraction(0.0), steps);
    // The host ends the last step, because it writes the artifacts.
    assert_eq!(with_fraction(1.0), steps[..steps.len() - 1]);
}

#[test]
fn a_planted_reversal_scores_more_than_every_surrogate() {
    let found = surrogates_of(&Generated { seed: 1, reversal: 0.5 });
    assert_eq!((found.n_surrogates, found.surrogate_scores.len(), found.rank), (19, 19, Some(1)));
    assert_eq!(found.p_value, Finite::new(0.05));
    assert!(found.score.unwrap().get() > 0.05, "{found:?}");
    assert_eq!(warning_codes(found), [""; 0]);
}

#[test]
fn on_random_walks_every_rank_is_equally_likely() {
    let p_values: Vec<f64> =
        (0..20).map(|seed| surrogates_of(&Generated { seed, reversal: 0.0 }).p_value.unwrap().get()).collect();
    let mean = p_values.iter().sum::<f64>() / 20.0;
    // The tolerance is three standard deviations of the mean of twenty uniform numbers.
    assert!((mean - 0.525).abs() < 3.0 * (1.0 / 12.0_f64 / 20.0).sqrt(), "{mean} of {p_values:?}");
    assert!(p_values.iter().any(|p| *p < 0.3) && p_values.iter().any(|p| *p > 0.7), "{p_values:?}");
}

#[test]
fn a_score_that_a_surrogate_reaches_causes_a_warning() {
    let walks = (0..20).map(|seed| surrogates_of(&Generated { seed, reversal: 0.0 }));
    let beaten = { walks }.find(|found| found.rank > Some(1)).unwrap();
    let n_as_good = beaten.surrogate_scores.iter().filter(|score| **score >= beaten.score.unwrap()).count();
    assert_eq!(beaten.rank, Some(n_as_good + 1));
    assert!(beaten.reading.contains(&format!("{n_as_good} of 19")), "{}", beaten.reading);
    assert_eq!(warning_codes(beaten), ["no_better_than_surrogates"]);
}

#[test]
fn a_reading_states_the_score_and_the_number_of_surrogates_that_reach_it() {
    assert_eq!(
        read(0.1234, 0, 19),
        "the real market scores +0.123, more than each of the 19 surrogate markets: the model found information about \
         the direction of prices"
    );
    assert_eq!(
        read(-0.01, 4, 18),
        "the real market scores -0.010, and 4 of 18 surrogate markets, whose direction cannot be forecast, score at \
         least as much: the score may be chance"
    );
}

#[test]
fn the_rank_is_null_if_the_family_fails_and_a_cancellation_cancels_the_job() {
    let bars = Generated { seed: 9, reversal: 0.3 };
    let died = run_job(&bars, |_| Some(FitError::Died { cause: "signal 11".to_owned(), stderr: Vec::new() })).unwrap();
    let found = died.canaries.surrogate_markets;
    assert!(found.score.is_some() && found.rank.is_none() && found.p_value.is_none());
    assert!(found.reasons.get("rank").unwrap().contains("signal 11"), "{found:?}");
    let refused = |_: &FitRequest<'_>| Some(FitError::Rejected { code: code::DATA, message: "too little".to_owned() });
    let found = run_job(&bars, refused).unwrap().canaries.surrogate_markets;
    assert_eq!((found.n_surrogates, found.reasons.get("rank")), (19, Some("too little")));
    let cancelled = run_job(&bars, |_| Some(FitError::Cancelled)).unwrap_err();
    assert_eq!(cancelled.kind, JobErrorKind::Cancelled);
}

fn market() -> Market {
    let bars = |symbol: &str| {
        let rows = Generated { seed: 3, reversal: 0.0 }.rows(symbol);
        let column = |idx: usize| rows.iter().map(|row| row.values[idx]).collect();
        Bars {
            symbol: symbol.to_owned(),
            time: rows.iter().map(|row| row.time).collect(),
            open: column(0),
            high: column(1),
            low: column(2),
            close: column(3),
            volume: column(4),
        }
    };
    let mut later = bars("BBB");
    // The second symbol lacks a date, so its bars have other indices.
    for values in [&mut later.open, &mut later.high, &mut later.low, &mut later.close, &mut later.volume] {
        values.remove(100);
    }
    later.time.remove(100);
    Market {
        bars: vec![bars("AAA"), later],
        benchmarks: vec![bars("SPY")],
        timeframe: Timeframe::Day1,
        span: LabelledSpan::default(),
        warm_up_bars: 0,
        warnings: Vec::new(),
        sha256: String::new(),
    }
}

fn moves(bars: &Bars) -> Vec<(i64, f64)> {
    let moves = bars.close.windows(2).map(|pair| (pair[1] / pair[0]).ln());
    bars.time[1..].iter().copied().zip(moves).collect()
}

#[test]
fn a_surrogate_keeps_the_size_of_every_move_and_mirrors_about_half() {
    let real = market();
    let other = surrogate(&real, Random::new(1, "test"));
    for (real, other) in real.bars.iter().chain(&real.benchmarks).zip(other.bars.iter().chain(&other.benchmarks)) {
        assert_eq!((&real.time, &real.volume, real.close[0]), (&other.time, &other.volume, other.close[0]));
        let pairs: Vec<(f64, f64)> =
            moves(real).iter().zip(moves(other)).map(|(real, other)| (real.1, other.1)).collect();
        assert!(pairs.iter().all(|(real, other)| (real.abs() - other.abs()).abs() < 1e-9));
        let n_mirrored = pairs.iter().filter(|(real, other)| real * other < 0.0).count() as f64;
        // Four standard deviations of a fair coin.
        let n_moves = pairs.len() as f64;
        assert!((n_mirrored - n_moves / 2.0).abs() < 4.0 * (n_moves / 4.0).sqrt(), "{n_mirrored} of {n_moves}");
    }
}

#[test]
fn the_bars_of_a_surrogate_are_possible_and_their_ranges_are_kept() {
    let real = market();
    let other = surrogate(&real, Random::new(2, "test"));
    for (real, other) in real.bars.iter().zip(&other.bars) {
        for idx in 0..real.len() {
            let body = [other.open[idx], other.close[idx]];
            let slack = 1e-9 * other.close[idx];
            assert!(body.iter().all(|price| *price <= other.high[idx] + slack && *price >= other.low[idx] - slack));
            let range = |bars: &Bars| (bars.high[idx] / bars.low[idx]).ln();
            assert!((range(real) - range(other)).abs() < 1e-9);
        }
    }
}

#[test]
fn all_symbols_share_the_coin_of_a_time_and_every_draw_is_another_market() {
    let real = market();
    let other = surrogate(&real, Random::new(1, "test"));
    let coins = |idx: usize| -> std::collections::BTreeMap<i64, bool> {
        let (real, other) = (moves(&real.bars[idx]), moves(&other.bars[idx]));
        real.iter().zip(other).map(|(real, other)| (real.0, real.1 * other.1 < 0.0)).collect()
    };
    let second = coins(1);
    // The date after the missing one has another close before, so its move differs between symbols,
    // but not its coin.
    assert!(coins(0).iter().all(|(time, coin)| second.get(time).is_none_or(|other| other == coin)));
    assert_ne!(other.bars, surrogate(&real, Random::new(2, "test")).bars);
    assert_eq!(other.bars, surrogate(&real, Random::new(1, "test")).bars);
}
