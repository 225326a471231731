//! A synthetic feature table of two symbols, with or without a planted signal, and a small and fast
//! model family.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use oculus_job::request::Timeframe;
use oculus_job::warning::{Warning, WarningCode};
use oculus_plugin_api::{FeatureRole, Manifest, Param, Setting, Summary, code};
use serde_json::{Map, Value};

use crate::{
    bars::{Bars, LabelledSpan, Market},
    features::FeatureTable,
    fitter::{FitError, FitOutput, FitProgressFn, FitRequest, Fitted, Fitter, PreparedId},
    labels::{Label, LabelKey},
    metrics::{Random, auc},
    search::SearchContext,
    splits::{Partition, Splits},
};

pub(crate) const N_DAYS: usize = 500;
const NAMES: [&str; 6] = ["SIGNAL", "NOISE_1", "NOISE_2", "NOISE_3", "NATR_14", "HV_20"];

pub(crate) struct Panel {
    pub(crate) table: FeatureTable,
    pub(crate) labels: Vec<Label>,
    pub(crate) splits: Vec<Splits>,
    pub(crate) partition: Partition,
    /// Daily bars whose closes have these returns; each bar opens at the previous close.
    pub(crate) market: Market,
}

impl Panel {
    /// Creates a panel with returns of 3 % deviation that have a correlation of about `edge` with
    /// `SIGNAL`, and one label per threshold.
    pub(crate) fn new(seed: u64, edge: f64, thresholds_pct: &[f64]) -> Self {
        let mut random = Random::new(seed, "panel");
        let mut normal = || (0..12).map(|_| random.unit()).sum::<f64>() - 6.0;
        let n_rows = 2 * N_DAYS;
        let mut values: Vec<f32> = (0..NAMES.len() * n_rows).map(|_| normal() as f32).collect();
        values[4 * n_rows..].iter_mut().for_each(|value| *value = value.exp());
        let returns: Vec<f64> = (0..n_rows).map(|row| 3.0 * (edge * f64::from(values[row]) + normal())).collect();
        let day: Vec<i32> = (0..n_rows).map(|row| 19_000 + (row % N_DAYS) as i32).collect();
        let market = market(&returns, &day);
        let table = FeatureTable {
            names: NAMES.map(str::to_owned).to_vec(),
            roles: vec![FeatureRole::Model; NAMES.len()],
            values: values.into(),
            symbols: vec!["AAA".to_owned(), "BBB".to_owned()],
            symbol: (0..n_rows).map(|row| (row / N_DAYS) as u32).collect(),
            bar: (0..n_rows).map(|row| (row % N_DAYS) as u32).collect(),
            time: day.iter().map(|&day| i64::from(day) * 86_400).collect(),
            day,
        };
        let labels: Vec<Label> =
            thresholds_pct.iter().map(|&threshold_pct| label(&returns, &table.day, threshold_pct)).collect();
        let partition = Partition::new(&table, &labels, 3, LabelledSpan::default()).unwrap();
        let splits = labels.iter().map(|label| partition.splits(&table, label)).collect();
        Self { table, labels, splits, partition, market }
    }

    pub(crate) fn search_context(&self, n_parallel: usize) -> SearchContext<'_> {
        SearchContext { table: &self.table, labels: &self.labels, splits: &self.splits, seed: 42, n_parallel }
    }

    /// Returns a copy with other features, labels, returns and bars in the test period.
    pub(crate) fn with_another_test(&self) -> Self {
        let mut table = self.table.clone();
        let mut labels = self.labels.clone();
        let n_rows = table.n_rows();
        let mut values = table.values.to_vec();
        for row in (0..n_rows).filter(|&row| self.partition.test.contains(&self.table.day[row])) {
            (0..NAMES.len()).for_each(|feature| values[feature * n_rows + row] = 1e3 * row as f32);
            for label in labels.iter_mut().filter(|label| !label.value[row].is_nan()) {
                label.value[row] = 1.0 - label.value[row];
                Arc::make_mut(&mut label.forward_return_pct)[row] *= -7.0;
            }
        }
        table.values = values.into();
        let mut market = self.market.clone();
        for bars in &mut market.bars {
            let first_test =
                N_DAYS - self.table.day[..N_DAYS].iter().filter(|day| self.partition.test.contains(day)).count();
            for bar in first_test..N_DAYS {
                let price = 50.0 + (bar % 7) as f64;
                bars.open[bar] = price;
                bars.high[bar] = price + 2.0;
                bars.low[bar] = price - 1.0;
                bars.close[bar] = price + 1.0;
            }
        }
        Self { table, labels, splits: self.splits.clone(), partition: self.partition.clone(), market }
    }
}

