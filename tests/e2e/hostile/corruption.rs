//! Tests with a thousand randomly damaged copies of a real plugin.

use std::collections::BTreeMap;
use std::time::Instant;

use oculus_plugin_api::testing::Noise;
use oculus_tests::build::library_file;
use oculus_tests::hostile::Library;
use oculus_tests::results::model;
use oculus_tests::{Redis, SOON, Site, Worker, eventually, jobs};
use serde_json::{Value, json};

use super::Baseline;

const N_DAMAGED: usize = 1000;
/// Number of damaged files in the folder at the same time.
const BATCH_SIZE: usize = 125;
/// Number of bytes at the beginning of an ELF file that contain its headers and the tables for the
/// loader.
const N_HEADER_BYTES: usize = 4096;
/// Time without progress after which a plugin is killed. Some damaged plugins pass the probe and
/// hang in a fit, and the default of 900 s is longer than the test waits for a result.
const SILENCE_SECONDS: &str = "10";

/// Returns a random number below a bound.
fn random_below(noise: &mut Noise, bound: usize) -> usize {
    (noise.bits() % bound as u64) as usize
}

/// Damages a library in one of six ways, and returns the kind of damage.
fn damage(library: &mut Library, noise: &mut Noise) -> &'static str {
    let bytes = library.bytes_mut();
    let n_bytes = bytes.len();
    let from = random_below(noise, n_bytes);
    let to = n_bytes.min(from + 1 + random_below(noise, 4096));
    match random_below(noise, 8) {
        0 | 1 => {
            bytes.truncate(from);
            "truncated"
        }
        2 | 3 => {
            bytes[from] = bytes[from].wrapping_add(1 + random_below(noise, 255) as u8);
            "one byte"
        }
        4 => {
            bytes[from % N_HEADER_BYTES] ^= 1 << random_below(noise, 8);
            "one bit of the headers"
        }
        5 => {
            bytes[from..to].iter_mut().for_each(|byte| *byte = noise.bits() as u8);
            "noise"
        }
        6 => {
            bytes[from..to].fill(0);
            "zeros"
        }
        _ => {
            bytes.drain(from..to);
            "bytes removed"
        }
    }
}

/// The worker's verdict on a library.
enum Outcome {
    /// The library is active under this id, which the damage may have changed.
    Active(String),
    /// The library is rejected for this reason.
    Rejected(String),
}

/// Number of libraries per verdict and kind of damage.
type Tally = BTreeMap<String, usize>;

#[test]
fn a_randomly_damaged_plugin_is_rejected_with_a_reason_or_works_and_affects_no_other() {
    let redis = Redis::start();
    let site = Site::new();
    site.publish_built("oculus_plugin_lightgbm");
    let worker = site.worker(&redis, &[("PLUGIN_SILENCE_SECONDS", SILENCE_SECONDS)]);
    let baseline = Baseline::measure(&redis, &worker);
    let started = Instant::now();
    let mut noise = Noise::new(6);
    let mut tally = Tally::new();
    for batch_idx in 0..N_DAMAGED / BATCH_SIZE {
        let batch: Vec<_> = (0..BATCH_SIZE).map(|idx| Damaged::new(batch_idx, idx, &mut noise)).collect();
        let n_lines = worker.events().len();
        let files: Vec<_> = batch.iter().map(|it| it.library.publish_as_old(&site.plugins(), &it.id)).collect();
        let outcomes = outcomes(&worker, n_lines, &batch);
        let works = train_with_active(&redis, &outcomes, batch_idx);
        for Damaged { id, kind, .. } in &batch {
            let outcome = match &outcomes[id] {
                Outcome::Active(id) => works[id].clone(),
                Outcome::Rejected(reason) => rejection_class(reason),
            };
            *tally.entry(format!("{outcome} ({kind})")).or_default() += 1;
        }
        files.iter().for_each(|file| std::fs::remove_file(file).unwrap());
    }
    baseline.assert_unchanged(&redis, &site);
    println!("{N_DAMAGED} damaged libraries in {:.1} s:\n{tally:#?}", started.elapsed().as_secs_f64());
}

