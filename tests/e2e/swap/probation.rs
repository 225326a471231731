//! Generations that are rolled back: automatically, or by `plugin rollback`.

use oculus_tests::processes::kill;
use oculus_tests::{Redis, Site, jobs, results};

use super::{ID, assert_uses, build, slow_job, start_with, start_with_settings, wait_for_fit, wait_until_active};

/// Returns the start of a hash, as a user would type it.
fn short(sha256: &str) -> &str {
    &sha256[..12]
}

#[test]
fn a_generation_whose_first_jobs_crash_is_rolled_back_and_quarantined() {
    let redis = Redis::start();
    let good = build(1);
    let bad = build(2).with("act", "work-abort");
    let (site, worker) = start_with(&redis, &good);
    site.publish(ID, &bad);
    wait_until_active(&worker, 2, &bad);
    for id in ["first-loss", "second-loss"] {
        redis.submit(&jobs::with_search_family(ID, id));
        let result = redis.result_of(id);
        assert_eq!(result["error"]["code"], "plugin_died", "{result}");
    }
    wait_until_active(&worker, 3, &good);
    assert_uses(&redis, "rescued", &good);
    let listed = site.listed(ID);
    assert_eq!((listed.generation(), listed.active_sha256()), (3, Some(good.sha256().as_str())));
    assert_eq!((listed.state.as_str(), listed.sha256), ("quarantined", Some(bad.sha256())));
    assert_eq!(listed.generations[1].probation, (2, 2), "number of jobs, and of jobs in which it crashed");
    let origins: Vec<_> = listed.generations.iter().map(|generation| generation.origin.as_str()).collect();
    assert_eq!(origins, ["published", "published", "reverted"]);
    let mended = build(3);
    site.publish(ID, &mended);
    wait_until_active(&worker, 4, &mended);
    assert_uses(&redis, "mended", &mended);
}

#[test]
fn a_generation_whose_fits_panic_is_rolled_back_even_if_no_process_dies() {
    let redis = Redis::start();
    let good = build(1);
    let bad = build(2).with("act", "work-panic");
    let (site, worker) = start_with(&redis, &good);
    site.publish(ID, &bad);
    wait_until_active(&worker, 2, &bad);
    for id in ["first-panic", "second-panic"] {
        redis.submit(&jobs::with_search_family(ID, id));
        let result = redis.result_of(id);
        let message = result["error"]["message"].as_str().unwrap();
        assert!(message.contains("hostile: panic") && message.contains("src/acts.rs:"), "{result}");
        worker.wait_for_event("log of the panic", |event| {
            event.level() == "ERROR" && event.mentions("hostile: panic") && event.mentions("src/acts.rs:")
        });
    }
    wait_until_active(&worker, 3, &good);
    assert_uses(&redis, "rescued", &good);
}

#[test]
fn a_generation_whose_fits_hang_after_it_passed_the_probe_is_rolled_back() {
    let redis = Redis::start();
    let good = build(1);
    let bad = build(2).with("act", "work-hang");
    let (site, worker) = start_with_settings(&redis, &good, &[("PLUGIN_SILENCE_SECONDS", "2")]);
    site.publish(ID, &bad);
    wait_until_active(&worker, 2, &bad);
    for id in ["first-hang", "second-hang"] {
        redis.submit(&jobs::with_search_family(ID, id));
        let result = redis.result_of(id);
        assert_eq!(result["error"]["code"], "plugin_died", "{result}");
        assert!(result["error"]["message"].as_str().unwrap().contains("PLUGIN_SILENCE_SECONDS"), "{result}");
    }
    wait_until_active(&worker, 3, &good);
    assert_uses(&redis, "rescued", &good);
}

#[test]
fn a_generation_that_loses_only_one_process_stays_active() {
    let redis = Redis::start();
    let good = build(1);
    let other = build(2);
    let (site, worker) = start_with(&redis, &good);
    site.publish(ID, &other);
    wait_until_active(&worker, 2, &other);
    redis.submit(&slow_job("struck"));
    kill(wait_for_fit(&site, &worker));
    let result = redis.result_of("struck");
    assert_eq!(results::plugin_sha256(&result, ID), Some(other.sha256().as_str()), "{result}");
    for id in 2..=6 {
        assert_uses(&redis, &format!("job-{id}"), &other);
    }
    assert_eq!(site.listed(ID).generation(), 2);
}

