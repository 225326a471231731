//! Formats the files of the chosen strategy: equity by date, round trips, and a chart.
//!
//! In: the equity curve and the bars. Out: each file as bytes, in Parquet or SVG. Invariant: equal
//! jobs give equal bytes. The column `set` is `validation` or `test`, as in `predictions.csv`.

use oculus_job::request::Timeframe;
use oculus_market_data::table_writer::parquet_bytes;
use oculus_market_data::time_column::time_series;
use oculus_pipeline::bars::{Market, time_column};
use oculus_pipeline::strategy::{EquityCurve, EquityPoint, Trade};
use polars::prelude::{Column, DataFrame, DataType, NamedFrom, PolarsResult, Series};

use super::equity_chart;
use super::row_set::RowSet;
use crate::charts::ChartError;

/// The equity and the round trips of the chosen strategy.
#[derive(Clone, Debug)]
pub(crate) struct EquityFiles {
    timeframe: Timeframe,
    equity: Vec<EquityPoint>,
    /// Round trips of the development period, then those of the test period, each ordered by entry.
    trades: Vec<NamedTrade>,
}

/// A round trip with its symbol and its times.
#[derive(Clone, Debug)]
struct NamedTrade {
    set: RowSet,
    symbol: String,
    /// Start of the entry bar, seconds since 1970-01-01 UTC. The position was entered at the open
    /// of this bar.
    entry_time: i64,
    /// Start of the bar in which the position was closed, seconds since 1970-01-01 UTC.
    exit_time: i64,
    trade: Trade,
}

impl EquityFiles {
    /// Creates the files of an equity curve; `None` if no strategy was chosen.
    pub(crate) fn new(curve: &EquityCurve, market: &Market) -> Option<Self> {
        let named = |(set, trade): (RowSet, &Trade)| {
            let bars = &market.bars[trade.symbol_idx];
            NamedTrade {
                set,
                symbol: bars.symbol.clone(),
                entry_time: bars.time[trade.trip.entry_bar],
                exit_time: bars.time[trade.trip.exit_bar],
                trade: *trade,
            }
        };
        let before = curve.development_trades.iter().map(|trade| (RowSet::Validation, trade));
        let after = curve.test_trades.iter().map(|trade| (RowSet::Test, trade));
        let mut trades: Vec<NamedTrade> = before.chain(after).map(named).collect();
        // The test is later than the development period, so sorting by time does not mix the sets.
        // The sort is stable: trades with equal times stay in the order of the job's symbols.
        trades.sort_by_key(|trade| trade.entry_time);
        let files = Self { timeframe: market.timeframe, equity: curve.equity.clone(), trades };
        (!files.equity.is_empty()).then_some(files)
    }

    /// Returns the equity of the strategy and of its benchmarks at the end of each date, as
    /// Parquet.
    ///
    /// # Errors
    /// Returns a [`PolarsError`](polars::prelude::PolarsError) if the table cannot be encoded.
    pub(crate) fn equity(&self) -> PolarsResult<Vec<u8>> {
        let days: Vec<i32> = self.equity.iter().map(|point| point.day).collect();
        let sets: Vec<&str> = self.equity.iter().map(|point| row_set(point).name()).collect();
        let column = |name: &str, of: fn(&EquityPoint) -> f64| {
            Column::from(Series::new(name.into(), self.equity.iter().map(of).collect::<Vec<f64>>()))
        };
        let columns = vec![
            Column::from(Series::new("date".into(), days).cast(&DataType::Date)?),
            Column::from(Series::new("set".into(), sets)),
            column("strategy", |point| point.strategy),
            column("buy_and_hold", |point| point.buy_and_hold),
            column("always_in", |point| point.always_in),
            column("exposure", |point| point.exposure),
        ];
        parquet_bytes(DataFrame::new(self.equity.len(), columns)?)
    }

    /// Returns the round trips as Parquet.
    ///
    /// The times are in the columns `entry_date` and `exit_date`. For intraday bars, the columns
    /// are `entry_timestamp` and `exit_timestamp`, and contain the starts of the bars.
    ///
    /// # Errors
    /// Returns a [`PolarsError`](polars::prelude::PolarsError) if the table cannot be encoded.
    pub(crate) fn trades(&self) -> PolarsResult<Vec<u8>> {
        let texts = |name: &str, of: fn(&NamedTrade) -> &str| {
            Column::from(Series::new(name.into(), self.trades.iter().map(of).collect::<Vec<&str>>()))
        };
        let numbers = |name: &str, of: fn(&NamedTrade) -> f64| {
            Column::from(Series::new(name.into(), self.trades.iter().map(of).collect::<Vec<f64>>()))
        };
        let columns = vec![
            texts("set", |trade| trade.set.name()),
            texts("symbol", |trade| &trade.symbol),
            self.times("entry", |trade| trade.entry_time)?,
            self.times("exit", |trade| trade.exit_time)?,
            numbers("entry_price", |trade| trade.trade.trip.entry_price),
            numbers("exit_price", |trade| trade.trade.trip.exit_price),
            texts("reason", |trade| trade.trade.trip.reason.as_str()),
            numbers("gain_pct", |trade| 100.0 * trade.trade.trip.gain),
        ];
        parquet_bytes(DataFrame::new(self.trades.len(), columns)?)
    }

    /// Draws the equity curves as SVG.
    ///
    /// # Errors
    /// Returns [`ChartError`] if the drawing library fails.
    pub(crate) fn equity_chart(&self) -> Result<String, ChartError> {
        equity_chart::draw(&self.equity)
    }

    fn times(&self, end: &str, of: fn(&NamedTrade) -> i64) -> PolarsResult<Column> {
        let times: Vec<i64> = self.trades.iter().map(of).collect();
        let name = format!("{end}_{}", time_column(self.timeframe));
        Ok(Column::from(time_series(&times, self.timeframe)?.with_name(name.into())))
    }
}

fn row_set(point: &EquityPoint) -> RowSet {
    if point.is_test { RowSet::Test } else { RowSet::Validation }
}
