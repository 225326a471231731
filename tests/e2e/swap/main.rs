//! A plugin that is exchanged while a worker runs: which generation is active when, what happens to
//! rejected builds, and what survives a restart.

use oculus_tests::hostile::Library;
use oculus_tests::processes::{descendants_of, in_role, mapped_from};
use oculus_tests::{Redis, SOON, Site, Worker, eventually, jobs, results};
use serde_json::{Value, json};

mod kept;
mod load;
mod lstm;
mod probation;
mod published;
mod trust;

/// Id of the exchanged plugin.
const ID: &str = "swapped";

/// Returns a build of the exchanged plugin.
fn build(number: u32) -> Library {
    Library::built().with("id", ID).with("build", &number.to_string())
}

/// Returns a site with a published build, and a worker in which the build is active.
fn serving(redis: &Redis, library: &Library) -> (Site, Worker) {
    let site = Site::new();
    site.publish(ID, library);
    let worker = site.worker(redis, &[]);
    wait_until_active(&worker, 1, library);
    (site, worker)
}

/// Waits until a worker has a content active as a generation.
fn wait_until_active(worker: &Worker, generation: u64, library: &Library) {
    worker.wait_until_active(generation, &library.sha256());
}

/// A job whose fits take half a second each.
fn slow_job(id: &str) -> Value {
    let mut job = jobs::led_by(ID, id);
    job["design"]["ml_training_config"]["hostile_pause_ms"] = json!(500);
    job
}

/// Waits for a process of a job that has opened a library of the site.
fn wait_for_fit(site: &Site, worker: &Worker) -> u32 {
    eventually("plugin process of a job", SOON, || {
        let jobs = in_role(&descendants_of(worker.pid()), "job");
        let plugins = in_role(&descendants_of(*jobs.first()?), "plugin-process");
        plugins.into_iter().find(|pid| !mapped_from(*pid, &site.state()).is_empty())
    })
}

/// The result of a job that the plugin leads.
///
/// # Panics
/// When the job does not succeed.
fn run_job(redis: &Redis, id: &str) -> Value {
    redis.submit(&jobs::led_by(ID, id));
    let result = redis.result_of(id);
    assert_eq!(result["status"], "success", "{result}");
    result
}

/// A job succeeds, and its result names this content.
fn assert_uses(redis: &Redis, id: &str, library: &Library) {
    let result = run_job(redis, id);
    assert_eq!(results::plugin_sha256(&result, ID), Some(library.sha256().as_str()), "{}", result["provenance"]);
}
