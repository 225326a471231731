//! Tests of the rule extractor through its plugin module.

use oculus_plugin_api::testing::{Frame, Harness, Listener};
use oculus_plugin_api::{MinedRule, Operator, Role, Task};
use oculus_plugin_rules::RuleExtractor;

oculus_plugin_api::conformance!(extractor RuleExtractor);

const N_ROWS: u32 = 1200;

/// Returns a number from 0 to 1: the SplitMix64 hash of a row and a column.
fn noise(row: u32, column: u64) -> f32 {
    let mut bits = (u64::from(row) + (column << 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((bits ^ (bits >> 31)) >> 40) as f32 / (1 << 24) as f32
}

fn column(idx: u64) -> Vec<f32> {
    (0..N_ROWS).map(|row| 100.0 * noise(row, idx)).collect()
}

/// Returns labels that are mostly 1 on rows where A is low and B is high, and mostly 0 on other
/// rows.
fn label() -> Vec<f32> {
    let rate = |row| if noise(row, 1) < 0.3 && noise(row, 2) > 0.5 { 0.8 } else { 0.2 };
    (0..N_ROWS).map(|row| f32::from(noise(row, 9) < rate(row))).collect()
}

/// Returns a table of three model features, and a column for rules that equals the label and must
/// not be mined.
fn frame() -> Frame {
    let frame = Frame::new(1, N_ROWS).column("A", column(1)).column("B", column(2)).column("C", column(3));
    frame.rule_column("LEVEL", label())
}

#[allow(clippy::unwrap_used, reason = "a helper of tests, which fail by panicking")]
fn mine(label: &[f32]) -> Vec<MinedRule> {
    let rows: Vec<u32> = (0..N_ROWS).collect();
    let task = Task { label, train_rows: &rows, tune_rows: &[], seed: 3, threads: 1, device: "auto" };
    Harness::extractor::<RuleExtractor>().extract(&frame(), &task, &column(4), &Listener::default()).unwrap()
}

#[test]
fn a_planted_conjunction_is_ranked_first_with_rounded_thresholds() {
    let rules = mine(&label());
    let [a, b] = &rules[0].conditions[..] else { panic!("{rules:?}") };
    assert_eq!(
        (a.feature.as_str(), a.operator, b.feature.as_str(), b.operator),
        ("A", Operator::AtMost, "B", Operator::Above)
    );
    assert!((a.threshold - 30.0).abs() < 3.0 && (b.threshold - 50.0).abs() < 4.0, "{rules:?}");
    assert!(a.threshold.to_string().len() <= 5, "{}", a.threshold);
    assert!(rules.iter().flat_map(|rule| &rule.conditions).all(|condition| condition.feature != "LEVEL"));
    assert!(rules.iter().all(|rule| (0.0..=1.0).contains(&rule.stability.unwrap())) && rules.len() <= 20);
}

#[test]
fn the_manifest_has_the_role_rules_and_no_flag() {
    let manifest = Harness::extractor::<RuleExtractor>().manifest().unwrap();
    assert_eq!((manifest.role, manifest.flag), (Role::Rules, None));
}
