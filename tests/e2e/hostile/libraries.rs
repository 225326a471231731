//! Libraries that exit, hang or misreport when they are opened, describe themselves, or are examined.

use oculus_plugin_api::{Manifest, Param};
use oculus_tests::build::library_file;
use oculus_tests::hostile::Library;
use oculus_tests::processes::{descendants_of, in_role, wait_until_gone};
use oculus_tests::{Redis, SOON, Site, Worker, eventually, jobs, results, wording};
use serde_json::json;

use super::Undisturbed;

/// An act, and facts that the reason of its refusal names.
type Act = (&'static str, &'static [&'static str]);

const ACTS: [Act; 16] = [
    ("open-exit", &[wording::EXIT_CODE_0]),
    // The second text is the Rust runtime's.
    ("open-panic", &["SIGABRT", "non-unwinding panic"]),
    ("open-abort", &["SIGABRT"]),
    ("open-segfault", &["SIGSEGV"]),
    ("abi-0-10", &["0.10", "0.11"]),
    ("no-layout", &[wording::NO_TYPE_LAYOUT]),
    ("api-2", &["2.0.0", "1.0.0"]),
    ("describe-exit", &[wording::EXIT_CODE_0]),
    ("describe-panic", &[wording::NO_MANIFEST, "hostile: panic"]),
    ("describe-segfault", &["SIGSEGV"]),
    // The position at which serde finds no JSON.
    ("rubbish-manifest", &["manifest", "line 1 column 1"]),
    // The test below checks that each problem is named.
    ("odd-manifest", &["manifest"]),
    ("fit-abort", &["SIGABRT"]),
    ("fit-panic", &["hostile: panic"]),
    ("fit-segfault", &["SIGSEGV"]),
    ("load-otherwise", &[wording::SAVED_MODEL_DIFFERS]),
];

/// The limit of an examination.
const HANGING: [Act; 3] = [("open-hang", &["20 s"]), ("describe-hang", &["20 s"]), ("fit-hang", &["20 s"])];

fn publish(site: &Site, acts: &[Act]) {
    for (act, _) in acts {
        site.publish(act, &Library::built().with("id", act).with("act", act));
    }
}

/// Asserts that the worker and `plugin list` refuse each library with its facts, in at most three lines.
fn assert_refused(site: &Site, worker: &Worker, acts: &[Act]) {
    let refusal = |(act, _): &Act| worker.wait_for_event(act, |event| event.is_refusal_of(&library_file(act)));
    let events: Vec<_> = acts.iter().map(refusal).collect();
    let listed = site.list(&[]);
    for ((act, facts), event) in acts.iter().zip(events) {
        let has_all = |text: &str| facts.iter().all(|fact| text.contains(fact));
        assert!(!event.has("generation") && has_all(event.message()), "{act} is refused by {event:?}");
        let listed = listed.iter().find(|listed| listed.file == library_file(act)).unwrap();
        assert!(has_all(&listed.reason), "{listed:?}");
        assert!((1..=3).contains(&listed.reason.lines().count()), "{listed:?}");
        assert_eq!(listed.serving(), None, "{listed:?}");
    }
}

#[test]
fn a_hostile_library_is_refused_with_a_reason_and_used_by_no_job() {
    let redis = Redis::start();
    let site = Site::new();
    site.publish_built("oculus_plugin_lightgbm");
    let worker = site.worker(&redis, &[]);
    let undisturbed = Undisturbed::before(&redis, &worker);
    publish(&site, &ACTS);
    assert_refused(&site, &worker, &ACTS);
    let odd = Manifest::new("odd-manifest", "1.0.0").param(Param::int("years", 5).range(9, 1)).rounds_param("epochs");
    let reason = site.listed("odd-manifest").reason;
    let problems = odd.check().unwrap_err();
    assert!(problems.len() == 2 && problems.iter().all(|problem| reason.contains(problem)), "{problems:?}: {reason}");
    let mut job = jobs::led_by("LightGBM", "asks-for-all");
    job["design"]["ml_training_config"]["families"] = json!(ACTS.map(|(act, _)| act));
    redis.submit(&job);
    let result = redis.result_of("asks-for-all");
    assert_eq!(result["status"], "success", "{result}");
    assert_eq!(results::plugins(&result), ["lightgbm"]);
    undisturbed.assert_still(&redis, &site);
}

#[test]
fn a_library_that_hangs_is_refused_and_others_become_active_meanwhile() {
    let redis = Redis::start();
    let site = Site::new();
    site.publish_built("oculus_plugin_lightgbm");
    let worker = site.worker(&redis, &[]);
    let undisturbed = Undisturbed::before(&redis, &worker);
    publish(&site, &HANGING);
    // More than are examined side by side.
    for name in ["hang-a", "hang-b", "hang-c"] {
        site.publish(name, &Library::built().with("id", name).with("act", "open-hang"));
    }
    let examined = || in_role(&descendants_of(worker.pid()), "plugin-process");
    let hanging = eventually("all that hang", SOON, || Some(examined()).filter(|pids| pids.len() == 6));
    let good = Library::built().with("id", "quick");
    site.publish("quick", &good);
    worker.wait_until_active(1, &good.sha256());
    assert!(hanging.iter().all(|pid| examined().contains(pid)), "the hanging libraries are still examined");
    redis.submit(&jobs::led_by("quick", "meanwhile"));
    let result = redis.result_of("meanwhile");
    assert_eq!(results::plugin_sha256(&result, "quick"), Some(good.sha256().as_str()), "{result}");
    assert_refused(&site, &worker, &HANGING);
    undisturbed.assert_still(&redis, &site);
}

#[test]
fn a_killed_worker_takes_its_examinations_with_it() {
    let redis = Redis::start();
    let site = Site::new();
    let mut worker = site.worker(&redis, &[]);
    publish(&site, &HANGING);
    let examined = eventually("all that hang", SOON, || {
        let examined = descendants_of(worker.pid());
        (examined.len() == HANGING.len()).then_some(examined)
    });
    worker.kill();
    wait_until_gone(&examined, SOON);
}
