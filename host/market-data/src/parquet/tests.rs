//! Tests of reading and writing Parquet.

use std::path::PathBuf;

use oculus_job::code::ErrorCode;
use polars::prelude::{IntoColumn, ParquetCompression, TimeUnit};
use proptest::prelude::*;

use super::*;
use crate::time_column::TimeReader;

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/parquet");
const FILES: [&str; 6] =
    ["pandas_default", "pandas_new_york", "pandas_paris", "arrow_dates", "arrow_plain", "pandas_zoned"];

fn golden(name: &str) -> PathBuf {
    PathBuf::from(GOLDEN).join(format!("{name}.parquet"))
}

fn timeframe_of(name: &str) -> Timeframe {
    if name == "pandas_zoned" { Timeframe::Hour1 } else { Timeframe::Day1 }
}

/// Returns the rows from which every golden file was written.
fn csv_rows() -> Vec<Row> {
    let text = include_str!("../../../../examples/bars/AAPL.csv");
    let rows = text.lines().skip(1).take(60).enumerate().map(|(idx, line)| {
        let fields: Vec<&str> = line.split(',').collect();
        let values = [1, 2, 3, 4, 5].map(|field| fields[field].parse().unwrap());
        Row { line: idx + 1, time: TimeReader::new(Timeframe::Day1).text(fields[0]).unwrap(), values }
    });
    rows.collect()
}

#[test]
fn files_of_pandas_and_pyarrow_are_read_as_their_source_bars() {
    for name in FILES {
        let rows = read(&golden(name), timeframe_of(name)).unwrap();
        let expected: Vec<Row> = match timeframe_of(name) {
            Timeframe::Hour1 => {
                csv_rows().into_iter().map(|row| Row { time: row.time + 14 * 3600 + 1800, ..row }).collect()
            }
            _ => csv_rows(),
        };
        assert_eq!(rows, expected, "{name}");
    }
}

#[test]
fn written_rows_survive_a_round_trip() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("A.parquet");
    for rows in [csv_rows(), Vec::new()] {
        std::fs::write(&path, to_bytes(&rows, vec![]).unwrap()).unwrap();
        for timeframe in [Timeframe::Day1, Timeframe::Minute5] {
            assert_eq!(read(&path, timeframe).unwrap(), rows);
        }
    }
}

/// Reads a table of two rows in which `column` replaces the column of the same name. Returns the
/// error message, or the rows if the table is valid.
fn message_with(column: Column) -> String {
    let mut columns: Vec<Column> =
        NUMBERS.iter().map(|name| Series::new((*name).into(), [1.0, 1.0]).into_column()).collect();
    columns.push(Series::new("date".into(), ["2024-01-02", "2024-01-03"]).into_column());
    columns.retain(|other| other.name() != column.name());
    columns.push(column);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("A.parquet");
    let mut table = DataFrame::new(2, columns).unwrap();
    ParquetWriter::new(std::fs::File::create(&path).unwrap())
        .with_compression(ParquetCompression::Snappy)
        .finish(&mut table)
        .unwrap();
    read(&path, Timeframe::Day1).map(|rows| format!("{rows:?}")).unwrap_or_else(|failure| failure.message)
}

