//! Tests of loading bars from a folder.
// clippy.toml allows `unwrap` only in #[test] functions, not in the helpers of this file.
#![allow(clippy::unwrap_used)]

use std::fmt::Write;
use std::path::Path;

use oculus_job::code::ErrorCode;
use oculus_job::error::JobError;
use oculus_job::progress::Phase;
use oculus_job::request::{Job, Timeframe};
use oculus_job::warning::WarningCode;
use oculus_market_data::folder::Folder;
use oculus_market_data::parquet;
use oculus_pipeline::bars::{self, Bars, BarsRequest, Market, Row, Source, TimeRange, validated_bars};
use oculus_pipeline::date::iso_date;
use oculus_pipeline::features;
use proptest::prelude::*;
use serde_json::{Value, json};

const EXAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/bars");

fn job(symbols: &[&str], timeframe: &str, design: Value) -> Job {
    let job = json!({"build_id": "b", "symbols": symbols, "timeframe": timeframe, "design": design});
    Job::parse(&job.to_string()).unwrap()
}

fn daily(symbols: &[&str]) -> Job {
    job(symbols, "1d", json!({}))
}

/// Loads the market of a job whose families read a single row per prediction.
fn load(folder: &Path, job: &Job) -> Result<Market, JobError> {
    load_with(folder, job, 0)
}

/// Loads the market of a job with a sequence model, which reads `lookback_rows` rows before each
/// prediction.
fn load_with(folder: &Path, job: &Job, lookback_rows: usize) -> Result<Market, JobError> {
    bars::load(&Folder::new(folder), &features::bars_needs(job, lookback_rows), &|_| {})
}

/// Creates a folder with files of the given names and texts.
fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

/// Returns `n_bars` daily bars as CSV, on consecutive dates up to `last_day`. `line` formats a bar.
fn csv(n_bars: i32, last_day: i32, line: impl Fn(&str, i32) -> String) -> String {
    let mut text = "date,open,high,low,close,volume\n".to_owned();
    for day in last_day - n_bars + 1..=last_day {
        writeln!(text, "{}", line(&iso_date(day), day)).unwrap();
    }
    text
}

fn plain(date: &str, day: i32) -> String {
    let close = 100 + day % 7;
    format!("{date},{close},{},{},{close},1000", close + 1, close - 1)
}

fn read_only(text: &str) -> Result<Bars, JobError> {
    read(text, Timeframe::Day1)
}

fn read(text: &str, timeframe: Timeframe) -> Result<Bars, JobError> {
    let folder = folder(&[("A.csv", text)]);
    let symbols = ["A".to_owned()];
    let request = BarsRequest { symbols: &symbols, optional: &[], timeframe, range: TimeRange::From(0) };
    let reading = Folder::new(folder.path()).read(&request, &|_| {})?.remove(0);
    Ok(validated_bars(reading, timeframe, &mut Vec::new())?.unwrap())
}

fn message_of(text: &str) -> String {
    let failure = read_only(text).unwrap_err();
    assert_eq!((failure.code, failure.phase), (ErrorCode::BadBars, Phase::DataFetch));
    failure.message
}

#[test]
fn the_example_bars_contain_two_years_and_a_complete_warm_up() {
    let market = load(Path::new(EXAMPLES), &daily(&["MSFT", "AAPL"])).unwrap();
    assert_eq!(market.bars.iter().map(|bars| bars.symbol.as_str()).collect::<Vec<_>>(), ["MSFT", "AAPL"]);
    assert_eq!(market.warm_up_bars, 320);
    assert_eq!(market.warnings, []);
    for bars in &market.bars {
        let first_labelled = bars.session_days(Timeframe::Day1).iter().position(|&day| day >= market.span.first_day);
        assert_eq!(first_labelled, Some(320));
        assert!((500..=510).contains(&(bars.len() - 320)), "{} labelled bars", bars.len() - 320);
    }
    assert_eq!(market.sha256.len(), 64);
}

