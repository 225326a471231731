//! Two hundred swaps while jobs run.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use oculus_tests::hostile::Library;
use oculus_tests::processes::{RETURN_FREE_MEMORY, descendants_of, n_open_files, private_bytes};
use oculus_tests::{Redis, SOON, Worker, eventually, results};

use super::{ID, assert_uses, build, run_job, start_with_settings, wait_until_active};

const N_SWAPS: usize = 200;
/// Number of swaps after which the worker's caches are filled.
const N_WARM_UP: usize = 20;
const MAX_GROWTH_BYTES: u64 = 2 << 20;

#[test]
fn two_hundred_swaps_under_load_fail_no_job_and_leak_nothing() {
    let redis = Redis::start();
    let builds = [build(1), build(2)];
    let (site, worker) = start_with_settings(&redis, &builds[0], &RETURN_FREE_MEMORY);
    let swap = |number: usize| {
        let library = &builds[number % 2];
        let published = Instant::now();
        site.publish(ID, library);
        wait_until_active(&worker, number as u64 + 1, library);
        let elapsed = published.elapsed();
        assert_uses(&redis, &format!("after-swap-{number}"), library);
        elapsed
    };
    // The warm-up has the same load, because the worker's memory depends on how many of its threads
    // are busy at once.
    swaps_under_load(&redis, 1..=N_WARM_UP, swap);
    let (n_files, n_bytes) = idle_usage(&worker);
    let (elapsed, used) = swaps_under_load(&redis, N_WARM_UP + 1..=N_WARM_UP + N_SWAPS, swap);
    let (_, n_bytes_after) = idle_usage(&worker);
    print_times(elapsed, used.len(), n_bytes_after.cast_signed() - n_bytes.cast_signed());
    assert_eq!(used.into_iter().collect::<BTreeSet<_>>(), builds.iter().map(Library::sha256).collect());
    eventually("end of all open files", SOON, || (n_open_files(worker.pid()) <= n_files).then_some(()));
    assert!(n_bytes_after < n_bytes + MAX_GROWTH_BYTES, "{n_bytes} bytes before, {n_bytes_after} after");
    assert_eq!(site.listed(ID).generation(), (N_WARM_UP + N_SWAPS) as u64 + 1, "every swap is a generation");
}

/// Swaps builds next to running jobs, and returns the duration of each swap and the plugin hash of
/// each of those jobs.
fn swaps_under_load(
    redis: &Redis,
    numbers: RangeInclusive<usize>,
    swap: impl Fn(usize) -> Duration + Send,
) -> (Vec<Duration>, Vec<String>) {
    let first = *numbers.start();
    std::thread::scope(|scope| {
        let swaps = scope.spawn(|| numbers.map(swap).collect());
        let mut used = Vec::new();
        while !swaps.is_finished() {
            let result = run_job(redis, &format!("next-to-{first}-{}", used.len()));
            used.push(results::plugin_sha256(&result, ID).unwrap().to_owned());
        }
        (swaps.join().unwrap(), used)
    })
}

/// Waits until a worker has no child, and returns its number of open files and its memory in bytes.
fn idle_usage(worker: &Worker) -> (usize, u64) {
    eventually("idle worker", SOON, || descendants_of(worker.pid()).is_empty().then_some(()));
    (n_open_files(worker.pid()), private_bytes(worker.pid()))
}

/// Prints the durations of swaps, and the growth of the worker's memory.
fn print_times(mut elapsed: Vec<Duration>, n_flowing: usize, n_grown_bytes: i64) {
    elapsed.sort();
    let ms = |share: usize| elapsed[(elapsed.len() - 1) * share / 100].as_millis();
    println!(
        "{} swaps next to {n_flowing} more jobs: active after {} ms (median), {} ms (95 %), {} ms (most); the worker grew by \
         {} KiB",
        elapsed.len(),
        ms(50),
        ms(95),
        ms(100),
        n_grown_bytes / 1024
    );
}
