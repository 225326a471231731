//! Libraries that are opened only if their SHA-256 is listed.

use std::fs;

use oculus_tests::build::library_file;
use oculus_tests::hostile::Library;
use oculus_tests::log::LogEvent;
use oculus_tests::{Redis, Site, jobs};

use super::{ID, assert_uses, build};

/// Returns whether an event is the refusal of a library's content.
fn is_refusal_of(event: &LogEvent, library: &Library) -> bool {
    event.is_refusal_of(&library_file(ID)) && event.mentions(&library.sha256())
}

#[test]
fn nothing_of_an_unlisted_library_is_executed_until_it_is_listed() {
    let redis = Redis::start();
    let site = Site::new();
    let list = site.beside("trusted");
    let opened = site.beside("opened");
    fs::write(&list, "# no library yet\n").unwrap();
    let library = build(1).with("act", "open-write").with("file", opened.to_str().unwrap());
    site.publish(ID, &library);
    let settings = [("PLUGINS_TRUST", "listed"), ("PLUGINS_TRUSTED", list.to_str().unwrap())];
    let worker = site.worker(&redis, &settings);
    worker.wait_for_event("refusal with the line to add", |event| is_refusal_of(event, &library));
    redis.submit(&jobs::led_by(ID, "too-early"));
    assert_eq!(redis.result_of("too-early")["status"], "failed");
    let listed = &site.list(&settings)[0];
    assert!(listed.state == "refused" && listed.serves.is_none(), "{listed:?}");
    assert!(listed.reason.contains(&library.sha256()) && listed.reason.contains("PLUGINS_TRUSTED"), "{listed:?}");
    assert!(!opened.exists(), "it was opened");

    fs::write(&list, format!("{}  libswapped\n", library.sha256())).unwrap();
    super::wait_until_active(&worker, 1, &library);
    assert!(opened.exists());
    assert_uses(&redis, "listed", &library);

    fs::write(&list, "").unwrap();
    worker.wait_for_events("end of trust", 2, |event| is_refusal_of(event, &library));
    redis.submit(&jobs::led_by(ID, "too-late"));
    assert_eq!(redis.result_of("too-late")["status"], "failed");
}

#[test]
fn a_swap_to_an_unlisted_build_changes_nothing() {
    let redis = Redis::start();
    let site = Site::new();
    let list = site.beside("trusted");
    let opened = site.beside("opened");
    let first = build(1);
    let second = build(2).with("act", "open-write").with("file", opened.to_str().unwrap());
    fs::write(&list, first.sha256()).unwrap();
    site.publish(ID, &first);
    let settings = [("PLUGINS_TRUST", "listed"), ("PLUGINS_TRUSTED", list.to_str().unwrap())];
    let worker = site.worker(&redis, &settings);
    super::wait_until_active(&worker, 1, &first);
    site.publish(ID, &second);
    worker.wait_for_event("refusal", |event| is_refusal_of(event, &second));
    assert_uses(&redis, "as-before", &first);
    assert!(!opened.exists(), "it was opened");
}
