//! What is kept between one worker and the next, and between two that run at once.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use oculus_tests::build::library_file;
use oculus_tests::hostile::Library;
use oculus_tests::log::LogEvent;
use oculus_tests::{Redis, Site, Worker, command, jobs, wording};

use super::{ID, assert_uses, build, serving, wait_until_active};

/// Waits until a worker has refused the content that ends its process when it is opened.
fn wait_for_refusal(worker: &Worker) {
    worker.wait_for_event("refusal", |event| {
        event.is_refusal_of(&library_file(ID)) && event.mentions(wording::EXIT_CODE_0)
    });
}

/// A build that cannot be opened as long as a file is not there.
fn gated(number: u32, gate: &Path) -> Library {
    build(number).with("act", "open-wait").with("file", gate.to_str().unwrap())
}

#[test]
fn a_restart_reads_generations_and_verdicts_from_the_journal_without_an_examination() {
    let redis = Redis::start();
    let site = Site::new();
    let gate = site.beside("gate");
    fs::write(&gate, "open").unwrap();
    let first = gated(1, &gate);
    let second = gated(2, &gate);
    let bad = build(3).with("act", "open-exit");
    site.publish(ID, &first);
    let mut before = site.worker(&redis, &[]);
    site.publish(ID, &second);
    wait_until_active(&before, 2, &second);
    site.publish(ID, &bad);
    wait_for_refusal(&before);
    let listed = site.listed(ID);
    before.kill();
    fs::remove_file(&gate).unwrap();
    // An attempt to open a library would block now.
    let after = site.worker(&redis, &[]);
    wait_until_active(&after, 2, &second);
    assert_eq!(site.listed(ID), listed);
    assert!(listed.state == "quarantined" && listed.reason.contains(wording::EXIT_CODE_0), "{listed:?}");
    fs::write(&gate, "open").unwrap();
    assert_uses(&redis, "after-the-restart", &second);
}

#[test]
fn a_journal_that_cannot_be_read_is_set_aside_and_the_worker_starts() {
    let redis = Redis::start();
    let first = build(1);
    let (site, mut before) = serving(&redis, &first);
    before.kill();
    let journal = site.state().join("journal.json");
    let text = fs::read_to_string(&journal).unwrap();
    let half = &text[..text.len() / 2];
    fs::write(&journal, half).unwrap();
    let after = site.worker(&redis, &[]);
    wait_until_active(&after, 1, &first);
    let event = after.wait_for_event("warning of the journal", |event| event.warns_of(text_of(&journal)));
    let is_aside = |path: &&PathBuf| path.is_file() && fs::read_to_string(path).is_ok_and(|text| text == half);
    let aside = all_below(&site.state()).iter().find(is_aside).expect("the broken journal").clone();
    assert!(aside != journal && event.mentions(text_of(&aside)), "{event:?}");
    assert_uses(&redis, "with-a-new-journal", &first);
}

fn text_of(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// All files and folders below a folder, and itself.
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
fn store_and_journal_are_accessible_to_their_user_only() {
    let redis = Redis::start();
    let (site, _worker) = serving(&redis, &build(1));
    let found = all_below(&site.state());
    assert!(found.len() >= 5, "a store with a copy, and a journal: {found:?}");
    for path in found {
        let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        let most = if path.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(mode & !most, 0, "{} has mode {mode:o}", path.display());
    }
}

#[test]
fn a_modified_private_copy_is_not_opened() {
    let redis = Redis::start();
    let first = build(1);
    let (site, _worker) = serving(&redis, &first);
    let opened = site.beside("opened");
    let other = build(2).with("act", "open-write").with("file", text_of(&opened));
    let copy = all_below(&site.state()).into_iter().find(|path| path.ends_with(library_file(ID))).unwrap();
    let modified = fs::metadata(&copy).unwrap().modified().unwrap();
    fs::set_permissions(&copy, fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(&copy, other.bytes()).unwrap();
    File::options().write(true).open(&copy).unwrap().set_modified(modified).unwrap();
    redis.submit(&jobs::led_by(ID, "deceived"));
    let result = redis.result_of("deceived");
    assert_eq!(result["status"], "failed", "{result}");
    let message = result["error"]["message"].as_str().unwrap();
    for sha256 in [first.sha256(), other.sha256()] {
        assert!(message.contains(&sha256), "no {sha256} in {message}");
    }
    assert!(!opened.exists(), "it was opened");
}

#[test]
fn two_workers_share_one_state_and_both_follow_a_swap() {
    let redis = Redis::start();
    let first = build(1);
    let second = build(2).with("act", "open-exit");
    let third = build(3);
    let (site, one) = serving(&redis, &first);
    let other = site.worker(&redis, &[]);
    wait_until_active(&other, 1, &first);
    site.publish(ID, &second);
    [&one, &other].into_iter().for_each(wait_for_refusal);
    site.publish(ID, &third);
    [&one, &other].iter().for_each(|worker| wait_until_active(worker, 2, &third));
    assert_eq!(site.listed(ID).generations.len(), 2);
    assert_uses(&redis, "by-either", &third);
}

#[test]
fn a_model_is_loaded_by_the_build_that_made_it_even_after_a_swap() {
    let site = Site::new();
    let artifacts = site.beside("artifacts");
    let state = site.state();
    let plugins = site.plugins();
    let settings = [("ARTIFACTS_DIR", text_of(&artifacts)), ("LOG_FORMAT", "json")];
    let first = build(1);
    let second = build(2);
    site.publish(ID, &first);
    let own = [("PLUGINS_DIR", text_of(&plugins)), ("PLUGINS_STATE_DIR", text_of(&state)), settings[0]];
    command::train(&jobs::led_by(ID, "made-before"), &own);
    site.publish(ID, &second);
    let output = site.run(&["predict", "made-before"], &settings);
    assert_eq!((output.code, output.warnings().len()), (0, 0), "{output:?}");
    fs::remove_dir_all(&state).unwrap();
    let with_another = site.run(&["predict", "made-before"], &settings);
    assert_eq!(with_another.code, 0, "{with_another:?}");
    let names_both = |event: &LogEvent| event.mentions(&first.sha256()) && event.mentions(&second.sha256());
    assert!(with_another.warnings().iter().any(names_both), "{with_another:?}");
}