fn market(returns: &[f64], day: &[i32]) -> Market {
    let bars = |symbol_idx: usize| {
        let rows = symbol_idx * N_DAYS..(symbol_idx + 1) * N_DAYS;
        let step =
            |close: &mut f64, change: &f64| Some(std::mem::replace(close, *close * (1.0 + change / 100.0).max(0.1)));
        let close: Vec<f64> = returns[rows.clone()].iter().scan(100.0, step).collect();
        let open: Vec<f64> = (0..N_DAYS).map(|bar| close[bar.saturating_sub(1)]).collect();
        let ends =
            |pick: fn(f64, f64) -> f64| open.iter().zip(&close).map(|(&open, &close)| pick(open, close)).collect();
        Bars {
            symbol: ["AAA", "BBB"][symbol_idx].to_owned(),
            time: day[rows].iter().map(|&day| i64::from(day) * 86_400).collect(),
            high: ends(f64::max),
            low: ends(f64::min),
            volume: vec![1e6; N_DAYS],
            open,
            close,
        }
    };
    Market {
        bars: vec![bars(0), bars(1)],
        benchmarks: Vec::new(),
        timeframe: Timeframe::Day1,
        span: LabelledSpan::default(),
        warm_up_bars: 0,
        warnings: vec![Warning::new(WarningCode::WarmUpShortened, "a warning of an earlier stage")],
        sha256: "00".to_owned(),
    }
}

fn label(returns: &[f64], day: &[i32], threshold_pct: f64) -> Label {
    let is_known = |row: usize| row % N_DAYS < N_DAYS - 1;
    let known_values = |value: &dyn Fn(usize) -> f32| -> Vec<f32> {
        (0..returns.len()).map(|row| if is_known(row) { value(row) } else { f32::NAN }).collect()
    };
    Label {
        key: LabelKey { horizon_days: 1, threshold_pct },
        horizon_bars: 1,
        value: known_values(&|row| f32::from(u8::from(returns[row] >= threshold_pct))),
        forward_return_pct: (0..returns.len()).map(|row| if is_known(row) { returns[row] } else { f64::NAN }).collect(),
        known_day: (0..day.len()).map(|row| if is_known(row) { day[row] + 1 } else { i32::MAX }).collect(),
    }
}

/// A model family that scores a row by its position between the means of the two classes, over the
/// columns that differ most.
///
/// The number of columns plays the role of the rounds. If there are rows for early stopping, the
/// family uses the number of columns that scores best on them.
pub(crate) struct Centroid<'a> {
    manifest: Manifest,
    table: &'a FeatureTable,
    first_column: usize,
    fault: fn(&FitRequest<'_>) -> Option<FitError>,
    pub(crate) n_prepared: AtomicUsize,
}

impl<'a> Centroid<'a> {
    pub(crate) fn new(table: &'a FeatureTable) -> Self {
        let manifest = Manifest::new("centroid", "1.0.0")
            .named(["Centroid"])
            .param(Param::int("columns", 6).range(1, 6).search(1, 6))
            .param(Param::float("power", 1.0).range(0.1, 3.0).search(0.5, 2.0))
            .rounds_param("columns")
            .leads_search()
            .concurrent_fits();
        Self { manifest, table, first_column: 0, fault: |_| None, n_prepared: AtomicUsize::new(0) }
    }

