//! Ways in which a published file changes, and which generation is active then.

use std::fs::OpenOptions;
use std::io::Write;

use oculus_tests::build::library_file;
use oculus_tests::hostile::Library;
use oculus_tests::log::LogEvent;
use oculus_tests::processes::kill;
use oculus_tests::{Redis, SOON, eventually, jobs, results, wording};

use super::{ID, assert_uses, build, serving, slow_job, wait_for_fit, wait_until_active};

#[test]
fn identical_content_is_not_a_new_generation() {
    let redis = Redis::start();
    let first = build(1);
    let (site, worker) = serving(&redis, &first);
    site.publish(ID, &first);
    // What is published after it has been looked at not before it.
    let other = Library::built().with("id", "other");
    site.publish("other", &other);
    wait_until_active(&worker, 1, &other);
    let listed = site.listed(ID);
    assert_eq!((listed.generation(), listed.serving()), (1, Some(first.sha256().as_str())));
    let n_activations = worker.n_events(|event| event.is_activation_of(&first.sha256()));
    assert_eq!(n_activations, 1, "it is active since the start:\n{}", worker.log());
    assert_uses(&redis, "as-before", &first);
}

#[test]
fn a_build_that_fails_its_examination_changes_nothing_and_is_listed_with_a_reason() {
    let redis = Redis::start();
    let first = build(1);
    let second = build(2);
    let (site, worker) = serving(&redis, &first);
    let acts = [("describe-exit", wording::EXIT_CODE_0), ("load-otherwise", wording::SAVED_MODEL_DIFFERS)];
    for (act, fact) in acts {
        let bad = build(2).with("act", act);
        site.publish(ID, &bad);
        let is_refusal = |event: &LogEvent| event.is_refusal_of(&library_file(ID)) && event.mentions(fact);
        let refusal = worker.wait_for_event("refusal", is_refusal);
        assert_eq!((refusal.text("id"), refusal.number("generation")), (Some(ID), Some(1)), "the one that stays");
        let listed = site.listed(ID);
        assert_eq!((listed.sha256.as_deref(), listed.state.as_str()), (Some(bad.sha256().as_str()), "quarantined"));
        assert!(listed.reason.contains(fact), "{listed:?}");
        assert_eq!((listed.generation(), listed.serving()), (1, Some(first.sha256().as_str())));
        assert_uses(&redis, &format!("beside-{act}"), &first);
    }
    site.publish(ID, &second);
    wait_until_active(&worker, 2, &second);
    assert_uses(&redis, "mended", &second);
}

#[test]
fn a_job_ends_on_the_generation_that_it_began_with_even_if_its_process_is_restarted() {
    let redis = Redis::start();
    let first = build(1);
    let second = build(2);
    let (site, worker) = serving(&redis, &first);
    redis.submit(&slow_job("slow"));
    let process = wait_for_fit(&site, &worker);
    site.publish(ID, &second);
    wait_until_active(&worker, 2, &second);
    kill(process);
    worker.wait_for_event("death of the plugin", |event| event.is_plugin_death(1));
    assert_uses(&redis, "beside-it", &second);
    let result = redis.result_of("slow");
    assert_eq!(result["status"], "success", "{result}");
    assert_eq!(results::plugin_sha256(&result, ID), Some(first.sha256().as_str()), "{}", result["provenance"]);
}

#[test]
fn a_file_written_in_place_becomes_active_once_it_is_complete() {
    let redis = Redis::start();
    let first = build(1);
    let second = build(2);
    let (site, worker) = serving(&redis, &first);
    let (half, rest) = second.bytes().split_at(second.bytes().len() / 2);
    let place = site.plugins().join(library_file(ID));
    let mut file = OpenOptions::new().write(true).truncate(true).open(&place).unwrap();
    file.write_all(half).unwrap();
    // Meanwhile it is no library, and what served still does.
    eventually("look at the half file", SOON, || {
        let listed = site.listed(ID);
        assert_eq!(listed.serving(), Some(first.sha256().as_str()), "{listed:?}");
        (listed.state != "serves").then_some(())
    });
    assert_uses(&redis, "beside-the-half", &first);
    file.write_all(rest).unwrap();
    drop(file);
    wait_until_active(&worker, 2, &second);
    assert_uses(&redis, "after-the-rest", &second);
}

#[test]
fn a_removed_library_is_used_by_no_new_job_and_returns_as_the_same_generation() {
    let redis = Redis::start();
    let first = build(1);
    let (site, worker) = serving(&redis, &first);
    std::fs::remove_file(site.plugins().join(library_file(ID))).unwrap();
    worker.wait_for_event("removal", |event| event.is_removal_of(&library_file(ID)));
    redis.submit(&jobs::led_by(ID, "too-late"));
    let result = redis.result_of("too-late");
    assert_eq!(result["status"], "failed", "{result}");
    assert!(result["error"]["message"].as_str().unwrap().contains(ID), "{}", result["error"]);
    site.publish(ID, &first);
    worker.wait_for_events("second activation", 2, |event| event.is_activation_of(&first.sha256()));
    assert_eq!(site.listed(ID).generation(), 1);
    assert_uses(&redis, "back", &first);
}

#[test]
fn a_plugin_folder_created_while_the_worker_runs_is_found() {
    let redis = Redis::start();
    let (site, worker) = serving(&redis, &build(1));
    let folder = site.plugins().join("newcomer");
    std::fs::create_dir(&folder).unwrap();
    let newcomer = Library::built().with("id", "newcomer");
    newcomer.publish(&folder, "newcomer");
    wait_until_active(&worker, 1, &newcomer);
}
