//! The real binary with a local market-data server: every bar is fetched once, despite faults.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use oculus_pipeline::date::iso_date;
use oculus_tests::command::{self, CommandOutput};
use oculus_tests::log::LogEvent;
use oculus_tests::polygon::{Fault, KEY, Polygon, Request, today};
use oculus_tests::{Redis, Worker, build, jobs, results, wording};
use serde_json::Value;
use tempfile::TempDir;

/// A server, and a cache that is filled from it.
struct Fixture {
    server: Polygon,
    cache: TempDir,
}

impl Fixture {
    fn new(bars_per_page: usize) -> Self {
        Self { server: Polygon::start(bars_per_page), cache: tempfile::tempdir().unwrap() }
    }

    /// Calls `work` with the settings of the server and the cache.
    fn with_settings<R>(&self, work: impl FnOnce(&[(&str, &str)]) -> R) -> R {
        work(&[
            ("BARS_SOURCE", "polygon"),
            ("POLYGON_API_KEY", KEY),
            ("POLYGON_BASE_URL", &self.server.url()),
            ("POLYGON_REQUESTS_PER_MINUTE", "0"),
            ("BARS_CACHE_DIR", self.cache.path().to_str().unwrap()),
            ("LOG_LEVEL", "DEBUG"),
            ("LOG_FORMAT", "json"),
        ])
    }

    fn fetch(&self, arguments: &[&str]) -> CommandOutput {
        self.with_settings(|settings| command::run(&[&["bars", "fetch"], arguments].concat(), settings))
    }

    /// Fetches the bars of both symbols for the last `n_days` days.
    fn fetch_days(&self, n_days: i32) -> CommandOutput {
        let from = iso_date(today() - n_days);
        let output = self.fetch(&["--symbol", "AAPL", "--symbol", "MSFT", "--from", &from]);
        assert_eq!(output.code, 0, "{output:?}");
        output
    }

    /// Starts the command of [`fetch_days`](Self::fetch_days) without waiting for it.
    fn start_fetch_days(&self, n_days: i32) -> Child {
        let from = iso_date(today() - n_days);
        let mut command = command::isolated(Command::new(build::host()), self.cache.path());
        self.with_settings(|settings| command.envs(settings.iter().copied()));
        command.args(["bars", "fetch", "--symbol", "AAPL", "--symbol", "MSFT", "--from", &from]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// Returns the files of the cache by their relative paths.
    fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let mut files = BTreeMap::new();
        gather(self.cache.path(), self.cache.path(), &mut files);
        files
    }

    /// Returns the files of the cache that contain bars.
    fn bars(&self) -> BTreeMap<String, Vec<u8>> {
        self.files().into_iter().filter(|(name, _)| name.ends_with(".parquet")).collect()
    }
}

fn gather(folder: &Path, root: &Path, files: &mut BTreeMap<String, Vec<u8>>) {
    for entry in folder.read_dir().unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            gather(&path, root, files);
        } else {
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            files.insert(name, std::fs::read(&path).unwrap());
        }
    }
}

/// Returns the cache after a fetch without faults.
fn cache_without_faults(n_days: i32) -> BTreeMap<String, Vec<u8>> {
    let fixture = Fixture::new(50_000);
    fixture.fetch_days(n_days);
    let bars = fixture.bars();
    assert_eq!(bars.len(), 2, "one file per symbol: {:?}", bars.keys());
    bars
}

fn requested_pages(requests: &[Request], symbol: &str) -> Vec<usize> {
    requests.iter().filter(|request| request.symbol.as_deref() == Some(symbol)).map(|request| request.page).collect()
}

#[test]
fn bars_are_fetched_once_and_the_next_run_sends_no_request() {
    let fixture = Fixture::new(100);
    let output = fixture.fetch_days(365);
    let requests = fixture.server.take_requests();
    assert_eq!(
        [requested_pages(&requests, "AAPL"), requested_pages(&requests, "MSFT")],
        [vec![1, 2, 3], vec![1, 2, 3]]
    );
    assert!(requests.iter().all(|request| request.has_key), "{requests:?}");
    let bars = fixture.bars();
    assert_eq!(
        (bars.len(), fixture.files().keys().any(|name| name.contains("page-"))),
        (2, false),
        "{:?}",
        bars.keys()
    );
    let again = fixture.fetch_days(365);
    assert_eq!(fixture.server.take_requests(), []);
    assert_eq!(fixture.bars(), bars);
    // 52 weeks and a day have 260 or 261 weekdays; day 0 was a Thursday.
    let n_bars = (today() - 365..today()).filter(|day| (day + 3).rem_euclid(7) < 5).count().to_string();
    for (output, pages) in [(output, "3"), (again, "0")] {
        let row = output.stdout.lines().find(|line| line.contains("MSFT")).unwrap().to_owned();
        assert!(row.contains(&n_bars) && row.contains(pages), "{}", output.stdout);
    }
    fixture.fetch(&["--symbol", "MSFT", "--from", &iso_date(today() - 365), "--refresh"]);
    assert_eq!(requested_pages(&fixture.server.take_requests(), "MSFT"), [1, 2, 3]);
    assert_eq!(fixture.bars(), bars);
}