#[test]
fn an_invalid_number_or_time_is_named_with_its_row() {
    let column = |name: &str, series: Series| series.with_name(name.into()).into_column();
    let floats = |values: [Option<f64>; 2]| Series::new("".into(), values);
    let moments = |seconds: [i64; 2]| {
        let milliseconds = Series::new("".into(), seconds.map(|seconds| seconds * 1_000));
        milliseconds.cast(&DataType::Datetime(TimeUnit::Milliseconds, None)).unwrap()
    };
    for (wrong, expected) in [
        (column("high", floats([Some(1.0), None])), "A.parquet row 2: high is null, expected a finite number"),
        (column("low", floats([Some(f64::NAN), None])), "A.parquet row 1: low is NaN, expected a finite number"),
        (column("open", Series::new("".into(), ["1", "2"])), "A.parquet: open is of type str, expected numbers"),
        (column("date", Series::new("".into(), ["2024-01-02", "soon"])), "row 2: date is \"soon\", expected a date"),
        (
            column("date", floats([Some(1.0), None])),
            "date is of type f64, expected a date, a time, whole numbers or text",
        ),
        (
            column("date", Series::new("".into(), [1_704_153_600_i64, 1_704_153_601])),
            "row 2: date is 1704153601, expected the date of a session",
        ),
        (column("date", Series::new("".into(), [i64::MAX, 0])), "row 1: date is 9223372036854775807, expected a time"),
        (column("date", Series::new("".into(), [None, Some(0_i64)])), "row 1: date is null, expected a time"),
        (
            column("date", moments([1_704_153_600, 1_704_236_400])),
            "row 2: date is 2024-01-02T23:00:00Z, expected the date of a session",
        ),
        (column("CLOSE", floats([Some(1.0), Some(1.0)])), r#"several columns of close: "close" (column 4), "CLOSE""#),
        (column("Time", Series::new("".into(), ["x", "x"])), "1.0, 1.0"),
    ] {
        let message = message_with(wrong);
        assert!(message.contains(expected), "missing: {expected}\nin: {message}");
    }
    let whole = message_with(column("volume", Series::new("".into(), [1_i64, 2])));
    assert!(whole.contains("1.0, 2.0]"), "{whole}");
}

/// Reads the times of a table whose time column has the given name and values.
fn times_of(name: &str, series: Series, timeframe: Timeframe) -> Vec<i64> {
    let n_rows = series.len();
    let mut columns = vec![series.with_name(name.into()).into_column()];
    columns.extend(NUMBERS.iter().map(|name| Series::new((*name).into(), vec![1.0; n_rows]).into_column()));
    let mut bytes = Vec::new();
    ParquetWriter::new(&mut bytes).finish(&mut DataFrame::new(n_rows, columns).unwrap()).unwrap();
    from_bytes(&bytes, "A.parquet", timeframe).unwrap().iter().map(|row| row.time).collect()
}

#[test]
fn whole_numbers_of_every_unit_and_texts_are_read_as_in_csv() {
    let times = [1_704_205_800, 1_704_209_400];
    for (name, per_second) in [("time", 1), ("open_time", 1_000), ("Datetime", 1_000_000), ("ts", 1_000_000_000)] {
        let numbers = Series::new("".into(), times.map(|time| time * per_second));
        assert_eq!(times_of(name, numbers, Timeframe::Hour1), times, "{name}");
    }
    let unsigned = Series::new("".into(), times.map(|time| time as u64 * 1_000));
    assert_eq!(times_of("t", unsigned, Timeframe::Hour1), times);
    let texts = Series::new("".into(), ["2024-01-02T09:30:00-05:00[America/New_York]", "2024-01-02 10:30:00-05:00"]);
    assert_eq!(times_of("timestamp", texts, Timeframe::Hour1), times);
    let dates = Series::new("".into(), [20_240_102, 20_240_103]);
    assert_eq!(times_of("date", dates, Timeframe::Day1), [1_704_153_600, 1_704_240_000]);
}

#[test]
fn a_file_that_is_not_parquet_is_bad_bars() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("A.parquet");
    for bytes in [&b""[..], b"PAR1", b"PAR1PAR1", b"PAR1\xff\xff\xff\x7fPAR1", b"date,open\n1,2\n"] {
        std::fs::write(&path, bytes).unwrap();
        let failure = read(&path, Timeframe::Day1).unwrap_err();
        assert_eq!(failure.code, ErrorCode::BadBars);
        assert!(failure.message.starts_with("A.parquet "), "{}", failure.message);
    }
    assert_eq!(read(&folder.path().join("B.parquet"), Timeframe::Day1).unwrap_err().code, ErrorCode::UnreadableBars);
}

/// Damage to a file.
#[derive(Clone, Debug)]
enum Damage {
    /// Changes one byte. The position is counted from the end of the file, where the metadata is.
    Flip(usize, u8),
    /// Removes the byte at a position and all bytes after it.
    Cut(usize),
    /// Inserts bytes at a position.
    Insert(usize, Vec<u8>),
}

fn damage() -> impl Strategy<Value = Damage> {
    prop_oneof![
        6 => (any::<usize>(), any::<u8>()).prop_map(|(at, byte)| Damage::Flip(at, byte)),
        1 => any::<usize>().prop_map(Damage::Cut),
        1 => (any::<usize>(), prop::collection::vec(any::<u8>(), 1..20)).prop_map(|(at, bytes)| Damage::Insert(at, bytes)),
    ]
}

fn damaged_by(mut bytes: Vec<u8>, damages: &[Damage]) -> Vec<u8> {
    for damage in damages {
        let n_bytes = bytes.len().max(1);
        match damage {
            Damage::Flip(at, byte) => bytes.iter_mut().rev().nth(at % n_bytes).into_iter().for_each(|old| *old = *byte),
            Damage::Cut(at) => bytes.truncate(at % n_bytes),
            Damage::Insert(at, more) => {
                let at = (at % n_bytes).min(bytes.len());
                bytes.splice(at..at, more.iter().copied());
            }
        }
    }
    bytes
}

proptest! {
    #[test]
    fn a_damaged_file_is_an_error_or_rows_but_never_a_panic(
        file in 0..FILES.len(),
        damages in prop::collection::vec(damage(), 1..4),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("A.parquet");
        std::fs::write(&path, damaged_by(std::fs::read(golden(FILES[file])).unwrap(), &damages)).unwrap();
        match read(&path, timeframe_of(FILES[file])) {
            Ok(rows) => prop_assert!(rows.iter().all(|row| row.values.iter().all(|value| value.is_finite()))),
            Err(failure) => {
                prop_assert_eq!(failure.code, ErrorCode::BadBars);
                prop_assert!(failure.message.contains("A.parquet"), "{}", failure.message);
            }
        }
    }
}
