//! Tests of the extractor through its exported interface. They cover the claims that every
//! extractor must keep, and the rules of this extractor.

use oculus_plugin_api::testing::{Frame, Harness, Listener};
use oculus_plugin_api::{Operator, Task};
use oculus_plugin_thresholds::Thresholds;

oculus_plugin_api::conformance!(extractor Thresholds);

#[test]
fn a_planted_threshold_is_ranked_first() {
    let level: Vec<f32> = (0..400).map(|row| (row * 37 % 400) as f32).collect();
    let noise: Vec<f32> = (0..400).map(|row| (row * 91 % 101) as f32).collect();
    let label: Vec<f32> = level.iter().map(|level| f32::from(*level > 300.0)).collect();
    let frame = Frame::new(1, 400).column("NOISE", noise).rule_column("LEVEL", level);
    let rows: Vec<u32> = (0..400).collect();
    let task = Task { label: &label, train_rows: &rows, tune_rows: &[], seed: 1, threads: 1, device: "auto" };
    let harness = Harness::extractor::<Thresholds>();
    let rules = harness.extract(&frame, &task, &[f32::NAN; 400], &Listener::default()).unwrap();
    let best = &rules[0].conditions[0];
    assert_eq!((rules.len(), best.feature.as_str(), best.operator), (10, "LEVEL", Operator::AtLeast));
    assert!((300.0..=360.0).contains(&best.threshold), "{}", best.threshold);
}