/// Runs `plugin rollback` and returns its exit code and its output.
fn roll_back(site: &Site, arguments: &[&str]) -> (i32, String) {
    let output = site.run(&[&["plugin", "rollback", ID], arguments].concat(), &[]);
    (output.code, output.stdout + &output.stderr)
}

#[test]
fn a_manual_rollback_takes_effect_in_a_running_worker() {
    let redis = Redis::start();
    let builds: Vec<_> = (1..=3).map(build).collect();
    let (site, worker) = start_with(&redis, &builds[0]);
    for (generation, library) in (2..).zip(&builds[1..]) {
        site.publish(ID, library);
        wait_until_active(&worker, generation, library);
    }
    let (code, output) = roll_back(&site, &[]);
    assert!(code == 0 && output.contains(&builds[1].sha256()), "{output}");
    wait_until_active(&worker, 4, &builds[1]);
    assert_uses(&redis, "one-back", &builds[1]);
    let (code, output) = roll_back(&site, &["--to", short(&builds[0].sha256())]);
    assert_eq!(code, 0, "{output}");
    wait_until_active(&worker, 5, &builds[0]);
    assert_uses(&redis, "two-back", &builds[0]);
    // The withdrawn build does not become active again, although its file is still there.
    let listed = site.listed(ID);
    assert_eq!((listed.state.as_str(), listed.sha256), ("quarantined", Some(builds[2].sha256())));
    let (code, output) = roll_back(&site, &["--to", "ffffffffffff"]);
    assert!(code != 0 && output.contains(short(&builds[1].sha256())), "{output}");
    let (code, output) = roll_back(&site, &["--to", short(&builds[2].sha256())]);
    assert_eq!(code, 0, "{output}");
    wait_until_active(&worker, 6, &builds[2]);
    assert_uses(&redis, "forth-again", &builds[2]);
}

#[test]
fn a_rollback_skips_a_generation_that_crashed_and_names_it() {
    let redis = Redis::start();
    let clean = build(1);
    let crashed = build(2);
    let latest = build(3);
    let (site, worker) = start_with(&redis, &clean);
    site.publish(ID, &crashed);
    wait_until_active(&worker, 2, &crashed);
    redis.submit(&slow_job("struck"));
    kill(wait_for_fit(&site, &worker));
    redis.result_of("struck");
    site.publish(ID, &latest);
    wait_until_active(&worker, 3, &latest);
    let (code, output) = roll_back(&site, &[]);
    assert_eq!(code, 0, "{output}");
    let skipped = format!("skipped: generation 2 ({}): it crashed in 1 of 1 counted jobs", short(&crashed.sha256()));
    assert!(output.contains(&clean.sha256()) && output.contains(&skipped), "{output}");
    wait_until_active(&worker, 4, &clean);
    assert_uses(&redis, "on-the-clean-build", &clean);
}

#[test]
fn a_rollback_that_fails_leaves_the_active_generation_unchanged() {
    let redis = Redis::start();
    let first = build(1);
    let second = build(2);
    let (site, worker) = start_with(&redis, &first);
    site.publish(ID, &second);
    wait_until_active(&worker, 2, &second);
    std::fs::remove_dir_all(site.state().join("store").join(first.sha256())).unwrap();
    for arguments in [&["--to", short(&first.sha256())][..], &[]] {
        let (code, output) = roll_back(&site, arguments);
        assert!(code == 1 && output.contains(ID) && output.contains(short(&first.sha256())), "{output}");
    }
    assert_eq!(site.listed(ID).active_sha256(), Some(second.sha256().as_str()));
    assert_uses(&redis, "after-the-failed-rollback", &second);
}

#[test]
fn a_build_rolled_back_in_one_folder_stays_active_in_another_with_the_same_state() {
    let redis = Redis::start();
    let first = build(1);
    let second = build(2);
    let (site, worker) = start_with(&redis, &first);
    site.publish(ID, &second);
    wait_until_active(&worker, 2, &second);
    let elsewhere = site.path("elsewhere");
    std::fs::create_dir(&elsewhere).unwrap();
    second.publish(&elsewhere, ID);
    let (code, output) = roll_back(&site, &[]);
    assert_eq!(code, 0, "{output}");
    wait_until_active(&worker, 3, &first);
    let output = site.run(&["plugin", "list", "--json", "--plugins", elsewhere.to_str().unwrap()], &[]);
    let listed = &output.json()["plugins"][0];
    assert_eq!(
        (&listed["state"], &listed["active"]["sha256"]),
        (&"active".into(), &second.sha256().into()),
        "{listed}"
    );
}
