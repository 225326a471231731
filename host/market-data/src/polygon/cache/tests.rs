//! Tests of the cache: naming, damage, merging, resuming and locking.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::time::Duration;

use super::*;
use crate::polygon::page::Page;

const DAY: i64 = 86_400;

fn span(first: i32, last: i32) -> CachedSpan {
    CachedSpan { days: Days::new(first, last).unwrap(), as_of: last + 1 }
}

fn table(days: impl IntoIterator<Item = i32>) -> CacheFile {
    let row = |(idx, day): (usize, i32)| Row { line: idx + 1, time: i64::from(day) * DAY, values: [f64::from(day); 5] };
    CacheFile { rows: days.into_iter().enumerate().map(row).collect(), next: None }
}

fn days(rows: &[Row]) -> Vec<i64> {
    rows.iter().map(|row| row.time / DAY).collect()
}

/// Opens the cache of one series in a folder, and passes it to `work`.
fn with<R>(root: &Path, work: impl FnOnce(&SeriesCache) -> R) -> R {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    work(&runtime.block_on(SeriesCache::open(root, "BRKb:X", Timeframe::Day1, &|| {})).unwrap())
}

#[test]
fn a_file_is_named_by_its_days_including_days_without_bars() {
    let root = tempfile::tempdir().unwrap();
    with(root.path(), |cache| {
        cache.store(span(20_000, 20_009), &table([20_001, 20_003])).unwrap();
        cache.store(span(20_020, 20_029), &table([])).unwrap();
        let cached = cache.load(Days::new(20_000, 20_040).unwrap()).unwrap();
        assert_eq!(
            (days(&cached.rows), cached.spans),
            (vec![20_001, 20_003], vec![span(20_000, 20_009), span(20_020, 20_029)])
        );
    });
    let path = root.path().join("adjusted/1d/BRK%62%3AX/2024-10-04_2024-10-13@2024-10-14.parquet");
    assert!(path.is_file(), "{}", path.display());
}

#[test]
fn a_damaged_file_is_renamed_and_its_days_are_no_longer_cached() {
    let root = tempfile::tempdir().unwrap();
    with(root.path(), |cache| {
        cache.store(span(10, 19), &table(10..20)).unwrap();
        cache.store(span(20, 29), &table(20..30)).unwrap();
        let path = cache.path(span(10, 19));
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
        let cached = cache.load(Days::new(10, 29).unwrap()).unwrap();
        assert_eq!((days(&cached.rows), cached.spans), ((20..30).collect(), vec![span(20, 29)]));
        assert!(path.with_extension("damaged").is_file() && !path.exists());
    });
}

#[test]
fn many_adjacent_files_are_merged_into_one_with_the_same_rows() {
    let root = tempfile::tempdir().unwrap();
    with(root.path(), |cache| {
        for first in (10..10 + 2 * MANY_FILES as i32).step_by(2) {
            cache.store(span(first, first + 1), &table([first])).unwrap();
        }
        cache.store(span(100, 101), &table([100])).unwrap();
        let all = Days::new(0, 200).unwrap();
        let before = cache.load(all).unwrap();
        cache.tidy().unwrap();
        let after = cache.load(all).unwrap();
        assert_eq!(days(&before.rows), days(&after.rows));
        let merged = CachedSpan { days: Days::new(10, 9 + 2 * MANY_FILES as i32).unwrap(), as_of: 12 };
        assert_eq!(after.spans, [merged, span(100, 101)], "the earliest day of a fetch is kept");
    });
}

#[test]
fn files_that_a_killed_process_left_behind_are_removed() {
    let root = tempfile::tempdir().unwrap();
    with(root.path(), |cache| {
        cache.store(span(10, 29), &table(10..30)).unwrap();
        cache.store(span(10, 19), &table(10..20)).unwrap();
        let unfinished =
            [".oculus-a1B2c3.tmp", "2020-01-01_2020-01-02@2020-01-03.parquet.tmp"].map(|name| cache.folder.join(name));
        for path in &unfinished {
            std::fs::write(path, "half").unwrap();
        }
        let page = Page { rows: table([12]).rows, next: Some("/next?".to_owned()) };
        for fetch in [span(12, 15), span(28, 40)] {
            cache.fetch(fetch.days, fetch.as_of).unwrap().add(page.clone()).unwrap();
        }
        cache.tidy().unwrap();
        let cached = cache.load(Days::new(0, 50).unwrap()).unwrap();
        assert_eq!(
            (days(&cached.rows), cached.spans),
            ((10..30).collect(), vec![span(10, 29)]),
            "the file within another one is removed"
        );
        assert_eq!(cache.unfinished().unwrap(), [span(28, 40)]);
        assert_eq!(unfinished.map(|path| path.exists()), [false, false]);
    });
}