#[test]
fn faulty_pages_do_not_change_the_cached_bars() {
    let fixture = Fixture::new(60);
    for (page, fault) in [
        (1, Fault::CutOff),
        (2, Fault::Truncated),
        (3, Fault::Miscounted),
        (4, Fault::Shuffled),
        (4, Fault::Repeated),
        (5, Fault::Repeated),
        (6, Fault::Shuffled),
        (7, Fault::Status(500, "", "oops")),
    ] {
        fixture.server.fault("AAPL", page, fault);
    }
    let storm = Fault::Status(429, "Retry-After: 0\r\n", "too many");
    for page in 1..=7 {
        (0..4).for_each(|_| fixture.server.fault("MSFT", page, storm.clone()));
    }
    fixture.server.fault("MSFT", 7, Fault::Status(429, "", "too many"));
    fixture.fetch_days(600);
    let requests = fixture.server.take_requests();
    assert_eq!(requested_pages(&requests, "AAPL"), [1, 1, 2, 2, 3, 3, 4, 5, 6, 7, 7, 8]);
    assert_eq!(requested_pages(&requests, "MSFT").len(), 8 + 7 * 4 + 1);
    assert_eq!(fixture.bars(), cache_without_faults(600));
}

#[test]
fn a_fetch_killed_at_every_page_continues_at_the_first_missing_page() {
    let fixture = Fixture::new(60);
    for page in 1..=8 {
        fixture.server.fault("AAPL", page, Fault::Silence);
        let mut process = fixture.start_fetch_days(600);
        fixture.server.wait_for_request("AAPL", page);
        process.kill().unwrap();
        process.wait().unwrap();
        let requests = requested_pages(&fixture.server.take_requests(), "AAPL");
        let expected = if page == 1 { vec![1] } else { vec![page - 1, page] };
        assert_eq!(requests, expected, "a complete page is not requested again");
    }
    fixture.fetch_days(600);
    assert_eq!(requested_pages(&fixture.server.take_requests(), "AAPL"), [8]);
    assert_eq!(fixture.bars(), cache_without_faults(600));
    fixture.fetch_days(600);
    assert_eq!(fixture.server.take_requests(), []);
}