#[test]
fn the_window_of_a_sequence_model_is_loaded_before_the_labelled_span() {
    let market = load_with(Path::new(EXAMPLES), &daily(&["AAPL"]), 50).unwrap();
    let days = market.bars[0].session_days(Timeframe::Day1);
    assert_eq!(days.partition_point(|&day| day < market.span.first_day), 370);
    assert_eq!((market.warm_up_bars, market.span.lookback_rows), (320, 50));
}

#[test]
fn windows_that_leave_too_few_dates_are_not_loaded_and_cause_a_warning() {
    let market = |lookback_rows| {
        let bars = folder(&[("A.csv", &csv(60 + 250 + 15 + 40, 15_000, plain))]);
        load_with(bars.path(), &daily(&["A"]), lookback_rows).unwrap()
    };
    let is_warned = |market: &Market| market.warnings.iter().any(|warning| warning.code == WarningCode::WindowsTooLong);
    let short = market(40);
    assert!(!is_warned(&short) && short.span.lookback_rows == 40);
    let long = market(200);
    assert!(is_warned(&long) && long.span.lookback_rows == 0);
}

#[test]
fn column_order_row_order_and_spelling_do_not_change_the_market() {
    let text = std::fs::read_to_string(Path::new(EXAMPLES).join("AAPL.csv")).unwrap();
    let mut lines: Vec<String> = text
        .lines()
        .skip(1)
        .map(|line| {
            let fields: Vec<&str> = line.split(',').collect();
            let [date, open, high, low, close, volume] = fields[..] else { panic!("six fields") };
            format!("x,{volume}.0,{close},{low}0,{high},{open},{date}")
        })
        .collect();
    lines.reverse();
    lines.push(lines[7].clone());
    let shuffled = folder(&[("AAPL.csv", &format!("note,Volume,CLOSE,Low,high,open,Date\n{}\n", lines.join("\n")))]);
    let job = daily(&["AAPL"]);
    let mut market = load(shuffled.path(), &job).unwrap();
    let codes: Vec<&str> =
        std::mem::take(&mut market.warnings).into_iter().map(|warning| warning.code.as_str()).collect();
    assert_eq!(codes, ["unsorted_rows", "duplicate_rows"]);
    assert_eq!(market, load(Path::new(EXAMPLES), &job).unwrap());
}

#[test]
fn a_symbol_with_two_files_is_read_from_parquet_with_a_warning() {
    let folder = folder(&[("A.csv", "no table")]);
    let rows: Vec<Row> = (0..400)
        .map(|day| Row {
            line: 0,
            time: (14_600 + day) * 86_400,
            values: [10.0, 12.0, 9.0, 11.0 - (day % 7) as f64 / 7.0, 5.0],
        })
        .collect();
    std::fs::write(folder.path().join("A.parquet"), parquet::to_bytes(&rows, vec![]).unwrap()).unwrap();
    let market = load(folder.path(), &daily(&["A"])).unwrap();
    assert_eq!(market.bars[0].len(), 400);
    assert_eq!(market.warnings[0].code, WarningCode::TwoFiles);
    assert_eq!(Folder::new(folder.path()).symbols().unwrap(), ["A"]);
}

#[test]
fn inconsistent_bars_are_refused_with_line_and_date() {
    let bars = |line: &str| format!("date,open,high,low,close,volume\n2024-01-02,10,11,9,10,5\n{line}\n");
    for (line, expected) in [
        ("2024-01-03,10,9,8,10,5", "A.csv line 3 (2024-01-03): high is 9, expected at least 10"),
        ("2024-01-03,10,11,10.5,10,5", "A.csv line 3 (2024-01-03): low is 10.5, expected at most 10"),
        ("2024-01-03,0,11,9,10,5", "A.csv line 3 (2024-01-03): open is 0, expected a price"),
        ("2024-01-03,10,11,9,10,-5", "A.csv line 3 (2024-01-03): volume is -5"),
        ("2024-01-03,10,NaN,9,10,5", "A.csv line 3: high is \"NaN\", expected a finite number"),
        ("2024-01-03,10,,9,10,5", "A.csv line 3: high is nothing, expected a finite number"),
        ("03/01/2024,10,11,9,10,5", "A.csv line 3: date is \"03/01/2024\", expected a date"),
        ("2024-01-02,10,11,9,10.5,5", "A.csv: 2024-01-02 is in lines 2 and 3 with different values"),
    ] {
        let message = message_of(&bars(line));
        assert!(message.contains(expected), "missing: {expected}\nin: {message}");
    }
    assert!(
        message_of("date,open,high,low,volume\n").contains("no column \"close\", it has date, open, high, low, volume")
    );
    for text in ["", "\0\u{1}", "date\n\"", "date,open,high,low,close,volume\n1,2\n"] {
        assert!(read_only(text).is_err(), "{text:?}");
    }
}