    /// Creates a family with another id that ignores the columns before `first_column`.
    pub(crate) fn blind_to(table: &'a FeatureTable, first_column: usize, id: &str) -> Self {
        let this = Self::new(table);
        let manifest = Manifest { id: id.to_owned(), names: vec![id.to_owned()], ..this.manifest };
        Self { manifest, first_column, ..this }
    }

    /// Creates a family that ignores the signal unless the searched parameter `sees_signal` is set.
    pub(crate) fn blind_by_default(table: &'a FeatureTable) -> Self {
        let this = Self::blind_to(table, 1, "blinking");
        Self { manifest: this.manifest.param(Param::flag("sees_signal", false).search_all()), ..this }
    }

    pub(crate) fn with_fault(self, fault: fn(&FitRequest<'_>) -> Option<FitError>) -> Self {
        Self { fault, ..self }
    }

    fn mean(&self, column: usize, rows: impl Iterator<Item = u32>) -> f64 {
        let values = self.table.column(column);
        let (sum, n_rows) = rows.fold((0.0, 0), |(sum, n), row| (sum + f64::from(values[row as usize]), n + 1));
        sum / f64::from(n_rows.max(1))
    }

    fn scores(&self, weights: &[(usize, f64)], rows: &[u32]) -> Vec<f32> {
        let score = |&row: &u32| {
            weights.iter().map(|(column, w)| w * f64::from(self.table.column(*column)[row as usize])).sum::<f64>()
        };
        rows.iter().map(|row| score(row) as f32).collect()
    }
}

impl Fitter for Centroid<'_> {
    fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    fn prepare(&self, learn_rows: &[u32], _: &Setting, _: &FitProgressFn<'_>) -> Result<PreparedId, FitError> {
        self.n_prepared.fetch_add(1, Ordering::Relaxed);
        Ok(PreparedId(learn_rows.len()))
    }

    fn fit(&self, request: &FitRequest<'_>) -> Result<Fitted, FitError> {
        if let Some(error) = (self.fault)(request) {
            return Err(error);
        }
        let class_rows =
            |class: f32| request.train_rows.iter().copied().filter(move |&row| request.label[row as usize] == class);
        if class_rows(1.0).next().is_none() || class_rows(0.0).next().is_none() {
            return Err(FitError::Rejected { code: code::DATA, message: "expected both classes".to_owned() });
        }
        let power = request.params.get("power").and_then(Value::as_f64).unwrap_or(1.0);
        let n_columns = request.params.get("columns").and_then(Value::as_u64).unwrap_or(6) as usize;
        let sees_signal = request.params.get("sees_signal").and_then(Value::as_bool).unwrap_or(false);
        let first_column = if sees_signal { 0 } else { self.first_column };
        let weight = |column| {
            let difference = self.mean(column, class_rows(1.0)) - self.mean(column, class_rows(0.0));
            (column, difference.signum() * difference.abs().powf(power))
        };
        let mut weights: Vec<(usize, f64)> = (first_column..NAMES.len()).map(weight).collect();
        weights.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()));
        weights.truncate(n_columns);
        let mut summary = Summary::default();
        if !request.tune_rows.is_empty() {
            let target: Vec<f32> = request.tune_rows.iter().map(|&row| request.label[row as usize]).collect();
            let tune_auc = |n: &usize| auc(&target, &self.scores(&weights[..*n], request.tune_rows)).unwrap_or(0.0);
            let best = (1..=weights.len()).max_by(|a, b| tune_auc(a).total_cmp(&tune_auc(b))).unwrap_or(1);
            weights.truncate(best);
        }
        summary.rounds = Some(weights.len() as u32);
        let returns_model = request.output == FitOutput::Model;
        let mut importance = vec![0.0; NAMES.len()];
        weights.iter().for_each(|(column, weight)| importance[*column] = weight.abs());
        Ok(Fitted {
            scores: self.scores(&weights, request.predict_rows),
            summary,
            model: returns_model.then(|| format!("{weights:?}").into_bytes()),
            importance: returns_model.then_some(importance),
        })
    }
}

/// Returns the parameters of a job that sets none.
pub(crate) fn no_params() -> Map<String, Value> {
    Map::new()
}
