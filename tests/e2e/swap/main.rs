//! Tests of a plugin that is replaced while a worker runs: its active generation, rejected builds,
//! and the state after a restart.

use oculus_tests::hostile::Library;
use oculus_tests::processes::{descendants_of, in_role, mapped_from};
use oculus_tests::{Redis, SOON, Site, Worker, eventually, jobs, results};
use serde_json::{Value, json};

mod load;
mod lstm;
mod persistence;
mod probation;
mod published;
mod trust;

/// Id of the replaced plugin.
const ID: &str = "swapped";

/// Returns a build of the replaced plugin.
fn build(number: u32) -> Library {
    Library::built().with("id", ID).with("build", &number.to_string())
}

/// Returns a site with a published build, and a worker in which the build is active.
fn start_with(redis: &Redis, library: &Library) -> (Site, Worker) {
    start_with_settings(redis, library, &[])
}

/// Like [`start_with`], with settings of the worker.
fn start_with_settings(redis: &Redis, library: &Library, settings: &[(&str, &str)]) -> (Site, Worker) {
    let site = Site::new();
    site.publish(ID, library);
    let worker = site.worker(redis, settings);
    wait_until_active(&worker, 1, library);
    (site, worker)
}

/// Waits until a library is active in a worker as the given generation.
fn wait_until_active(worker: &Worker, generation: u64, library: &Library) {
    worker.wait_until_active(generation, &library.sha256());
}

/// Returns a job whose fits take half a second each.
fn slow_job(id: &str) -> Value {
    let mut job = jobs::with_search_family(ID, id);
    job["design"]["ml_training_config"]["hostile_pause_ms"] = json!(500);
    job
}

/// Waits for a plugin process of a job that has opened a library of the site, and returns its
/// process id.
fn wait_for_fit(site: &Site, worker: &Worker) -> u32 {
    eventually("plugin process of a job", SOON, || {
        let jobs = in_role(&descendants_of(worker.pid()), "job");
        let plugins = in_role(&descendants_of(*jobs.first()?), "plugin-process");
        plugins.into_iter().find(|pid| !mapped_from(*pid, &site.state()).is_empty())
    })
}

/// Runs a job whose search trains the plugin, and returns its result.
///
/// # Panics
/// Panics if the job does not succeed.
fn run_job(redis: &Redis, id: &str) -> Value {
    redis.submit(&jobs::with_search_family(ID, id));
    let result = redis.result_of(id);
    assert_eq!(result["status"], "success", "{result}");
    result
}

/// Asserts that a job succeeds and its result lists the hash of this library.
fn assert_uses(redis: &Redis, id: &str, library: &Library) {
    let result = run_job(redis, id);
    assert_eq!(results::plugin_sha256(&result, ID), Some(library.sha256().as_str()), "{}", result["provenance"]);
}
