//! Libraries that end, hang, lie or cheat when they are opened, asked who they are, or examined.

use oculus_tests::hostile::{Library, file_name};
use oculus_tests::processes::{descendants_of, in_role, wait_until_gone};
use oculus_tests::{Redis, SOON, Site, Worker, eventually, jobs};
use serde_json::json;

use super::Undisturbed;

/// An act, and words of the reason that it is refused for.
type Act = (&'static str, &'static [&'static str]);

const ACTS: [Act; 16] = [
    ("open-exit", &["exit code 0"]),
    ("open-panic", &["signal 6 (SIGABRT)", "non-unwinding panic"]),
    ("open-abort", &["signal 6 (SIGABRT)"]),
    ("open-segfault", &["signal 11 (SIGSEGV)"]),
    ("abi-0-10", &["0.10", "0.11"]),
    ("no-layout", &["exports no type layout"]),
    ("api-2", &["plugin API 2.0.0", "1.0.0"]),
    ("describe-exit", &["exit code 0"]),
    ("describe-panic", &["cannot say who it is", "hostile as asked"]),
    ("describe-segfault", &["signal 11 (SIGSEGV)"]),
    ("rubbish-manifest", &["manifest", "cannot be read"]),
    ("odd-manifest", &["makes no sense", "years: range from 9 to 1", "epochs"]),
    ("fit-abort", &["signal 6 (SIGABRT)"]),
    ("fit-panic", &["hostile as asked"]),
    ("fit-segfault", &["signal 11 (SIGSEGV)"]),
    ("load-otherwise", &["after saving and loading"]),
];

const HANGING: [Act; 3] = [("open-hang", &["hangs"]), ("describe-hang", &["hangs"]), ("fit-hang", &["hangs"])];

fn publish(site: &Site, acts: &[Act]) {
    for (act, _) in acts {
        site.publish(act, &Library::built().with("id", act).with("act", act));
    }
}

/// Each is refused by the worker and by `plugin list`, with the words that matter and in three lines at most.
fn assert_refused(site: &Site, worker: &Worker, acts: &[Act]) {
    let told: Vec<_> = acts.iter().map(|(act, _)| worker.wait_for_log(&format!("/{}", file_name(act)))).collect();
    let listed = site.list(&[]);
    for ((act, words), told) in acts.iter().zip(told) {
        let has_all = |text: &str| words.iter().all(|word| text.contains(word));
        assert!(told.contains("no plugin") && has_all(&told), "{act} is told by {told}");
        let listed = listed.iter().find(|listed| listed.file == file_name(act)).unwrap();
        assert!(has_all(&listed.reason), "{listed:?}");
        assert!((1..=3).contains(&listed.reason.lines().count()), "{listed:?}");
        assert_eq!(listed.serving(), None, "{listed:?}");
    }
}

#[test]
fn a_hostile_library_is_refused_with_its_reason_and_no_job_meets_it() {
    let (redis, site) = (Redis::start(), Site::new());
    site.publish_built("oculus_plugin_lightgbm");
    let worker = site.worker(&redis, &[]);
    let undisturbed = Undisturbed::before(&redis, &worker);
    publish(&site, &ACTS);
    assert_refused(&site, &worker, &ACTS);
    let mut job = jobs::led_by("LightGBM", "asks-for-all");
    job["design"]["ml_training_config"]["families"] = json!(ACTS.map(|(act, _)| act));
    redis.submit(&job);
    let result = redis.result_of("asks-for-all");
    assert_eq!(result["status"], "success", "{result}");
    let used = result["provenance"]["plugins"].as_array().unwrap();
    assert!(used.len() == 1 && used[0]["id"] == "lightgbm", "{used:?}");
    undisturbed.assert_still(&redis, &site);
}

#[test]
fn a_library_that_hangs_is_refused_and_others_are_taken_meanwhile() {
    let (redis, site) = (Redis::start(), Site::new());
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
    worker.wait_for_log(&good.sha256());
    assert!(hanging.iter().all(|pid| examined().contains(pid)), "they still hang");
    redis.submit(&jobs::led_by("quick", "meanwhile"));
    let result = redis.result_of("meanwhile");
    assert_eq!(jobs::hash_of(&result, "quick"), Some(good.sha256().as_str()), "{result}");
    assert_refused(&site, &worker, &HANGING);
    undisturbed.assert_still(&redis, &site);
}

#[test]
fn a_killed_worker_takes_its_examinations_with_it() {
    let (redis, site) = (Redis::start(), Site::new());
    let mut worker = site.worker(&redis, &[]);
    publish(&site, &HANGING);
    let examined = eventually("all that hang", SOON, || {
        let examined = descendants_of(worker.pid());
        (examined.len() == HANGING.len()).then_some(examined)
    });
    worker.kill();
    wait_until_gone(&examined, SOON);
}