#[test]
fn a_rounding_error_of_adjusted_prices_is_corrected() {
    let bars = read_only("date,open,high,low,close,volume\n2024-01-02,10,10.00005,9,10.0001,5\n").unwrap();
    assert_eq!(bars.high, [10.0001]);
}

#[test]
fn a_file_from_a_spreadsheet_is_read() {
    let text = "\u{feff}date,open,high,low,close,volume\r\n2024-01-02,10,11,9,10,5\r\n\r\n2024-01-03,10,11,9,10,5\r\n";
    assert_eq!(read_only(text).unwrap().len(), 2);
}

#[test]
fn hourly_bars_are_cut_at_a_session() {
    let mut text = "timestamp,open,high,low,close,volume\n".to_owned();
    for bar in 0..7 * 400 {
        let close = 100 + bar % 11;
        writeln!(text, "{},{close},{close},{close},{close},1", 15 * 3600 + bar / 7 * 86_400 + bar % 7 * 3600).unwrap();
    }
    let folder = folder(&[("A.csv", &text)]);
    let market = load(folder.path(), &job(&["A"], "1h", json!({"years": 0.9}))).unwrap();
    assert_eq!(market.warm_up_bars, 320);
    assert_eq!(market.bars[0].session_days(Timeframe::Hour1)[320], market.span.first_day);
    let failure = load(folder.path(), &job(&["A"], "1h", json!({"years": 0.7}))).unwrap_err();
    assert_eq!(failure.code, ErrorCode::TooFewBars);
    assert!(failure.message.starts_with("241 "), "{failure}");
}

#[test]
fn a_missing_symbol_is_left_out_and_a_job_without_any_bars_is_refused() {
    let market = load(Path::new(EXAMPLES), &daily(&["AAPL", "NONE"])).unwrap();
    assert_eq!(market.warnings[0].code, WarningCode::SymbolWithoutBars);
    let failure = load(Path::new(EXAMPLES), &daily(&["NONE"])).unwrap_err();
    assert_eq!(failure.code, ErrorCode::NoBars);
    assert!(failure.message.contains("NONE.csv") && failure.message.contains("AAPL, MSFT"), "{failure}");
    let failure = load(Path::new("/nowhere"), &daily(&["A"])).unwrap_err();
    assert_eq!(failure.code, ErrorCode::NoBars);
    assert!(failure.message.contains("/nowhere") && failure.message.contains("os error 2"), "{failure}");
}

#[test]
fn a_short_history_shortens_the_warm_up_with_a_warning() {
    let two_years = folder(&[("A.csv", &csv(700, 15_000, plain))]);
    let market = load(two_years.path(), &daily(&["A"])).unwrap();
    assert_eq!((market.warm_up_bars, market.bars[0].len()), (60, 700));
    assert_eq!(market.warnings[0].code, WarningCode::WarmUpShortened);
    let some_before = folder(&[("A.csv", &csv(831, 15_000, plain))]);
    assert_eq!(load(some_before.path(), &daily(&["A"])).unwrap().warm_up_bars, 100);
}

