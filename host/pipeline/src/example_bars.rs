//! The project's example bars as a source for tests.

use oculus_job::code::ErrorCode;
use oculus_job::failure::Failure;
use oculus_job::progress::Phase;

use crate::bars::{FetchProgressFn, Found, Reading, Row, RowUnit, Source, Wanted};
use crate::date::days_since_epoch;

/// Daily bars of AAPL and MSFT from `examples/bars`.
pub(crate) struct ExampleBars;

impl Source for ExampleBars {
    fn name(&self) -> &'static str {
        "example"
    }

    fn read(&self, wanted: &Wanted<'_>, _: &FetchProgressFn<'_>) -> Result<Vec<Reading>, Failure> {
        let reading = |symbol: &String| {
            let found = text(symbol).map(|text| Found { origin: symbol.clone(), unit: RowUnit::Row, rows: rows(text) });
            Reading { symbol: symbol.clone(), found, warnings: Vec::new() }
        };
        Ok(wanted.symbols.iter().chain(wanted.optional).map(reading).collect())
    }

    fn nothing(&self, symbols: &[String]) -> Failure {
        Failure::refused(Phase::DataFetch, ErrorCode::NoBars, symbols.join(", "), "")
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
            line: idx + 2,
            time: i64::from(days_since_epoch(date.parse().unwrap())) * 86_400,
            values: std::array::from_fn(|_| values.next().unwrap()),
        }
    };
    text.lines().skip(1).enumerate().map(row).collect()
}
