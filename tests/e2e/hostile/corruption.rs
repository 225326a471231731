//! A real plugin that is damaged at random, a thousand times.

use std::collections::BTreeMap;
use std::time::Instant;

use oculus_plugin_api::testing::Noise;
use oculus_tests::build::library_file;
use oculus_tests::hostile::Library;
use oculus_tests::results::model;
use oculus_tests::{Redis, SOON, Site, Worker, eventually, jobs};
use serde_json::{Value, json};

use super::Undisturbed;

const N_DAMAGED: usize = 1000;
/// Files that lie in the folder at once.
const AT_ONCE: usize = 125;
/// The headers of an ELF file, and the tables by which a loader finds what is in it.
const N_HEADER_BYTES: usize = 4096;

/// Draws a number below a bound.
fn below(noise: &mut Noise, bound: usize) -> usize {
    (noise.bits() % bound as u64) as usize
}

/// Damages a library in one of six ways, and returns the kind of damage.
fn damage(library: &mut Library, noise: &mut Noise) -> &'static str {
    let bytes = library.bytes_mut();
    let n_bytes = bytes.len();
    let from = below(noise, n_bytes);
    let to = n_bytes.min(from + 1 + below(noise, 4096));
    match below(noise, 8) {
        0 | 1 => {
            bytes.truncate(from);
            "cut short"
        }
        2 | 3 => {
            bytes[from] = bytes[from].wrapping_add(1 + below(noise, 255) as u8);
            "one byte"
        }
        4 => {
            bytes[from % N_HEADER_BYTES] ^= 1 << below(noise, 8);
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
            "a piece lost"
        }
    }
}

/// The worker's verdict on a library.
enum Outcome {
    /// Active under this id, which the damage may have changed.
    Active(String),
    /// Refused for this reason.
    Refused(String),
}

/// Number of libraries per verdict and kind of damage.
type Tally = BTreeMap<String, usize>;

#[test]
fn a_randomly_damaged_plugin_is_refused_with_a_reason_or_works_and_disturbs_no_other() {
    let redis = Redis::start();
    let site = Site::new();
    site.publish_built("oculus_plugin_lightgbm");
    let worker = site.worker(&redis, &[]);
    let undisturbed = Undisturbed::before(&redis, &worker);
    let started = Instant::now();
    let mut noise = Noise::new(6);
    let mut tally = Tally::new();
    for batch_idx in 0..N_DAMAGED / AT_ONCE {
        let batch: Vec<_> = (0..AT_ONCE).map(|idx| Damaged::new(batch_idx, idx, &mut noise)).collect();
        let n_lines = worker.events().len();
        let files: Vec<_> = batch.iter().map(|it| it.library.publish_as_old(&site.plugins(), &it.id)).collect();
        let outcomes = outcomes(&worker, n_lines, &batch);
        let works = use_all(&redis, &outcomes, batch_idx);
        for Damaged { id, kind, .. } in &batch {
            let came_to = match &outcomes[id] {
                Outcome::Active(id) => works[id].clone(),
                Outcome::Refused(reason) => class_of(reason),
            };
            *tally.entry(format!("{came_to} ({kind})")).or_default() += 1;
        }
        files.iter().for_each(|file| std::fs::remove_file(file).unwrap());
    }
    undisturbed.assert_still(&redis, &site);
    println!("{N_DAMAGED} damaged libraries in {:.1} s:\n{tally:#?}", started.elapsed().as_secs_f64());
}

/// A damaged copy of the library, under an id of its own.
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

/// Returns the worker's verdict on each library of a batch, by the id before the damage.
fn outcomes(worker: &Worker, n_lines: usize, batch: &[Damaged]) -> BTreeMap<String, Outcome> {
    let by_file: BTreeMap<_, _> = batch.iter().map(|it| (library_file(&it.id), it.id.clone())).collect();
    let by_sha256: BTreeMap<_, _> = batch.iter().map(|it| (it.library.sha256(), it.id.clone())).collect();
    let mut n_read = n_lines;
    let mut outcomes = BTreeMap::new();
    eventually("verdict on all", SOON * 6, || {
        let events = worker.events_from(n_read);
        n_read += events.len();
        for event in events {
            let refused = by_file.iter().find(|(file, _)| event.is_refusal_of(file));
            let active = by_sha256.iter().find(|(sha256, _)| event.is_activation_of(sha256));
            if let Some((_, id)) = refused {
                outcomes.insert(id.clone(), Outcome::Refused(event.message().to_owned()));
            } else if let Some((_, id)) = active {
                outcomes.insert(id.clone(), Outcome::Active(event.text("id").unwrap().to_owned()));
            }
        }
        (outcomes.len() == batch.len()).then_some(())
    });
    outcomes
}

/// Returns the class of a refusal: its reason without the parts that differ between files. The part before the first
/// colon is the same for all.
fn class_of(message: &str) -> String {
    let (_, reason) = message.split_once(": ").unwrap_or_else(|| panic!("no reason in {message}"));
    assert!(!reason.is_empty() && reason.split("; ").next().unwrap().len() <= 300, "{reason}");
    let end = reason.find([':', ',', '`', '0']).unwrap_or(reason.len());
    reason[..end].trim().to_owned()
}

/// Runs a job of LightGBM with every active library as a further family, and returns the outcome of each by id. Damage
/// that the examination does not find may cost a family its fit, and nothing else.
fn use_all(redis: &Redis, outcomes: &BTreeMap<String, Outcome>, batch_idx: usize) -> BTreeMap<String, String> {
    let passed = outcomes.values().filter_map(|outcome| match outcome {
        Outcome::Active(id) => Some(id),
        Outcome::Refused(_) => None,
    });
    let passed: Vec<_> = passed.collect();
    let id = format!("uses-{batch_idx}");
    let mut job = jobs::led_by("LightGBM", &id);
    job["design"]["ml_training_config"]["families"] = json!(passed);
    redis.submit(&job);
    let result = redis.result_of(&id);
    assert_eq!(result["status"], "success", "{result}");
    passed.iter().map(|id| ((*id).clone(), came_to(model(&result, id)))).collect()
}

fn came_to(row: &Value) -> String {
    match row["status"].as_str().unwrap() {
        "ok" => "works".to_owned(),
        "failed" => {
            assert!(!row["reason"].as_str().unwrap().is_empty(), "{row}");
            "passes, and fails in the job".to_owned()
        }
        other => panic!("{other}: {row}"),
    }
}