#[test]
fn fewer_than_250_labelled_dates_are_refused_with_their_number() {
    let enough = folder(&[("A.csv", &csv(60 + 250 + 15, 15_000, plain))]);
    assert!(load(enough.path(), &daily(&["A"])).is_ok());
    let too_few = folder(&[("A.csv", &csv(60 + 249 + 15, 15_000, plain))]);
    let failure = load(too_few.path(), &daily(&["A"])).unwrap_err();
    assert_eq!(failure.code, ErrorCode::TooFewBars);
    assert!(failure.message.starts_with("249 ") && failure.message.contains(" 250 "), "{}", failure.message);
    let empty = folder(&[("A.csv", "date,open,high,low,close,volume\n")]);
    assert_eq!(load(empty.path(), &daily(&["A"])).unwrap_err().code, ErrorCode::TooFewBars);
}

#[test]
fn symbols_that_end_before_or_begin_in_the_test_period_are_left_out() {
    let folder = folder(&[
        ("A.csv", &csv(1200, 15_000, plain)),
        ("OLD.csv", &csv(900, 14_700, plain)),
        ("NEW.csv", &csv(300, 15_000, plain)),
        (
            "GAP.csv",
            &csv(
                1200,
                15_000,
                |date, day| if day == 14_900 { plain(&iso_date(14_899), 14_899) } else { plain(date, day) },
            ),
        ),
    ]);
    let market = load(folder.path(), &daily(&["A", "OLD", "NEW", "GAP"])).unwrap();
    assert_eq!(market.bars.iter().map(|bars| bars.symbol.as_str()).collect::<Vec<_>>(), ["A", "GAP"]);
    let is_warned = |code: WarningCode, start: &str| {
        market.warnings.iter().any(|warning| warning.code == code && warning.message.starts_with(start))
    };
    assert!(is_warned(WarningCode::SymbolLeftOut, "OLD "), "{:?}", market.warnings);
    assert!(is_warned(WarningCode::SymbolLeftOut, "NEW "), "{:?}", market.warnings);
    assert!(is_warned(WarningCode::Gaps, "GAP has no bar on 1 date"), "{:?}", market.warnings);
}

#[test]
fn a_left_out_symbol_does_not_affect_the_remaining_bars() {
    // The symbol OLD has a long history and is left out. The symbol A has no bars before the span,
    // so the warm-up is shortened.
    let files = [("A.csv", csv(700, 15_000, plain)), ("OLD.csv", csv(1200, 14_700, plain))];
    let both = folder(&[(files[0].0, &files[0].1), (files[1].0, &files[1].1)]);
    let together = load(both.path(), &daily(&["A", "OLD"])).unwrap();
    let alone = load(both.path(), &daily(&["A"])).unwrap();
    assert_eq!((&together.bars, together.warm_up_bars, together.span), (&alone.bars, 60, alone.span));
    let codes: Vec<&str> = together.warnings.iter().map(|warning| warning.code.as_str()).collect();
    assert_eq!(codes, ["symbol_left_out", "warm_up_shortened"]);
}

#[test]
fn the_failure_names_the_left_out_symbols() {
    let folder = folder(&[("OLD.csv", &csv(500, 14_500, plain)), ("NEW.csv", &csv(324, 15_000, plain))]);
    let failure = load(folder.path(), &daily(&["OLD", "NEW"])).unwrap_err();
    assert_eq!(failure.code, ErrorCode::TooFewBars);
    assert!(failure.message.contains("OLD"), "{}", failure.message);
}

#[test]
fn a_symbol_with_a_short_history_is_used_once_its_features_are_complete() {
    // The symbol A has 716 labelled dates. The last 143 are the test period. The symbol B has 20
    // labelled dates before the test period.
    let warm_up_bars = features::warm_up_bars(&daily(&["A"]), 320);
    assert!(warm_up_bars < 320, "{warm_up_bars}");
    let n_bars = 143 + warm_up_bars as i32 + 15 + 20;
    let folder = folder(&[("A.csv", &csv(1200, 15_000, plain)), ("B.csv", &csv(n_bars, 15_000, plain))]);
    let market = load(folder.path(), &daily(&["A", "B"])).unwrap();
    assert_eq!(market.bars.len(), 2, "{:?}", market.warnings);
}

