//! Claims about one series in files of different forms.
// Helpers outside of #[test] functions, which clippy.toml does not cover.
#![allow(clippy::unwrap_used)]

use oculus_job::request::Timeframe;
use oculus_market_data::folder::Folder;
use oculus_market_data::parquet;
use oculus_pipeline::bars::{Bars, Found, Inspection, Reach, Row, Source, Wanted, inspect, moment, sound};
use oculus_pipeline::date::days_since_epoch;
use proptest::prelude::*;

/// A row a weekday from Monday 2024-01-01 on; no two of the same price.
fn weekdays(n_rows: usize) -> Vec<Row> {
    let monday = days_since_epoch("2024-01-01".parse().unwrap()) as usize;
    let row = |idx: usize| {
        let close = 100.0 + (idx % 11) as f64;
        let time = (monday + idx / 5 * 7 + idx % 5) as i64 * 86_400;
        Row { line: idx + 2, time, values: [close - 0.5, close + 1.0, close - 1.0, close, 1000.0 + idx as f64] }
    };
    (0..n_rows).map(row).collect()
}

fn look(rows: Vec<Row>) -> Inspection {
    inspect(Found { origin: "A.csv".to_owned(), rows }, "A", Timeframe::Day1)
}

/// Reads the rows back from a folder.
fn through_a_file(name: &str, write: impl FnOnce(&std::path::Path)) -> Bars {
    let folder = tempfile::tempdir().unwrap();
    write(&folder.path().join(name));
    let symbols = ["A".to_owned()];
    let wanted = Wanted { symbols: &symbols, optional: &[], timeframe: Timeframe::Day1, reach: Reach::From(0) };
    let reading = Folder::new(folder.path()).read(&wanted, &|_| {}).unwrap().remove(0);
    sound(reading, Timeframe::Day1, &mut Vec::new()).unwrap().unwrap()
}

/// The rows as CSV, columns in this order.
fn csv(rows: &[Row], columns: &[usize]) -> String {
    const NAMES: [&str; 6] = ["Open", "high", "LOW", "close", "Volume", "Date"];
    let line =
        |field: &dyn Fn(usize) -> String| columns.iter().map(|&column| field(column)).collect::<Vec<_>>().join(",");
    let mut text = line(&|column| NAMES[column].to_owned());
    for row in rows {
        let field = |column: usize| {
            if column == 5 { moment(row.time, Timeframe::Day1) } else { row.values[column].to_string() }
        };
        text.push('\n');
        text.push_str(&line(&field));
    }
    text
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn rows_shuffled_doubled_or_in_another_format_are_the_same_bars(
        rows in Just(weekdays(60)).prop_shuffle(),
        columns in Just(vec![0, 1, 2, 3, 4, 5]).prop_shuffle(),
        doubled in prop::collection::vec(0..60_usize, 0..5),
    ) {
        let needed = look(weekdays(60)).bars;
        let mut rows = rows;
        for idx in doubled {
            rows.push(rows[idx]);
        }
        prop_assert_eq!(&look(rows.clone()).bars, &needed);
        prop_assert_eq!(&through_a_file("A.csv", |path| std::fs::write(path, csv(&rows, &columns)).unwrap()), &needed);
        prop_assert_eq!(&through_a_file("A.parquet", |path| std::fs::write(path, parquet::to_bytes(&rows, vec![]).unwrap()).unwrap()), &needed);
    }
}
