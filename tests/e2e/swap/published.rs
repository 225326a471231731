//! Changes of a published file, and the generation that is active after each.

use std::fs::OpenOptions;
use std::io::Write;

use oculus_tests::build::library_file;
use oculus_tests::hostile::Library;
use oculus_tests::log::LogEvent;
use oculus_tests::processes::kill;
use oculus_tests::{Redis, SOON, eventually, jobs, results, wording};

use super::{ID, assert_uses, build, slow_job, start_with, wait_for_fit, wait_until_active};

#[test]
fn identical_bytes_are_not_a_new_generation() {
    let redis = Redis::start();
    let first = build(1);
    let (site, worker) = start_with(&redis, &first);
    site.publish(ID, &first);
    // The worker examines files in the order of their publication. So the worker has examined the
    // identical copy before this library becomes active.
    let other = Library::built().with("id", "other");
    site.publish("other", &other);
    wait_until_active(&worker, 1, &other);
    let listed = site.listed(ID);
    assert_eq!((listed.generation(), listed.active_sha256()), (1, Some(first.sha256().as_str())));
    let n_activations = worker.n_events(|event| event.is_activation_of(&first.sha256()));
    assert_eq!(n_activations, 1, "the library is active from the start:\n{}", worker.log());
    assert_uses(&redis, "as-before", &first);
}

#[test]
fn a_build_that_fails_its_probe_is_listed_with_a_reason_and_the_old_generation_stays_active() {
    let redis = Redis::start();
    let first = build(1);
    let second = build(2);
    let (site, worker) = start_with(&redis, &first);
    let acts = [("describe-exit", wording::EXIT_CODE_0), ("load-other-model", wording::SAVED_MODEL_DIFFERS)];
    for (act, fact) in acts {
        let bad = build(2).with("act", act);
        site.publish(ID, &bad);
        let is_rejection = |event: &LogEvent| event.is_rejection_of(&library_file(ID)) && event.mentions(fact);
        let rejection = worker.wait_for_event("rejection", is_rejection);
        assert_eq!(
            (rejection.text("id"), rejection.number("generation")),
            (Some(ID), Some(1)),
            "the generation that stays active"
        );
        let listed = site.listed(ID);
        assert_eq!((listed.sha256.as_deref(), listed.state.as_str()), (Some(bad.sha256().as_str()), "quarantined"));
        assert!(listed.reason.contains(fact), "{listed:?}");
        assert_eq!((listed.generation(), listed.active_sha256()), (1, Some(first.sha256().as_str())));
        assert_uses(&redis, &format!("next-to-{act}"), &first);
    }
    site.publish(ID, &second);
    wait_until_active(&worker, 2, &second);
    assert_uses(&redis, "mended", &second);
}

#[test]
fn a_job_keeps_the_generation_that_was_active_at_its_start_even_if_its_process_is_restarted() {
    let redis = Redis::start();
    let first = build(1);
    let second = build(2);
    let (site, worker) = start_with(&redis, &first);
    redis.submit(&slow_job("slow"));
    let process = wait_for_fit(&site, &worker);
    site.publish(ID, &second);
    wait_until_active(&worker, 2, &second);
    kill(process);
    worker.wait_for_event("death of the plugin", |event| event.is_plugin_death(1));
    assert_uses(&redis, "concurrent", &second);
    let result = redis.result_of("slow");
    assert_eq!(result["status"], "success", "{result}");
    assert_eq!(results::plugin_sha256(&result, ID), Some(first.sha256().as_str()), "{}", result["provenance"]);
}

#[test]
fn a_file_written_in_place_becomes_active_once_it_is_complete() {
    let redis = Redis::start();
    let first = build(1);
    let second = build(2);
    let (site, worker) = start_with(&redis, &first);
    let (half, rest) = second.bytes().split_at(second.bytes().len() / 2);
    let path = site.plugins().join(library_file(ID));
    let mut file = OpenOptions::new().write(true).truncate(true).open(&path).unwrap();
    file.write_all(half).unwrap();
    // The half file is not a library, so the earlier generation stays active.
    eventually("entry of the half file", SOON, || {
        let listed = site.listed(ID);
        assert_eq!(listed.active_sha256(), Some(first.sha256().as_str()), "{listed:?}");
        (listed.state != "active").then_some(())
    });
    assert_uses(&redis, "with-the-half-file", &first);
    file.write_all(rest).unwrap();
    drop(file);
    wait_until_active(&worker, 2, &second);
    assert_uses(&redis, "with-the-complete-file", &second);
}

#[test]
fn no_new_job_uses_a_removed_library_and_it_returns_as_the_same_generation() {
    let redis = Redis::start();
    let first = build(1);
    let (site, worker) = start_with(&redis, &first);
    std::fs::remove_file(site.plugins().join(library_file(ID))).unwrap();
    worker.wait_for_event("removal", |event| event.is_removal_of(&library_file(ID)));
    redis.submit(&jobs::with_search_family(ID, "too-late"));
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
    let (site, worker) = start_with(&redis, &build(1));
    let folder = site.plugins().join("newcomer");
    std::fs::create_dir(&folder).unwrap();
    let newcomer = Library::built().with("id", "newcomer");
    newcomer.publish(&folder, "newcomer");
    wait_until_active(&worker, 1, &newcomer);
}
