use std::path::Path;

use super::*;

fn file(name: &str, is_awaited: bool) -> Task {
    let file_id = FileId::from_path(Path::new("/")).unwrap();
    Task { path: name.into(), file_id, kind: TaskKind::File, is_awaited }
}

/// Returns tasks on this many files, the most urgent first.
fn files(n_files: usize) -> Vec<Task> {
    (0..n_files).map(|idx| file(&idx.to_string(), true)).collect()
}

fn started(schedule: &mut Schedule<&str>, now: Instant) -> Vec<Task> {
    std::iter::from_fn(|| schedule.start_next(now)).collect()
}

#[test]
fn four_tasks_run_concurrently_and_the_next_starts_when_one_finishes() {
    let now = Instant::now();
    let mut schedule = Schedule::new();
    schedule.on_scanned(files(6), now);
    let first = started(&mut schedule, now);
    assert_eq!(first, files(4), "the most urgent tasks start first");
    assert_eq!(schedule.next_wake_up(now), Some(now + SLOW_AFTER));
    schedule.on_finished(&first[1]);
    assert_eq!(started(&mut schedule, now), files(6)[4..5]);
}

#[test]
fn slow_tasks_do_not_delay_others_until_sixty_four_of_them_run() {
    let mut now = Instant::now();
    let mut schedule = Schedule::new();
    schedule.on_scanned(files(100), now);
    let mut n_started = 0;
    while n_started < MAX_RUNNING {
        n_started += started(&mut schedule, now).len();
        now += SLOW_AFTER;
    }
    assert_eq!(n_started, MAX_RUNNING);
    assert!(started(&mut schedule, now).is_empty());
    assert_eq!(schedule.next_wake_up(now), None, "the next task starts only when one finishes");
    schedule.on_finished(&files(1)[0]);
    assert_eq!(started(&mut schedule, now), files(65)[64..]);
}

#[test]
fn a_file_that_is_being_examined_is_not_examined_a_second_time() {
    let now = Instant::now();
    let mut schedule = Schedule::new();
    schedule.on_scanned(files(2), now);
    assert_eq!(started(&mut schedule, now).len(), 2);
    schedule.on_scanned(files(3), now);
    assert_eq!(started(&mut schedule, now), files(3)[2..]);
}

#[test]
fn a_burst_of_events_causes_one_scan() {
    let now = Instant::now();
    let mut schedule = Schedule::<&str>::new();
    let at = |ms| now + Duration::from_millis(ms);
    let due_ms = |schedule: &Schedule<&str>| (0..2000).find(|ms| schedule.is_scan_due(at(*ms)));
    schedule.on_path_changed(now);
    assert_eq!(due_ms(&schedule), Some(150));
    schedule.on_path_changed(at(100));
    assert_eq!(due_ms(&schedule), Some(250));
    (200..590).step_by(10).for_each(|ms| schedule.on_path_changed(at(ms)));
    assert_eq!(due_ms(&schedule), Some(600), "an endless burst delays the scan only this long");
    schedule.on_scanned(vec![], at(600));
    assert_eq!(due_ms(&schedule), None);
}

#[test]
fn a_watched_folder_is_scanned_every_ten_seconds() {
    let now = Instant::now();
    let mut schedule = Schedule::<&str>::new();
    assert!(schedule.next_wake_up(now).is_none() && !schedule.must_detect_changes());
    schedule.watch(now);
    assert!(schedule.is_scan_due(now));
    schedule.on_scanned(vec![], now);
    assert_eq!(schedule.next_wake_up(now), Some(now + CHECK_INTERVAL));
    assert!(
        !schedule.is_scan_due(now + RESCAN_INTERVAL - CHECK_INTERVAL) && schedule.is_scan_due(now + RESCAN_INTERVAL)
    );
}

#[test]
fn a_caller_waits_for_all_files_but_not_for_one_whose_examination_had_no_result_before() {
    let now = Instant::now();
    let mut schedule = Schedule::new();
    schedule.wait_for_scan("caller", now);
    schedule.on_scanned(vec![file("new", true), file("postponed", false)], now);
    assert_eq!(started(&mut schedule, now).len(), 2);
    assert!(
        schedule.take_finished_waiters(false, now + 2 * LONGEST_WAIT).is_empty(),
        "however long the examination takes"
    );
    schedule.on_finished(&file("new", true));
    assert_eq!(schedule.take_finished_waiters(false, now), ["caller"]);
    assert!(schedule.take_finished_waiters(false, now).is_empty(), "each caller receives one reply");
}

#[test]
fn a_caller_waits_for_a_file_that_is_being_written_until_it_is_treated_as_damaged() {
    let now = Instant::now();
    let mut schedule = Schedule::new();
    schedule.wait_for_scan("caller", now);
    schedule.on_scanned(vec![], now);
    assert!(schedule.take_finished_waiters(true, now + LONGEST_WAIT).is_empty());
    assert_eq!(schedule.take_finished_waiters(true, now + LONGEST_WAIT + CHECK_INTERVAL), ["caller"]);
}