#[test]
fn a_symbol_that_differs_only_in_case_is_suggested() {
    let failure = load(Path::new(EXAMPLES), &daily(&["aapl"])).unwrap_err();
    assert_eq!(failure.code, ErrorCode::NoBars);
    assert!(failure.hint.contains("case-sensitive") && failure.hint.contains("AAPL"), "{}", failure.hint);
    let market = load(Path::new(EXAMPLES), &daily(&["AAPL", "msft"])).unwrap();
    assert!(market.warnings[0].message.contains("the folder has MSFT"), "{:?}", market.warnings);
}

#[test]
fn every_format_of_intraday_times_is_read_and_dates_are_those_of_new_york() {
    let rows = "10,11,9,10,5";
    let text = format!(
        "timestamp,open,high,low,close,volume\n2024-01-02T14:30:00Z,{rows}\n2024-01-02 15:30:00,{rows}\n1704213000,{rows}\n1704243600000,{rows}\n"
    );
    let bars = read(&text, Timeframe::Hour1).unwrap();
    assert_eq!(bars.time, [1_704_205_800, 1_704_209_400, 1_704_213_000, 1_704_243_600]);
    let second_of_january = 19_724;
    assert_eq!(
        bars.session_days(Timeframe::Hour1),
        [second_of_january; 4],
        "01:00 UTC is the previous evening in New York"
    );
}

#[test]
fn the_exports_of_common_programs_are_the_same_bars() {
    let times = [1_704_205_800, 1_704_206_700];
    for (header, lines) in [
        ("timestamp,open,high,low,close,volume", ["2024-01-02T14:30:00Z", "2024-01-02T14:45:00Z"]),
        ("Datetime,Open,High,Low,Close,Volume", ["2024-01-02 09:30:00-05:00", "2024-01-02 09:45:00-05:00"]),
        ("date,open,high,low,close,volume", ["2024-01-02 14:30:00+00:00", "2024-01-02 14:45:00+00:00"]),
        ("time,open,high,low,close,Volume", ["1704205800", "1704206700"]),
        ("open_time,open,high,low,close,volume", ["1704205800000", "1704206700000"]),
        (
            "timestamp,open,high,low,close,volume",
            ["2024-01-02T09:30:00[America/New_York]", "2024-01-02T09:45:00-05:00[America/New_York]"],
        ),
    ] {
        let rows = lines.map(|time| format!("{time},10,11,9,10,5")).join("\n");
        let bars = read(&format!("{header}\n{rows}\n"), Timeframe::Minute15).unwrap();
        assert_eq!((bars.time.as_slice(), bars.high.as_slice()), (&times[..], &[11.0, 11.0][..]), "{header}");
    }
}

#[test]
fn a_daily_bar_at_the_midnight_of_an_unnamed_zone_is_refused_with_its_line() {
    let text = "date,open,high,low,close,volume\n2024-01-02 23:00:00+00:00,10,11,9,10,5\n";
    let message = message_of(text);
    assert!(message.contains("A.csv line 2: date is \"2024-01-02 23:00:00+00:00\", expected the date"), "{message}");
    let zoned = text.replace("2024-01-02 23:00:00+00:00", "2024-01-03 00:00:00+01:00");
    assert_eq!(read_only(&zoned).unwrap().time, [1_704_240_000], "3 January");
}

