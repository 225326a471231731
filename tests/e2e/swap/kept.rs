//! What is kept between one worker and the next, and between two that run at once.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use oculus_tests::hostile::{Library, file_name};
use oculus_tests::{Redis, Site, command, jobs};

use super::{ID, assert_uses, build, serving, wait_until_serves};

/// A build that cannot be opened as long as a file is not there.
fn gated(number: u32, gate: &Path) -> Library {
    build(number).with("act", "open-wait").with("file", gate.to_str().unwrap())
}

#[test]
fn a_restart_knows_generations_and_verdicts_and_waits_for_no_examination() {
    let (redis, site) = (Redis::start(), Site::new());
    let gate = site.beside("gate");
    fs::write(&gate, "open").unwrap();
    let (first, second, bad) = (gated(1, &gate), gated(2, &gate), build(3).with("act", "open-exit"));
    site.publish(ID, &first);
    let mut before = site.worker(&redis, &[]);
    for (library, told) in [(&second, second.sha256()), (&bad, "exit code 0".to_owned())] {
        site.publish(ID, library);
        before.wait_for_log(&told);
    }
    let listed = site.listed(ID);
    before.kill();
    fs::remove_file(&gate).unwrap();
    // Whoever opened a library now would wait.
    let after = site.worker(&redis, &[]);
    wait_until_serves(&after, 2, &second);
    assert_eq!(site.listed(ID), listed);
    assert!(listed.state == "quarantined" && listed.reason.contains("exit code 0"), "{listed:?}");
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
    wait_until_serves(&after, 1, &first);
    let told = after.wait_for_log("journal");
    let aside =
        told.split('`').find(|word| word.starts_with(site.state().to_str().unwrap()) && *word != text_of(&journal));
    assert_eq!(fs::read_to_string(aside.unwrap()).unwrap(), half, "{told}");
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
fn store_and_journal_are_for_their_user_alone() {
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
fn a_private_copy_that_somebody_has_changed_is_not_opened() {
    let redis = Redis::start();
    let first = build(1);
    let (site, _worker) = serving(&redis, &first);
    let opened = site.beside("opened");
    let other = build(2).with("act", "open-write").with("file", text_of(&opened));
    let copy = all_below(&site.state()).into_iter().find(|path| path.ends_with(file_name(ID))).unwrap();
    let modified = fs::metadata(&copy).unwrap().modified().unwrap();
    fs::set_permissions(&copy, fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(&copy, other.bytes()).unwrap();
    File::options().write(true).open(&copy).unwrap().set_modified(modified).unwrap();
    redis.submit(&jobs::led_by(ID, "deceived"));
    let result = redis.result_of("deceived");
    assert_eq!(result["status"], "failed", "{result}");
    let message = result["error"]["message"].as_str().unwrap();
    assert!(message.contains("has changed") && message.contains(&first.sha256()), "{message}");
    assert!(!opened.exists(), "it was opened");
}

#[test]
fn two_workers_share_one_state_and_both_follow_a_swap() {
    let redis = Redis::start();
    let (first, second, third) = (build(1), build(2).with("act", "open-exit"), build(3));
    let (site, one) = serving(&redis, &first);
    let other = site.worker(&redis, &[]);
    wait_until_serves(&other, 1, &first);
    site.publish(ID, &second);
    [&one, &other].iter().for_each(|worker| _ = worker.wait_for_log("exit code 0"));
    site.publish(ID, &third);
    [&one, &other].iter().for_each(|worker| wait_until_serves(worker, 2, &third));
    assert_eq!(site.listed(ID).generations.len(), 2);
    assert_uses(&redis, "by-either", &third);
}

#[test]
fn a_model_is_read_by_the_build_that_made_it_also_after_a_swap() {
    let site = Site::new();
    let (artifacts, state, plugins) = (site.beside("artifacts"), site.state(), site.plugins());
    let settings = [("ARTIFACTS_DIR", text_of(&artifacts))];
    site.publish(ID, &build(1));
    let own = [("PLUGINS_DIR", text_of(&plugins)), ("PLUGINS_STATE_DIR", text_of(&state)), settings[0]];
    command::train(&jobs::led_by(ID, "made-before"), &own);
    site.publish(ID, &build(2));
    let said = site.run(&["predict", "made-before"], &settings);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(!said.stderr.contains("scores may differ"), "{}", said.stderr);
    fs::remove_dir_all(&state).unwrap();
    let with_another = site.run(&["predict", "made-before"], &settings);
    assert!(with_another.stderr.contains("scores may differ"), "{}", with_another.stderr);
    assert_eq!(with_another.code, 0, "{with_another:?}");
}