#[test]
fn concurrent_processes_fetch_every_page_once() {
    let fixture = Fixture::new(60);
    let processes: Vec<Child> = (0..3).map(|_| fixture.start_fetch_days(600)).collect();
    for process in processes {
        let output = process.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let requests = fixture.server.take_requests();
    for symbol in ["AAPL", "MSFT"] {
        assert_eq!(requested_pages(&requests, symbol), (1..=8).collect::<Vec<_>>(), "{symbol}");
    }
    assert_eq!(fixture.bars(), cache_without_faults(600));
}

#[test]
fn a_split_refetches_all_cached_bars_of_its_symbol() {
    let fixture = Fixture::new(300);
    fixture.fetch_days(100);
    fixture.server.take_requests();
    fixture.server.split_today("AAPL");
    let output = fixture.fetch_days(200);
    let requests = fixture.server.take_requests();
    let is_split = |event: &LogEvent| event.mentions("AAPL") && event.mentions(&iso_date(today()));
    assert!(output.events().iter().any(is_split), "{}", output.stderr);
    let row = |symbol| output.stdout.lines().find(|line| line.contains(symbol)).unwrap();
    assert_eq!(
        (requested_pages(&requests, "AAPL").len(), requested_pages(&requests, "MSFT").len()),
        (1, 1),
        "{}",
        output.stdout
    );
    assert_ne!(row("AAPL").replace("AAPL", "MSFT"), row("MSFT"), "half of MSFT's bars were in the cache");
    let expected = Fixture::new(300);
    expected.server.split_today("AAPL");
    expected.fetch_days(200);
    let aapl = |bars: BTreeMap<String, Vec<u8>>| bars.into_iter().find(|(name, _)| name.contains("AAPL")).unwrap();
    assert_eq!(aapl(fixture.bars()), aapl(expected.bars()));
}

#[test]
fn intraday_bars_are_fetched_page_by_page() {
    let fixture = Fixture::new(500);
    let output = fixture.fetch(&["--symbol", "AAPL", "--timeframe", "5m", "--years", "0.1"]);
    assert_eq!(output.code, 0, "{output:?}");
    // 19 sessions of 78 bars; the last bar of a session starts at 15:55.
    assert!(output.stdout.contains("1482") && output.stdout.contains(":55:00Z"), "{}", output.stdout);
    assert_eq!(requested_pages(&fixture.server.take_requests(), "AAPL"), [1, 2, 3]);
}

#[test]
fn the_key_appears_in_no_output_log_or_file() {
    let fixture = Fixture::new(60);
    let next_url_with_key =
        format!("{}/v2/aggs/ticker/AAPL/range/1/day/2020-01-01/2020-01-02?cursor=0&apiKey={KEY}", fixture.server.url());
    fixture.server.fault("AAPL", 2, Fault::NextAt(next_url_with_key));
    fixture.server.fault("AAPL", 1, Fault::Status(503, "", "do not come again with key-hunter2-of-the-tests"));
    let mut outputs = vec![fixture.fetch_days(200)];
    assert!(fixture.server.take_requests().iter().all(|request| !request.target.contains(KEY)));
    let denied: [(Fault, &[&str]); 4] = [
        (Fault::Status(401, "", "key-hunter2-of-the-tests is not known"), &["*** is not known", "POLYGON_API_KEY"]),
        (Fault::Status(403, "", "key-hunter2-of-the-tests is not welcome"), &["*** is not welcome"]),
        (Fault::Status(302, "Location: http://127.0.0.1:9/?apiKey=key-hunter2-of-the-tests\r\n", ""), &["302"]),
        (Fault::NextAt(format!("http://127.0.0.1:9/v2?cursor=1&apiKey={KEY}")), &["http://127.0.0.1:9"]),
    ];
    for (fault, facts) in denied {
        fixture.server.fault("MSFT", 1, fault.clone());
        let failed = fixture.fetch(&["--symbol", "MSFT", "--from", &iso_date(today() - 400), "--refresh"]);
        assert_eq!((failed.code, failed.stdout.as_str()), (1, ""), "{fault:?}: {failed:?}");
        assert!(failed.stderr.contains(wording::REMEDY), "{fault:?}: {failed:?}");
        assert!(facts.iter().all(|fact| failed.stderr.contains(fact)), "{fault:?}: {failed:?}");
        outputs.push(failed);
    }
    for output in &outputs {
        assert!(!output.stdout.contains("hunter2") && !output.stderr.contains("hunter2"), "{output:?}");
    }
    let key = b"hunter2";
    for (name, bytes) in fixture.files() {
        let found = bytes.windows(key.len()).any(|window| window == key) || name.contains("hunter2");
        assert!(!found, "{name} contains the key");
    }
}

#[test]
fn a_command_without_a_key_or_bars_names_the_remedy() {
    let output = command::run(&["bars", "fetch", "--symbol", "AAPL"], &[]);
    assert_eq!((output.code, output.stdout.as_str()), (2, ""));
    assert!(output.stderr.contains("POLYGON_API_KEY"), "{}", output.stderr);
    assert!(
        output.stderr.contains(jobs::bars().to_str().unwrap()),
        "the current source of bars is named: {}",
        output.stderr
    );
    assert_eq!(command::run(&["bars", "fetch"], &[]).code, 2, "the symbol is missing");
    assert_eq!(command::run(&["bars", "fetch", "--symbol", "A", "--timeframe", "2h"], &[]).code, 2);
    let fixture = Fixture::new(60);
    let output = fixture.fetch(&["--symbol", "NOSUCH"]);
    assert_eq!((output.code, output.stdout.as_str()), (3, ""));
    assert!(output.stderr.contains("NOSUCH") && output.stderr.contains(wording::REMEDY), "{}", output.stderr);
}

#[test]
fn a_job_has_the_same_result_on_bars_from_polygon_and_on_equal_bars_in_a_folder() {
    let fixture = Fixture::new(200);
    let job = jobs::job("on-polygon");
    let result = fixture.with_settings(|settings| command::train(&job, settings));
    let requests = fixture.server.take_requests();
    assert!(requests.len() >= 8 && requests.iter().all(|request| request.has_key), "{requests:?}");
    let folder = tempfile::tempdir().unwrap();
    fixture.server.write_daily(folder.path());
    let expected = command::train_on(folder.path(), &job);
    let sha256 = |result: &Value| result["provenance"]["bars"]["sha256"].as_str().unwrap().to_owned();
    assert_eq!(sha256(&result), sha256(&expected));
    assert_eq!(result["model_metrics"], expected["model_metrics"]);
    assert_eq!(result["provenance"]["bars"]["source"], "polygon");
    // A worker that shares the cache fetches only the benchmark again. The benchmark's bars were
    // missing before, and the server may have them by now.
    let redis = Redis::start();
    let worker = fixture.with_settings(|settings| Worker::start(&redis, settings));
    redis.submit(&job);
    assert_eq!(results::outside_run(&redis.result_of("on-polygon")), results::outside_run(&result));
    let requests = fixture.server.take_requests();
    let symbols: Vec<_> = requests.iter().map(|request| request.symbol.as_deref()).collect();
    assert_eq!(symbols, [Some("SPY")], "{requests:?}");
    assert!(!worker.log().contains(KEY), "{}", worker.log());
}
