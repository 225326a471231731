//! Libraries that exit, crash, hang or return invalid data when they are opened, queried for their
//! manifest or probed.

use oculus_plugin_api::{Manifest, Param};
use oculus_tests::build::library_file;
use oculus_tests::hostile::Library;
use oculus_tests::processes::{descendants_of, in_role, wait_until_gone};
use oculus_tests::{Redis, SOON, Site, Worker, eventually, jobs, results, wording};
use serde_json::json;

use super::Baseline;

/// An act, and the texts that the reason for its rejection contains.
type Act = (&'static str, &'static [&'static str]);

const ACTS: [Act; 16] = [
    ("open-exit", &[wording::EXIT_CODE_0]),
    // The Rust runtime prints `non-unwinding panic`.
    ("open-panic", &["SIGABRT", "non-unwinding panic"]),
    ("open-abort", &["SIGABRT"]),
    ("open-segfault", &["SIGSEGV"]),
    ("abi-0-10", &["0.10", "0.11"]),
    ("no-layout", &[wording::NO_TYPE_LAYOUT]),
    ("api-2", &["2.0.0", "1.1.0"]),
    ("describe-exit", &[wording::EXIT_CODE_0]),
    ("describe-panic", &[wording::NO_MANIFEST, "hostile: panic"]),
    ("describe-segfault", &["SIGSEGV"]),
    // `line 1 column 2` is the position at which serde expects JSON.
    ("invalid-manifest", &["manifest", "line 1 column 2"]),
    // A test below checks that the reason names each problem of this manifest.
    ("odd-manifest", &["manifest"]),
    ("fit-abort", &["SIGABRT"]),
    ("fit-panic", &["hostile: panic"]),
    ("fit-segfault", &["SIGSEGV"]),
    ("load-other-model", &[wording::SAVED_MODEL_DIFFERS]),
];

/// Acts that hang. The reason for their rejection contains the time limit of a probe.
const HANGING: [Act; 3] = [("open-hang", &["20 s"]), ("describe-hang", &["20 s"]), ("fit-hang", &["20 s"])];

fn publish(site: &Site, acts: &[Act]) {
    for (act, _) in acts {
        site.publish(act, &Library::built().with("id", act).with("act", act));
    }
}

/// Asserts that the worker and `plugin list` reject each library. The reason must contain the texts
/// of the act and have at most three lines.
fn assert_rejected(site: &Site, worker: &Worker, acts: &[Act]) {
    let rejection = |(act, _): &Act| worker.wait_for_event(act, |event| event.is_rejection_of(&library_file(act)));
    let events: Vec<_> = acts.iter().map(rejection).collect();
    let listed = site.list(&[]);
    for ((act, facts), event) in acts.iter().zip(events) {
        let has_all = |text: &str| facts.iter().all(|fact| text.contains(fact));
        assert!(!event.has("generation") && has_all(event.message()), "{act} is rejected by {event:?}");
        let listed = listed.iter().find(|listed| listed.file == library_file(act)).unwrap();
        assert!(has_all(&listed.reason), "{listed:?}");
        assert!((1..=3).contains(&listed.reason.lines().count()), "{listed:?}");
        assert_eq!(listed.active_sha256(), None, "{listed:?}");
    }
}

#[test]
fn a_hostile_library_is_rejected_with_a_reason_and_no_job_uses_it() {
    let redis = Redis::start();
    let site = Site::new();
    site.publish_built("oculus_plugin_lightgbm");
    let worker = site.worker(&redis, &[]);
    let baseline = Baseline::measure(&redis, &worker);
    publish(&site, &ACTS);
    assert_rejected(&site, &worker, &ACTS);
    let odd = Manifest::new("odd-manifest", "1.0.0").param(Param::int("years", 5).range(9, 1)).rounds_param("epochs");
    let reason = site.listed("odd-manifest").reason;
    let problems = odd.check().unwrap_err();
    assert!(problems.len() == 2 && problems.iter().all(|problem| reason.contains(problem)), "{problems:?}: {reason}");
    let mut job = jobs::with_search_family("LightGBM", "requests-all");
    job["design"]["ml_training_config"]["families"] = json!(ACTS.map(|(act, _)| act));
    redis.submit(&job);
    let result = redis.result_of("requests-all");
    assert_eq!(result["status"], "success", "{result}");
    assert_eq!(results::plugins(&result), ["lightgbm"]);
    baseline.assert_unchanged(&redis, &site);
}

#[test]
fn a_library_that_hangs_is_rejected_and_others_become_active_in_the_meantime() {
    let redis = Redis::start();
    let site = Site::new();
    site.publish_built("oculus_plugin_lightgbm");
    let worker = site.worker(&redis, &[]);
    let baseline = Baseline::measure(&redis, &worker);
    publish(&site, &HANGING);
    // Together with the libraries above, these are more libraries than the worker probes
    // concurrently.
    for name in ["hang-a", "hang-b", "hang-c"] {
        site.publish(name, &Library::built().with("id", name).with("act", "open-hang"));
    }
    let examined = || in_role(&descendants_of(worker.pid()), "plugin-process");
    let hanging = eventually("all hanging probes", SOON, || Some(examined()).filter(|pids| pids.len() == 6));
    let good = Library::built().with("id", "good");
    site.publish("good", &good);
    worker.wait_until_active(1, &good.sha256());
    assert!(hanging.iter().all(|pid| examined().contains(pid)), "the probes of the hanging libraries still run");
    redis.submit(&jobs::with_search_family("good", "meanwhile"));
    let result = redis.result_of("meanwhile");
    assert_eq!(results::plugin_sha256(&result, "good"), Some(good.sha256().as_str()), "{result}");
    assert_rejected(&site, &worker, &HANGING);
    baseline.assert_unchanged(&redis, &site);
}

#[test]
fn the_probes_of_a_killed_worker_terminate() {
    let redis = Redis::start();
    let site = Site::new();
    let mut worker = site.worker(&redis, &[]);
    publish(&site, &HANGING);
    let examined = eventually("all hanging probes", SOON, || {
        let examined = descendants_of(worker.pid());
        (examined.len() == HANGING.len()).then_some(examined)
    });
    worker.kill();
    wait_until_gone(&examined, SOON);
}
