use std::path::Path;

use super::*;

fn file(name: &str, is_awaited: bool) -> Task {
    let file_id = FileId::from_path(Path::new("/")).unwrap();
    Task { path: name.into(), file_id, kind: TaskKind::File, is_awaited }
}

/// Tasks on this many files, the first one the most urgent.
fn files(n_files: usize) -> Vec<Task> {
    (0..n_files).map(|idx| file(&idx.to_string(), true)).collect()
}

fn started(schedule: &mut Schedule<&str>, now: Instant) -> Vec<Task> {
    std::iter::from_fn(|| schedule.start_next(now)).collect()
}

#[test]
fn four_tasks_run_side_by_side_and_the_next_starts_when_one_ends() {
    let now = Instant::now();
    let mut schedule = Schedule::new();
    schedule.on_scanned(files(6), now);
    let first = started(&mut schedule, now);
    assert_eq!(first, files(4), "the most urgent first");
    assert_eq!(schedule.wake_at(now), Some(now + USUAL_DURATION));
    schedule.on_ended(&first[1]);
    assert_eq!(started(&mut schedule, now), files(6)[4..5]);
}

#[test]
fn tasks_that_take_long_delay_no_other_until_sixty_four_of_them_run() {
    let mut now = Instant::now();
    let mut schedule = Schedule::new();
    schedule.on_scanned(files(100), now);
    let mut n_started = 0;
    while n_started < MAX_RUNNING {
        n_started += started(&mut schedule, now).len();
        now += USUAL_DURATION;
    }
    assert_eq!(n_started, MAX_RUNNING);
    assert!(started(&mut schedule, now).is_empty());
    assert_eq!(schedule.wake_at(now), None, "only the end of a task can help");
    schedule.on_ended(&files(1)[0]);
    assert_eq!(started(&mut schedule, now), files(65)[64..]);
}

#[test]
fn a_file_that_is_being_examined_is_not_started_a_second_time() {
    let now = Instant::now();
    let mut schedule = Schedule::new();
    schedule.on_scanned(files(2), now);
    assert_eq!(started(&mut schedule, now).len(), 2);
    schedule.on_scanned(files(3), now);
    assert_eq!(started(&mut schedule, now), files(3)[2..]);
}

#[test]
fn a_burst_of_events_ends_in_one_scan() {
    let now = Instant::now();
    let mut schedule = Schedule::<&str>::new();
    let at = |ms| now + Duration::from_millis(ms);
    let due_ms = |schedule: &Schedule<&str>| (0..2000).find(|ms| schedule.is_scan_due(at(*ms)));
    schedule.on_path_changed(now);
    assert_eq!(due_ms(&schedule), Some(150));
    schedule.on_path_changed(at(100));
    assert_eq!(due_ms(&schedule), Some(250));
    (200..590).step_by(10).for_each(|ms| schedule.on_path_changed(at(ms)));
    assert_eq!(due_ms(&schedule), Some(600), "a burst without end is not waited for");
    schedule.on_scanned(vec![], at(600));
    assert_eq!(due_ms(&schedule), None);
}

#[test]
fn a_watched_folder_is_scanned_every_ten_seconds() {
    let now = Instant::now();
    let mut schedule = Schedule::<&str>::new();
    assert!(schedule.wake_at(now).is_none() && !schedule.is_attentive());
    schedule.watch(now);
    assert!(schedule.is_scan_due(now));
    schedule.on_scanned(vec![], now);
    assert_eq!(schedule.wake_at(now), Some(now + TICK));
    assert!(!schedule.is_scan_due(now + RESCAN - TICK) && schedule.is_scan_due(now + RESCAN));
}

#[test]
fn a_caller_waits_for_all_files_but_not_for_one_whose_examination_had_no_result_before() {
    let now = Instant::now();
    let mut schedule = Schedule::new();
    schedule.wait_for_scan("caller", now);
    schedule.on_scanned(vec![file("new", true), file("postponed", false)], now);
    assert_eq!(started(&mut schedule, now).len(), 2);
    assert!(schedule.take_settled(false, now + 2 * LONGEST_WAIT).is_empty(), "however long it takes");
    schedule.on_ended(&file("new", true));
    assert_eq!(schedule.take_settled(false, now), ["caller"]);
    assert!(schedule.take_settled(false, now).is_empty(), "once");
}

#[test]
fn a_caller_waits_for_a_file_that_is_being_written_as_long_as_it_takes_to_call_it_damaged() {
    let now = Instant::now();
    let mut schedule = Schedule::new();
    schedule.wait_for_scan("caller", now);
    schedule.on_scanned(vec![], now);
    assert!(schedule.take_settled(true, now + LONGEST_WAIT).is_empty());
    assert_eq!(schedule.take_settled(true, now + LONGEST_WAIT + TICK), ["caller"]);
}