#[test]
fn a_fetch_continues_after_its_last_complete_page() {
    let root = tempfile::tempdir().unwrap();
    let requested = Days::new(10, 40).unwrap();
    let page = |day: i32, next: Option<&str>| Page { rows: table([day]).rows, next: next.map(str::to_owned) };
    with(root.path(), |cache| {
        let mut fetch = cache.fetch(Days::new(10, 30).unwrap(), 31).unwrap();
        assert_eq!(fetch.next(), NextPage::First);
        fetch.add(page(11, Some("/a"))).unwrap();
        fetch.add(page(12, Some("/b"))).unwrap();
        assert!(matches!(fetch.add(page(13, Some("/a"))), Err(PolygonError::PageCycle { page: 3 })));
    });
    with(root.path(), |cache| {
        // The earlier, unfinished fetch contains some of the requested days.
        let mut fetch = cache.fetch(requested, 45).unwrap();
        assert_eq!(
            (fetch.span, fetch.next(), fetch.n_pages(), fetch.n_rows()),
            (span(10, 30), NextPage::At("/b"), 2, 2)
        );
        fetch.add(page(20, None)).unwrap();
        assert_eq!((fetch.next(), fetch.n_rows()), (NextPage::Complete, 3));
        assert_eq!(days(&fetch.take_rows()), [11, 12, 20]);
        let other = cache.fetch(Days::new(11, 40).unwrap(), 45).unwrap();
        assert_eq!(
            (other.span.as_of, other.next()),
            (45, NextPage::First),
            "a fetch with another first day is not resumed"
        );
    });
    with(root.path(), |cache| {
        let folder = cache.folder.join(span(10, 30).name("part"));
        std::fs::write(folder.join("page-00002.parquet"), "damaged").unwrap();
        assert_eq!(cache.fetch(requested, 45).unwrap().next(), NextPage::First, "a damaged page restarts the fetch");
    });
}

#[test]
fn a_cleared_series_has_no_files() {
    let root = tempfile::tempdir().unwrap();
    with(root.path(), |cache| {
        cache.clear().unwrap();
        cache.store(span(10, 19), &table(10..20)).unwrap();
        cache.clear().unwrap();
        assert_eq!(cache.load(Days::new(0, 50).unwrap()).unwrap(), CachedRows::default());
    });
    let left: Vec<_> = root.path().join("adjusted/1d").read_dir().unwrap().map(|it| it.unwrap().file_name()).collect();
    assert_eq!(left, ["BRK%62%3AX.lock"]);
}

#[test]
fn only_one_task_at_a_time_can_open_a_series() {
    let root = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let soon = Duration::from_millis(100);
        let n_busy = Cell::new(0);
        let on_busy = || n_busy.set(n_busy.get() + 1);
        let open =
            |symbol| tokio::time::timeout(soon, SeriesCache::open(root.path(), symbol, Timeframe::Day1, &on_busy));
        let first = open("AAPL").await.unwrap().unwrap();
        assert!(open("AAPL").await.is_err(), "the series is locked");
        assert_eq!(n_busy.get(), 1);
        open("MSFT").await.unwrap().unwrap();
        drop(first);
        open("AAPL").await.unwrap().unwrap();
    });
}

#[test]
fn equal_duplicates_are_merged_and_different_ones_are_an_error() {
    let rows = [table([3, 1, 2]).rows, table([2, 3]).rows].concat();
    let sorted = merged(rows.clone(), Timeframe::Day1, "here").unwrap();
    assert_eq!((days(&sorted), sorted[2].line), (vec![1, 2, 3], 3));
    let other = Row { values: [9.0; 5], ..rows[0] };
    let error = merged([rows, vec![other]].concat(), Timeframe::Day1, "here").unwrap_err();
    assert_eq!(error.to_string(), "here contains two different bars for 1970-01-04");
}

#[test]
fn symbols_that_differ_only_in_case_have_different_folders() {
    let symbols = ["BRK.B", "BRKb", "brkb", "^GSPC", "X:BTCUSD", "a_b-c"];
    let names: BTreeSet<_> = symbols.map(|it| folder_name(it).to_lowercase()).into_iter().collect();
    assert_eq!(names.len(), symbols.len());
    assert_eq!([folder_name("BRK.B"), folder_name("^a")], ["BRK.B", "%5E%61"]);
}