#[test]
fn a_file_with_two_columns_of_one_name_is_refused() {
    for (header, names) in [
        ("date,close,open,high,low,close,volume", r#""close" (column 2), "close" (column 6)"#),
        ("date,close,open,high,low,Close,volume", r#""close" (column 2), "Close" (column 6)"#),
    ] {
        let message = message_of(&format!("{header}\n2024-01-02,10,10,11,9,10,5\n"));
        assert!(message.contains(names) && message.contains("expected one"), "{message}");
    }
}

#[test]
fn a_file_may_change_from_milliseconds_to_microseconds() {
    let first = 1_735_603_200;
    let line = |hour: i64| {
        let per_second = if hour < 24 { 1_000 } else { 1_000_000 };
        format!("{},10,11,9,10,5\n", (first + hour * 3_600) * per_second)
    };
    let text = format!("timestamp,open,high,low,close,volume\n{}", (0..48).map(line).collect::<String>());
    let expected: Vec<i64> = (0..48).map(|hour| first + hour * 3_600).collect();
    assert_eq!(read(&text, Timeframe::Hour1).unwrap().time, expected);
}

#[test]
fn files_whose_names_are_not_symbols_are_ignored() {
    let text = csv(400, 15_000, plain);
    let names = ["._A.csv", ".~lock.A.csv#", "A B.csv", "notes.txt", ".csv"];
    let mut files: Vec<(&str, &str)> = names.iter().map(|name| (*name, "no table")).collect();
    let symbols = ["ES=F", "EURUSD=X", "M&M.NS"];
    let valid = symbols.map(|symbol| format!("{symbol}.csv"));
    files.extend(valid.iter().map(|name| (name.as_str(), text.as_str())));
    let folder = folder(&files);
    let source = Folder::new(folder.path());
    assert_eq!(source.symbols().unwrap(), symbols);
    assert_eq!(source.ignored().unwrap(), ["A B.csv"]);
    assert_eq!(load(folder.path(), &daily(&symbols)).unwrap().bars.len(), 3);
    for symbol in symbols {
        std::fs::remove_file(folder.path().join(format!("{symbol}.csv"))).unwrap();
    }
    let failure = load(folder.path(), &daily(&["A"])).unwrap_err();
    assert!(failure.message.contains("not symbols: A B.csv"), "{failure}");
}

#[test]
fn a_folder_with_the_name_of_a_bar_file_is_refused_as_a_folder() {
    for name in ["A.parquet", "A.csv"] {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join(name)).unwrap();
        let failure = load(folder.path(), &daily(&["A"])).unwrap_err();
        assert_eq!(failure.code, ErrorCode::BadBars);
        assert_eq!(failure.message, format!("{name} is a folder, expected a file"));
    }
}

#[test]
fn a_link_to_a_missing_file_is_named() {
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink("nowhere", folder.path().join("A.csv")).unwrap();
    let failure = load(folder.path(), &daily(&["A"])).unwrap_err();
    assert_eq!(failure.code, ErrorCode::UnreadableBars);
    assert!(failure.message.contains("A.csv cannot be opened"), "{failure}");
}

proptest! {
    #[test]
    fn any_csv_is_rejected_with_a_code_and_without_a_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        text in "[0-9a-z.,\"\n-]{0,200}",
        changes in prop::collection::vec((any::<usize>(), any::<u8>()), 1..6),
    ) {
        let header = b"date,open,high,low,close,volume\n2024-01-02,1,1,1,1,1\n";
        let mut real = std::fs::read(Path::new(EXAMPLES).join("AAPL.csv")).unwrap()[..3000].to_vec();
        for (at, byte) in changes {
            let at = at % real.len();
            real[at] = byte;
        }
        let arbitrary = [&bytes[..], text.as_bytes(), &[&header[..], &bytes].concat(), &[&header[..], text.as_bytes()].concat()];
        for file in arbitrary.into_iter().chain([&real[..]]) {
            let folder = tempfile::tempdir().unwrap();
            std::fs::write(folder.path().join("A.csv"), file).unwrap();
            let code = load(folder.path(), &daily(&["A"])).unwrap_err().code;
            prop_assert!(["bad_bars", "too_few_bars"].contains(&code.as_str()), "{}", code);
        }
    }
}

#[test]
fn bars_of_another_timeframe_are_refused() {
    let folder = folder(&[("A.csv", &csv(1500, 15_000, plain))]);
    let failure = load(folder.path(), &job(&["A"], "1w", json!({}))).unwrap_err();
    assert_eq!(failure.code, ErrorCode::BadBars);
    assert_eq!(failure.message, "A.csv has bars 1.000 days apart, expected the spacing of 1w bars");
    assert!(load(folder.path(), &daily(&["A"])).is_ok());
}
