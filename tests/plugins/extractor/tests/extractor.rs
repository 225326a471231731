//! Tests of the rule extractor through its plugin module.

use oculus_plugin_api::testing::{Frame, Harness, Listener};
use oculus_plugin_api::{Operator, Role, Task, code};
use oculus_test_extractor::Deciles;

oculus_plugin_api::conformance!(extractor Deciles);

const N_ROWS: u32 = 400;

/// Returns a table of two columns: a noise feature, and a price level that is only for rules. The
/// label is 1 exactly on rows with a level above 300.
fn frame() -> Frame {
    let level = (0..N_ROWS).map(|row| (row * 37 % N_ROWS) as f32).collect();
    let noise = (0..N_ROWS).map(|row| (row * 91 % 101) as f32).collect();
    Frame::new(1, N_ROWS).column("NOISE", noise).rule_column("LEVEL", level)
}

fn labels() -> Vec<f32> {
    (0..N_ROWS).map(|row| f32::from(row * 37 % N_ROWS > 300)).collect()
}

#[test]
fn a_planted_threshold_is_ranked_first() {
    let label = labels();
    let rows = (0..N_ROWS).collect::<Vec<_>>();
    let task = Task { label: &label, train_rows: &rows, tune_rows: &[], seed: 1, threads: 1, device: "auto" };
    let scores = vec![f32::NAN; rows.len()];
    let rules = Harness::extractor::<Deciles>().extract(&frame(), &task, &scores, &Listener::default()).unwrap();
    assert_eq!(rules.len(), 5);
    let best = &rules[0].conditions[0];
    assert_eq!((best.feature.as_str(), best.operator), ("LEVEL", Operator::AtLeast));
    assert!((300.0..=360.0).contains(&best.threshold), "{}", best.threshold);
}

#[test]
fn unsupported_calls_and_invalid_scores_are_rejected_with_their_codes() {
    let harness = Harness::extractor::<Deciles>();
    let manifest = harness.manifest().unwrap();
    assert_eq!((manifest.role, manifest.flag.as_deref()), (Role::Rules, Some("mine_deciles")));
    assert_eq!(harness.prepare(&frame(), &[0]).err().unwrap().code, code::UNSUPPORTED);
    assert_eq!(harness.load(b"").err().unwrap().code, code::UNSUPPORTED);

    let label = labels();
    let rows = (0..N_ROWS).collect::<Vec<_>>();
    let task = Task { label: &label, train_rows: &rows, tune_rows: &[], seed: 1, threads: 1, device: "auto" };
    let few = harness.extract(&frame(), &task, &[0.5], &Listener::default()).err().unwrap();
    assert_eq!((few.code, few.message.as_str()), (code::DATA, "found 1 scores for 400 rows, expected one per row"));
    let scores = vec![f32::NAN; label.len()];
    let cancelled = harness.extract(&frame(), &task, &scores, &Listener::cancelling_at(2)).err().unwrap();
    assert_eq!(cancelled.code, code::CANCELLED);
}
