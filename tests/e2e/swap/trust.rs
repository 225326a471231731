//! Libraries that are opened only if their SHA-256 is listed.

use std::fs;

use oculus_tests::{Redis, SOON, Site, eventually, jobs};

use super::{ID, assert_uses, build};

#[test]
fn nothing_of_an_unlisted_library_is_executed_until_it_is_listed() {
    let (redis, site) = (Redis::start(), Site::new());
    let (list, opened) = (site.beside("trusted"), site.beside("opened"));
    fs::write(&list, "# nobody yet\n").unwrap();
    let library = build(1).with("act", "open-write").with("file", opened.to_str().unwrap());
    site.publish(ID, &library);
    let settings = [("PLUGINS_TRUST", "listed"), ("PLUGINS_TRUSTED", list.to_str().unwrap())];
    let worker = site.worker(&redis, &settings);
    let told = worker.wait_for_log("not listed");
    assert!(told.contains(&library.sha256()), "the line to add: {told}");
    redis.submit(&jobs::led_by(ID, "too-early"));
    assert_eq!(redis.result_of("too-early")["status"], "failed");
    let listed = &site.list(&settings)[0];
    assert!(listed.state == "refused" && listed.serves.is_none() && listed.reason.contains("not listed"), "{listed:?}");
    assert!(!opened.exists(), "it was opened");

    fs::write(&list, format!("{}  libswapped\n", library.sha256())).unwrap();
    super::wait_until_serves(&worker, 1, &library);
    assert!(opened.exists());
    assert_uses(&redis, "listed", &library);

    fs::write(&list, "").unwrap();
    eventually("end of trust", SOON, || (worker.log().matches("not listed").count() == 2).then_some(()));
    redis.submit(&jobs::led_by(ID, "too-late"));
    assert_eq!(redis.result_of("too-late")["status"], "failed");
}

#[test]
fn a_swap_to_an_unlisted_build_changes_nothing() {
    let (redis, site) = (Redis::start(), Site::new());
    let (list, opened) = (site.beside("trusted"), site.beside("opened"));
    let (first, second) = (build(1), build(2).with("act", "open-write").with("file", opened.to_str().unwrap()));
    fs::write(&list, first.sha256()).unwrap();
    site.publish(ID, &first);
    let settings = [("PLUGINS_TRUST", "listed"), ("PLUGINS_TRUSTED", list.to_str().unwrap())];
    let worker = site.worker(&redis, &settings);
    super::wait_until_serves(&worker, 1, &first);
    site.publish(ID, &second);
    worker.wait_for_log("not listed");
    assert_uses(&redis, "as-before", &first);
    assert!(!opened.exists(), "it was opened");
}
