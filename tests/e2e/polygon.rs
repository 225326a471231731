//! The real binary against a recorded market-data server: bars fetched once, whatever happens on the way.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use oculus_pipeline::date::iso_date;
use oculus_tests::command::{self, Said};
use oculus_tests::log::LogEvent;
use oculus_tests::polygon::{Asked, Fault, KEY, Polygon, today};
use oculus_tests::{Redis, Worker, build, jobs, results, wording};
use serde_json::Value;
use tempfile::TempDir;

/// A server, and a cache that is filled from it.
struct Place {
    server: Polygon,
    cache: TempDir,
}

impl Place {
    fn new(bars_a_page: usize) -> Self {
        Self { server: Polygon::start(bars_a_page), cache: tempfile::tempdir().unwrap() }
    }

    fn with<R>(&self, work: impl FnOnce(&[(&str, &str)]) -> R) -> R {
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

    fn fetch(&self, arguments: &[&str]) -> Said {
        self.with(|settings| command::run(&[&["bars", "fetch"], arguments].concat(), settings))
    }

    /// Bars of both symbols since so many days ago.
    fn fetch_days(&self, n_days: i32) -> Said {
        let from = iso_date(today() - n_days);
        let said = self.fetch(&["--symbol", "AAPL", "--symbol", "MSFT", "--from", &from]);
        assert_eq!(said.code, 0, "{said:?}");
        said
    }

    /// The same, not waited for.
    fn start_fetch_days(&self, n_days: i32) -> Child {
        let from = iso_date(today() - n_days);
        let mut command = command::isolated(Command::new(build::host()), self.cache.path());
        self.with(|settings| command.envs(settings.iter().copied()));
        command.args(["bars", "fetch", "--symbol", "AAPL", "--symbol", "MSFT", "--from", &from]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// The files of the cache by their path in it.
    fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let mut files = BTreeMap::new();
        gather(self.cache.path(), self.cache.path(), &mut files);
        files
    }

    /// Those that hold bars.
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

/// What is in the cache when nothing goes wrong.
fn undisturbed(n_days: i32) -> BTreeMap<String, Vec<u8>> {
    let place = Place::new(50_000);
    place.fetch_days(n_days);
    let bars = place.bars();
    assert_eq!(bars.len(), 2, "a file a symbol: {:?}", bars.keys());
    bars
}

fn pages_of(asked: &[Asked], symbol: &str) -> Vec<usize> {
    asked.iter().filter(|asked| asked.symbol.as_deref() == Some(symbol)).map(|asked| asked.page).collect()
}

#[test]
fn bars_are_fetched_once_and_the_next_run_asks_for_nothing() {
    let place = Place::new(100);
    let said = place.fetch_days(365);
    let asked = place.server.take_asked();
    assert_eq!([pages_of(&asked, "AAPL"), pages_of(&asked, "MSFT")], [vec![1, 2, 3], vec![1, 2, 3]]);
    assert!(asked.iter().all(|asked| asked.has_key), "{asked:?}");
    let bars = place.bars();
    assert_eq!((bars.len(), place.files().keys().any(|name| name.contains("page-"))), (2, false), "{:?}", bars.keys());
    let again = place.fetch_days(365);
    assert_eq!(place.server.take_asked(), []);
    assert_eq!(place.bars(), bars);
    // 52 weeks and a day have 260 or 261 weekdays; day 0 was a Thursday.
    let n_bars = (today() - 365..today()).filter(|day| (day + 3).rem_euclid(7) < 5).count().to_string();
    for (said, pages) in [(said, "3"), (again, "0")] {
        let row = said.stdout.lines().find(|line| line.contains("MSFT")).unwrap().to_owned();
        assert!(row.contains(&n_bars) && row.contains(pages), "{}", said.stdout);
    }
    place.fetch(&["--symbol", "MSFT", "--from", &iso_date(today() - 365), "--refresh"]);
    assert_eq!(pages_of(&place.server.take_asked(), "MSFT"), [1, 2, 3]);
    assert_eq!(place.bars(), bars);
}

#[test]
fn whatever_goes_wrong_with_pages_the_bars_are_identical() {
    let place = Place::new(60);
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
        place.server.fault("AAPL", page, fault);
    }
    let storm = Fault::Status(429, "Retry-After: 0\r\n", "too many");
    for page in 1..=7 {
        (0..4).for_each(|_| place.server.fault("MSFT", page, storm.clone()));
    }
    place.server.fault("MSFT", 7, Fault::Status(429, "", "too many"));
    place.fetch_days(600);
    let asked = place.server.take_asked();
    assert_eq!(pages_of(&asked, "AAPL"), [1, 1, 2, 2, 3, 3, 4, 5, 6, 7, 7, 8]);
    assert_eq!(pages_of(&asked, "MSFT").len(), 8 + 7 * 4 + 1);
    assert_eq!(place.bars(), undisturbed(600));
}

#[test]
fn a_fetch_killed_at_every_page_goes_on_at_the_page_it_lacks() {
    let place = Place::new(60);
    for page in 1..=8 {
        place.server.fault("AAPL", page, Fault::Silence);
        let mut process = place.start_fetch_days(600);
        place.server.wait_until_asked("AAPL", page);
        process.kill().unwrap();
        process.wait().unwrap();
        let asked = pages_of(&place.server.take_asked(), "AAPL");
        let needed = if page == 1 { vec![1] } else { vec![page - 1, page] };
        assert_eq!(asked, needed, "no page that was whole");
    }
    place.fetch_days(600);
    assert_eq!(pages_of(&place.server.take_asked(), "AAPL"), [8]);
    assert_eq!(place.bars(), undisturbed(600));
    place.fetch_days(600);
    assert_eq!(place.server.take_asked(), []);
}

#[test]
fn processes_at_once_fetch_every_page_once() {
    let place = Place::new(60);
    let processes: Vec<Child> = (0..3).map(|_| place.start_fetch_days(600)).collect();
    for process in processes {
        let output = process.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let asked = place.server.take_asked();
    for symbol in ["AAPL", "MSFT"] {
        assert_eq!(pages_of(&asked, symbol), (1..=8).collect::<Vec<_>>(), "{symbol}");
    }
    assert_eq!(place.bars(), undisturbed(600));
}

#[test]
fn a_split_renews_all_that_was_there() {
    let place = Place::new(300);
    place.fetch_days(100);
    place.server.take_asked();
    place.server.split_today("AAPL");
    let said = place.fetch_days(200);
    let asked = place.server.take_asked();
    let is_split = |event: &LogEvent| event.mentions("AAPL") && event.mentions(&iso_date(today()));
    assert!(said.events().iter().any(is_split), "{}", said.stderr);
    let row = |symbol| said.stdout.lines().find(|line| line.contains(symbol)).unwrap();
    assert_eq!((pages_of(&asked, "AAPL").len(), pages_of(&asked, "MSFT").len()), (1, 1), "{}", said.stdout);
    assert_ne!(row("AAPL").replace("AAPL", "MSFT"), row("MSFT"), "of MSFT, half was in the cache");
    let needed = Place::new(300);
    needed.server.split_today("AAPL");
    needed.fetch_days(200);
    let of = |bars: BTreeMap<String, Vec<u8>>| bars.into_iter().find(|(name, _)| name.contains("AAPL")).unwrap();
    assert_eq!(of(place.bars()), of(needed.bars()));
}

#[test]
fn intraday_bars_come_by_page_as_well() {
    let place = Place::new(500);
    let said = place.fetch(&["--symbol", "AAPL", "--timeframe", "5m", "--years", "0.1"]);
    assert_eq!(said.code, 0, "{said:?}");
    // 19 sessions of 78 bars, the last from five to four.
    assert!(said.stdout.contains("1482") && said.stdout.contains(":55:00Z"), "{}", said.stdout);
    assert_eq!(pages_of(&place.server.take_asked(), "AAPL"), [1, 2, 3]);
}

#[test]
fn the_key_stands_in_no_output_log_or_file() {
    let place = Place::new(60);
    let own =
        format!("{}/v2/aggs/ticker/AAPL/range/1/day/2020-01-01/2020-01-02?cursor=0&apiKey={KEY}", place.server.url());
    place.server.fault("AAPL", 2, Fault::NextAt(own));
    place.server.fault("AAPL", 1, Fault::Status(503, "", "do not come again with key-hunter2-of-the-tests"));
    let mut said = vec![place.fetch_days(200)];
    assert!(place.server.take_asked().iter().all(|asked| !asked.target.contains(KEY)));
    let denied: [(Fault, &[&str]); 4] = [
        (Fault::Status(401, "", "key-hunter2-of-the-tests is not known"), &["*** is not known", "POLYGON_API_KEY"]),
        (Fault::Status(403, "", "key-hunter2-of-the-tests is not welcome"), &["*** is not welcome"]),
        (Fault::Status(302, "Location: http://127.0.0.1:9/?apiKey=key-hunter2-of-the-tests\r\n", ""), &["302"]),
        (Fault::NextAt(format!("http://127.0.0.1:9/v2?cursor=1&apiKey={KEY}")), &["http://127.0.0.1:9"]),
    ];
    for (fault, facts) in denied {
        place.server.fault("MSFT", 1, fault.clone());
        let failed = place.fetch(&["--symbol", "MSFT", "--from", &iso_date(today() - 400), "--refresh"]);
        assert_eq!((failed.code, failed.stdout.as_str()), (1, ""), "{fault:?}: {failed:?}");
        assert!(failed.stderr.contains(wording::REMEDY), "{fault:?}: {failed:?}");
        assert!(facts.iter().all(|fact| failed.stderr.contains(fact)), "{fault:?}: {failed:?}");
        said.push(failed);
    }
    for said in &said {
        assert!(!said.stdout.contains("hunter2") && !said.stderr.contains("hunter2"), "{said:?}");
    }
    let key = b"hunter2";
    for (name, bytes) in place.files() {
        let found = bytes.windows(key.len()).any(|window| window == key) || name.contains("hunter2");
        assert!(!found, "{name} holds the key");
    }
}

#[test]
fn a_command_without_a_key_or_bars_says_what_to_do() {
    let said = command::run(&["bars", "fetch", "--symbol", "AAPL"], &[]);
    assert_eq!((said.code, said.stdout.as_str()), (2, ""));
    assert!(said.stderr.contains("POLYGON_API_KEY"), "{}", said.stderr);
    assert!(said.stderr.contains(jobs::bars().to_str().unwrap()), "where bars come from: {}", said.stderr);
    assert_eq!(command::run(&["bars", "fetch"], &[]).code, 2, "a symbol is needed");
    assert_eq!(command::run(&["bars", "fetch", "--symbol", "A", "--timeframe", "2h"], &[]).code, 2);
    let place = Place::new(60);
    let said = place.fetch(&["--symbol", "NOSUCH"]);
    assert_eq!((said.code, said.stdout.as_str()), (3, ""));
    assert!(said.stderr.contains("NOSUCH") && said.stderr.contains(wording::REMEDY), "{}", said.stderr);
}

#[test]
fn a_job_on_polygons_bars_gives_what_the_same_bars_give_from_a_folder() {
    let place = Place::new(200);
    let job = jobs::job("on-polygon");
    let result = place.with(|settings| command::train(&job, settings));
    let asked = place.server.take_asked();
    assert!(asked.len() >= 8 && asked.iter().all(|asked| asked.has_key), "{asked:?}");
    let folder = tempfile::tempdir().unwrap();
    place.server.write_daily(folder.path());
    let needed = command::train_on(folder.path(), &job);
    let sha256 = |result: &Value| result["provenance"]["bars"]["sha256"].as_str().unwrap().to_owned();
    assert_eq!(sha256(&result), sha256(&needed));
    assert_eq!(result["model_metrics"], needed["model_metrics"]);
    assert_eq!(result["provenance"]["bars"]["source"], "polygon");
    // A worker that shares the cache has nothing to fetch, but for the benchmark, which the server may know by now.
    let redis = Redis::start();
    let worker = place.with(|settings| Worker::start(&redis, settings));
    redis.submit(&job);
    assert_eq!(results::outside_run(&redis.result_of("on-polygon")), results::outside_run(&result));
    let asked = place.server.take_asked();
    let symbols: Vec<_> = asked.iter().map(|asked| asked.symbol.as_deref()).collect();
    assert_eq!(symbols, [Some("SPY")], "{asked:?}");
    assert!(!worker.log().contains(KEY), "{}", worker.log());
}
