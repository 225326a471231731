//! Checks that the file format, row order and column order do not change the bars.
// clippy.toml allows `unwrap` only in #[test] functions, not in the helpers of this file.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use oculus_job::request::Timeframe;
use oculus_market_data::folder::Folder;
use oculus_market_data::parquet;
use oculus_market_data::synth::{Kind, Recipe, generate};
use oculus_pipeline::bars::{
    Bars, BarsRequest, FoundRows, Row, RowUnit, Source, TimeRange, format_bar_time, inspect, validated_bars,
};
use proptest::prelude::*;

const N_ROWS: usize = 60;

/// Returns the rows of a random walk, oldest first.
fn rows() -> Vec<Row> {
    let timeframe = Timeframe::Day1;
    let recipe = Recipe { kind: Kind::Walk, symbol: "A".to_owned(), stream: 0, seed: 1, timeframe, n_bars: N_ROWS };
    let bars = generate(&recipe).bars;
    let values = |bar: usize| [bars.open[bar], bars.high[bar], bars.low[bar], bars.close[bar], bars.volume[bar]];
    (0..N_ROWS).map(|bar| Row { line: bar + 2, time: bars.time[bar], values: values(bar) }).collect()
}

fn bars_of(rows: Vec<Row>) -> Bars {
    inspect(FoundRows { origin: "A.csv".to_owned(), unit: RowUnit::Line, rows }, "A", Timeframe::Day1).bars
}

/// Calls `write` to write a file to a folder, and reads the bars of the file.
fn through_a_file(name: &str, write: impl FnOnce(&Path)) -> Bars {
    let folder = tempfile::tempdir().unwrap();
    write(&folder.path().join(name));
    let symbols = ["A".to_owned()];
    let request =
        BarsRequest { symbols: &symbols, optional: &[], timeframe: Timeframe::Day1, range: TimeRange::From(0) };
    let reading = Folder::new(folder.path()).read(&request, &|_| {}).unwrap().remove(0);
    validated_bars(reading, Timeframe::Day1, &mut Vec::new()).unwrap().unwrap()
}

/// Formats the rows as CSV with the columns in the given order.
fn csv(rows: &[Row], columns: &[usize]) -> String {
    const NAMES: [&str; 6] = ["Open", "high", "LOW", "close", "Volume", "Date"];
    let line =
        |field: &dyn Fn(usize) -> String| columns.iter().map(|&column| field(column)).collect::<Vec<_>>().join(",");
    let mut text = line(&|column| NAMES[column].to_owned());
    for row in rows {
        let field = |column: usize| {
            if column == 5 { format_bar_time(row.time, Timeframe::Day1) } else { row.values[column].to_string() }
        };
        text.push('\n');
        text.push_str(&line(&field));
    }
    text
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn shuffled_or_duplicate_rows_in_any_format_are_the_same_bars(
        rows in Just(rows()).prop_shuffle(),
        columns in Just(vec![0, 1, 2, 3, 4, 5]).prop_shuffle(),
        duplicates in prop::collection::vec(0..N_ROWS, 0..5),
    ) {
        let expected = bars_of(self::rows());
        let mut rows = rows;
        for idx in duplicates {
            rows.push(rows[idx]);
        }
        prop_assert_eq!(&bars_of(rows.clone()), &expected);
        prop_assert_eq!(&through_a_file("A.csv", |path| std::fs::write(path, csv(&rows, &columns)).unwrap()), &expected);
        prop_assert_eq!(&through_a_file("A.parquet", |path| std::fs::write(path, parquet::to_bytes(&rows, vec![]).unwrap()).unwrap()), &expected);
    }
}