/// A damaged copy of the library with a unique id.
struct Damaged {
    id: String,
    library: Library,
    kind: &'static str,
}

impl Damaged {
    fn new(batch_idx: usize, idx: usize, noise: &mut Noise) -> Self {
        let id = format!("damaged-{batch_idx}-{idx}");
        let mut library = Library::built().with("id", &id);
        let kind = damage(&mut library, noise);
        Self { id, library, kind }
    }
}

/// Returns the worker's verdicts on the libraries of a batch. The key is the id of the library
/// before the damage.
fn outcomes(worker: &Worker, n_lines: usize, batch: &[Damaged]) -> BTreeMap<String, Outcome> {
    let by_file: BTreeMap<_, _> = batch.iter().map(|it| (library_file(&it.id), it.id.clone())).collect();
    let by_sha256: BTreeMap<_, _> = batch.iter().map(|it| (it.library.sha256(), it.id.clone())).collect();
    let mut n_read = n_lines;
    let mut outcomes = BTreeMap::new();
    eventually("verdict on every library", SOON * 6, || {
        let events = worker.events_from(n_read);
        n_read += events.len();
        for event in events {
            let rejected = by_file.iter().find(|(file, _)| event.is_rejection_of(file));
            let active = by_sha256.iter().find(|(sha256, _)| event.is_activation_of(sha256));
            if let Some((_, id)) = rejected {
                outcomes.insert(id.clone(), Outcome::Rejected(event.message().to_owned()));
            } else if let Some((_, id)) = active {
                outcomes.insert(id.clone(), Outcome::Active(event.text("id").unwrap().to_owned()));
            }
        }
        (outcomes.len() == batch.len()).then_some(())
    });
    outcomes
}

/// Returns the class of a rejection: its reason without the parts that differ between files. The
/// part before the first colon is dropped, because it is equal for all rejections.
fn rejection_class(message: &str) -> String {
    let (_, reason) = message.split_once(": ").unwrap_or_else(|| panic!("no reason in {message}"));
    // The length is measured in characters, not bytes, because a damaged symbol name may consist of
    // replacement characters.
    let n_chars = reason.split("; ").next().unwrap().chars().count();
    assert!((1..=300).contains(&n_chars), "{reason}");
    let end = reason.find([':', ',', '`', '0']).unwrap_or(reason.len());
    reason[..end].trim().to_owned()
}

/// Runs a job with LightGBM and every active library, and returns the outcome of each library by
/// its id. If the probe does not find a damage, the fit of the damaged family may fail, but nothing
/// else may fail.
fn train_with_active(
    redis: &Redis,
    outcomes: &BTreeMap<String, Outcome>,
    batch_idx: usize,
) -> BTreeMap<String, String> {
    let passed = outcomes.values().filter_map(|outcome| match outcome {
        Outcome::Active(id) => Some(id),
        Outcome::Rejected(_) => None,
    });
    let passed: Vec<_> = passed.collect();
    let id = format!("uses-{batch_idx}");
    let mut job = jobs::with_search_family("LightGBM", &id);
    job["design"]["ml_training_config"]["families"] = json!(passed);
    redis.submit(&job);
    let result = redis.result_of(&id);
    assert_eq!(result["status"], "success", "{result}");
    passed.iter().map(|id| ((*id).clone(), fit_outcome(model(&result, id)))).collect()
}

/// Returns the outcome of a family's fit.
fn fit_outcome(row: &Value) -> String {
    match row["status"].as_str().unwrap() {
        "ok" => "works".to_owned(),
        "failed" => {
            assert!(!row["reason"].as_str().unwrap().is_empty(), "{row}");
            "passes the probe and fails in the job".to_owned()
        }
        other => panic!("{other}: {row}"),
    }
}
