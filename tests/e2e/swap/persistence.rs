//! The state that a later worker inherits from an earlier one, and that concurrent workers share.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use oculus_tests::build::library_file;
use oculus_tests::hostile::Library;
use oculus_tests::log::LogEvent;
use oculus_tests::{Redis, Site, Worker, command, jobs, wording};

use super::{ID, assert_uses, build, start_with, wait_until_active};

/// Waits until a worker has rejected the build that terminates its process when it is opened.
fn wait_for_rejection(worker: &Worker) {
    worker.wait_for_event("rejection", |event| {
        event.is_rejection_of(&library_file(ID)) && event.mentions(wording::EXIT_CODE_0)
    });
}

/// Returns a build that can be opened only while a file exists.
fn gated(number: u32, gate: &Path) -> Library {
    build(number).with("act", "open-wait").with("file", gate.to_str().unwrap())
}

#[test]
fn a_restart_reads_generations_and_verdicts_from_the_journal_without_a_probe() {
    let redis = Redis::start();
    let site = Site::new();
    let gate = site.path("gate");
    fs::write(&gate, "open").unwrap();
    let first = gated(1, &gate);
    let second = gated(2, &gate);
    let bad = build(3).with("act", "open-exit");
    site.publish(ID, &first);
    let mut before = site.worker(&redis, &[]);
    site.publish(ID, &second);
    wait_until_active(&before, 2, &second);
    site.publish(ID, &bad);
    wait_for_rejection(&before);
    let listed = site.listed(ID);
    before.kill();
    fs::remove_file(&gate).unwrap();
    // From here, an attempt to open a library would block.
    let after = site.worker(&redis, &[]);
    wait_until_active(&after, 2, &second);
    assert_eq!(site.listed(ID), listed);
    assert!(listed.state == "quarantined" && listed.reason.contains(wording::EXIT_CODE_0), "{listed:?}");
    fs::write(&gate, "open").unwrap();
    assert_uses(&redis, "after-the-restart", &second);
}

#[test]
fn a_journal_that_cannot_be_read_is_renamed_and_the_worker_starts() {
    let redis = Redis::start();
    let first = build(1);
    let (site, mut before) = start_with(&redis, &first);
    before.kill();
    let journal = site.state().join("journal.json");
    let text = fs::read_to_string(&journal).unwrap();
    let half = &text[..text.len() / 2];
    fs::write(&journal, half).unwrap();
    let after = site.worker(&redis, &[]);
    wait_until_active(&after, 1, &first);
    let event = after.wait_for_event("warning of the journal", |event| event.warns_of(path_text(&journal)));
    let is_moved_journal = |path: &&PathBuf| path.is_file() && fs::read_to_string(path).is_ok_and(|text| text == half);
    let moved = all_below(&site.state()).iter().find(is_moved_journal).expect("the broken journal").clone();
    assert!(moved != journal && event.mentions(path_text(&moved)), "{event:?}");
    assert_uses(&redis, "with-a-new-journal", &first);
}

fn path_text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Returns a folder and all files and folders below it.
fn all_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = vec![folder.to_owned()];
    let mut next = 0;
    while next < found.len() {
        let below = fs::read_dir(&found[next]).into_iter().flatten().flatten().map(|entry| entry.path());
        let below: Vec<_> = below.collect();
        found.extend(below);
        next += 1;
    }
    found
}

#[test]
fn store_and_journal_are_accessible_only_to_their_user() {
    let redis = Redis::start();
    let (site, _worker) = start_with(&redis, &build(1));
    let found = all_below(&site.state());
    assert!(found.len() >= 5, "a store with a copy, and a journal: {found:?}");
    for path in found {
        let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        let allowed = if path.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(mode & !allowed, 0, "{} has mode {mode:o}", path.display());
    }
}

#[test]
fn a_modified_private_copy_is_not_opened() {
    let redis = Redis::start();
    let first = build(1);
    let (site, _worker) = start_with(&redis, &first);
    let opened = site.path("opened");
    let other = build(2).with("act", "open-write").with("file", path_text(&opened));
    let copy = all_below(&site.state()).into_iter().find(|path| path.ends_with(library_file(ID))).unwrap();
    let modified = fs::metadata(&copy).unwrap().modified().unwrap();
    fs::set_permissions(&copy, fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(&copy, other.bytes()).unwrap();
    File::options().write(true).open(&copy).unwrap().set_modified(modified).unwrap();
    redis.submit(&jobs::with_search_family(ID, "deceived"));
    let result = redis.result_of("deceived");
    assert_eq!(result["status"], "failed", "{result}");
    let message = result["error"]["message"].as_str().unwrap();
    for sha256 in [first.sha256(), other.sha256()] {
        assert!(message.contains(&sha256), "no {sha256} in {message}");
    }
    assert!(!opened.exists(), "the library was opened");
}

#[test]
fn two_workers_share_one_state_and_both_activate_a_new_build() {
    let redis = Redis::start();
    let first = build(1);
    let second = build(2).with("act", "open-exit");
    let third = build(3);
    let (site, one) = start_with(&redis, &first);
    let other = site.worker(&redis, &[]);
    wait_until_active(&other, 1, &first);
    site.publish(ID, &second);
    [&one, &other].into_iter().for_each(wait_for_rejection);
    site.publish(ID, &third);
    [&one, &other].iter().for_each(|worker| wait_until_active(worker, 2, &third));
    assert_eq!(site.listed(ID).generations.len(), 2);
    assert_uses(&redis, "by-either", &third);
}

#[test]
fn a_model_is_loaded_by_the_build_that_trained_it_even_after_a_swap() {
    let site = Site::new();
    let artifacts = site.path("artifacts");
    let state = site.state();
    let plugins = site.plugins();
    let settings = [("ARTIFACTS_DIR", path_text(&artifacts)), ("LOG_FORMAT", "json")];
    let first = build(1);
    let second = build(2);
    site.publish(ID, &first);
    let all_settings = [("PLUGINS_DIR", path_text(&plugins)), ("PLUGINS_STATE_DIR", path_text(&state)), settings[0]];
    command::train(&jobs::with_search_family(ID, "made-before"), &all_settings);
    site.publish(ID, &second);
    let output = site.run(&["predict", "made-before"], &settings);
    let about_rows = |event: &LogEvent| event.text("code") == Some("training_rows");
    assert!(output.code == 0 && output.warnings().iter().all(about_rows), "{output:?}");
    fs::remove_dir_all(&state).unwrap();
    let with_another = site.run(&["predict", "made-before"], &settings);
    assert_eq!(with_another.code, 0, "{with_another:?}");
    let names_both = |event: &LogEvent| event.mentions(&first.sha256()) && event.mentions(&second.sha256());
    assert!(with_another.warnings().iter().any(names_both), "{with_another:?}");
}
