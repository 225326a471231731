//! A source of bars for tests: the project's example bars.

use oculus_job::code::ErrorCode;
use oculus_job::error::JobError;
use oculus_job::progress::Phase;

use crate::bars::{BarsRequest, FetchProgressFn, FoundRows, Reading, Row, RowUnit, Source};
use crate::date::days_since_epoch;

/// Daily bars of AAPL and MSFT from `examples/bars`.
pub(crate) struct ExampleBars;

impl Source for ExampleBars {
    fn name(&self) -> &'static str {
        "example"
    }

    fn read(&self, request: &BarsRequest<'_>, _: &FetchProgressFn<'_>) -> Result<Vec<Reading>, JobError> {
        let reading = |symbol: &String| {
            let found =
                text(symbol).map(|text| FoundRows { origin: symbol.clone(), unit: RowUnit::Row, rows: rows(text) });
            Reading { symbol: symbol.clone(), found, warnings: Vec::new() }
        };
        Ok(request.symbols.iter().chain(request.optional).map(reading).collect())
    }

    fn no_bars_failure(&self, symbols: &[String]) -> JobError {
        JobError::refused(Phase::DataFetch, ErrorCode::NoBars, symbols.join(", "), "")
    }
}

fn text(symbol: &str) -> Option<&'static str> {
    match symbol {
        "AAPL" => Some(include_str!("../../../examples/bars/AAPL.csv")),
        "MSFT" => Some(include_str!("../../../examples/bars/MSFT.csv")),
        _ => None,
    }
}

fn rows(text: &str) -> Vec<Row> {
    let row = |(idx, line): (usize, &str)| {
        let (date, values) = line.split_once(',').unwrap();
        let mut values = values.split(',').map(|value| value.parse().unwrap());
        Row {
            // Line 1 is the header.
            line: idx + 2,
            time: i64::from(days_since_epoch(date.parse().unwrap())) * 86_400,
            values: std::array::from_fn(|_| values.next().unwrap()),
        }
    };
    text.lines().skip(1).enumerate().map(row).collect()
}
