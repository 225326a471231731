//! Libraries that are opened only if their SHA-256 is listed.

use std::fs;

use oculus_tests::build::library_file;
use oculus_tests::hostile::Library;
use oculus_tests::log::LogEvent;
use oculus_tests::{Redis, Site, jobs};

use super::{ID, assert_uses, build};

/// Returns whether an event reports that the build of a library is rejected.
fn is_rejection_of(event: &LogEvent, library: &Library) -> bool {
    event.is_rejection_of(&library_file(ID)) && event.mentions(&library.sha256())
}

#[test]
fn no_code_of_an_unlisted_library_is_executed_until_it_is_listed() {
    let redis = Redis::start();
    let site = Site::new();
    let list = site.path("trusted");
    let opened = site.path("opened");
    fs::write(&list, "# no library yet\n").unwrap();
    let library = build(1).with("act", "open-write").with("file", opened.to_str().unwrap());
    site.publish(ID, &library);
    let settings = [("PLUGINS_TRUST", "listed"), ("PLUGINS_TRUSTED", list.to_str().unwrap())];
    let worker = site.worker(&redis, &settings);
    worker.wait_for_event("rejection with the line to add", |event| is_rejection_of(event, &library));
    redis.submit(&jobs::with_search_family(ID, "too-early"));
    assert_eq!(redis.result_of("too-early")["status"], "failed");
    let listed = &site.list(&settings)[0];
    assert!(listed.state == "refused" && listed.active.is_none(), "{listed:?}");
    assert!(listed.reason.contains(&library.sha256()) && listed.reason.contains("PLUGINS_TRUSTED"), "{listed:?}");
    assert!(!opened.exists(), "the library was opened");

    fs::write(&list, format!("{}  libswapped\n", library.sha256())).unwrap();
    super::wait_until_active(&worker, 1, &library);
    assert!(opened.exists());
    assert_uses(&redis, "listed", &library);

    fs::write(&list, "").unwrap();
    worker.wait_for_events("end of trust", 2, |event| is_rejection_of(event, &library));
    redis.submit(&jobs::with_search_family(ID, "too-late"));
    assert_eq!(redis.result_of("too-late")["status"], "failed");
}

#[test]
fn an_unlisted_build_does_not_replace_the_active_one() {
    let redis = Redis::start();
    let site = Site::new();
    let list = site.path("trusted");
    let opened = site.path("opened");
    let first = build(1);
    let second = build(2).with("act", "open-write").with("file", opened.to_str().unwrap());
    fs::write(&list, first.sha256()).unwrap();
    site.publish(ID, &first);
    let settings = [("PLUGINS_TRUST", "listed"), ("PLUGINS_TRUSTED", list.to_str().unwrap())];
    let worker = site.worker(&redis, &settings);
    super::wait_until_active(&worker, 1, &first);
    site.publish(ID, &second);
    worker.wait_for_event("rejection", |event| is_rejection_of(event, &second));
    assert_uses(&redis, "as-before", &first);
    assert!(!opened.exists(), "the library was opened");
}
