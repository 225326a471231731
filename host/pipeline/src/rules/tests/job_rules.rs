//! Claims about the job's own rules, on a panel of two symbols.

use std::sync::Arc;

use oculus_job::warning::WarningCode;

use super::*;
use crate::features::{LeftOut, MissingInputError, UnknownFeatureError};

/// The reason why `SMA_400` is not in the panel's table.
const WARM_UP_TOO_SHORT: MissingInputError = MissingInputError::WarmUp { needs_bars: 399, has_bars: 320 };

fn score_rules(panel: &Panel, entry_rules: &[Rule], exit_rules: &[Rule], threshold: u32) -> JobRuleReport {
    find_rules(panel, entry_rules, exit_rules, threshold).job_rules
}

fn find_rules(panel: &Panel, entry_rules: &[Rule], exit_rules: &[Rule], threshold: u32) -> RuleResults {
    let features = FeatureReport {
        canonical: [("signal".to_owned(), "SIGNAL".to_owned()), ("SMA_400".to_owned(), "SMA_400".to_owned())].into(),
        unresolved: vec![UnknownFeatureError {
            requested: "SIGNLA".to_owned(),
            reason: "unknown name".to_owned(),
            nearest: Some("SIGNAL".to_owned()),
        }],
        left_out: vec![LeftOut { name: "SMA_400".to_owned(), missing: WARM_UP_TOO_SHORT }],
        warm_up_bars: 320,
    };
    let requested = RequestedRules {
        entry_rules,
        exit_rules,
        entry_score_threshold: threshold,
        exit_score_threshold: threshold,
        features: &features,
    };
    let search_context = panel.search_context(1);
    let search = without_model(0);
    let extractor = Err(ExtractorError::NotOpened);
    find(&RuleContext { search_context: &search_context, search: &search, extractor, requested }).unwrap()
}

#[test]
fn a_planted_rule_and_its_mirror_have_a_lift_above_one() {
    let panel = Panel::new(1, 0.8, &[2.0]);
    let report = score_rules(
        &panel,
        &[rule("signal", Operator::Above, 0.5), rule("NOISE_1", Operator::Above, 0.5)],
        &[rule("SIGNAL", Operator::Below, -0.5)],
        1,
    );
    for scored in [&report.entry_rules[0], &report.exit_rules[0]] {
        let stats = scored.development.as_ref().unwrap();
        assert!(stats.lift.unwrap().get() > 1.3, "{stats:?}");
        assert!(stats.lift_ci95.unwrap().0.get() > 1.0, "{stats:?}");
        assert_eq!(scored.resolved_feature.as_deref(), Some("SIGNAL"));
    }
    let mean_return = |scored: &ScoredJobRule| scored.test.as_ref().unwrap().mean_forward_return_pct.unwrap().get();
    assert!(mean_return(&report.entry_rules[0]) > 0.5 && mean_return(&report.exit_rules[0]) < -0.5);
    let noise = report.entry_rules[1].development.as_ref().unwrap().lift_ci95.unwrap();
    assert!(noise.0.get() < 1.0 && 1.0 < noise.1.get(), "{noise:?}");
}

#[test]
fn the_figures_equal_a_direct_count() {
    let panel = Panel::new(2, 0.4, &[2.0]);
    let report = score_rules(&panel, &[rule("SIGNAL", Operator::AtLeast, 0.25)], &[], 1);
    let stats = report.entry_rules[0].development.as_ref().unwrap();
    let label = &panel.labels[0];
    let rows = &panel.splits[0].development.train_rows;
    let held: Vec<u32> =
        rows.iter().copied().filter(|&row| panel.table.by_name("SIGNAL").unwrap()[row as usize] >= 0.25).collect();
    let n_hits = |rows: &[u32]| rows.iter().filter(|&&row| label.value[row as usize] == 1.0).count() as f64;
    assert_eq!((stats.n_rows, stats.support), (rows.len(), held.len()));
    let precision = n_hits(&held) / held.len() as f64;
    assert_eq!(stats.precision.unwrap().get(), precision);
    assert_eq!(stats.lift.unwrap().get(), precision / (n_hits(rows) / rows.len() as f64));
    assert!(stats.episodes > 0 && stats.episodes <= stats.support);
}

#[test]
fn a_rule_that_never_holds_reports_the_nearest_threshold_with_which_it_does() {
    let panel = Panel::new(3, 0.3, &[2.0]);
    let signs = [Operator::Above, Operator::AtLeast, Operator::Below, Operator::AtMost, Operator::Equal];
    for operator in signs {
        let far = if matches!(operator, Operator::Below | Operator::AtMost) { -99.0 } else { 99.0 };
        let never = rule("SIGNAL", operator, far);
        let scored = score_rules(&panel, std::slice::from_ref(&never), &[], 1).entry_rules.remove(0);
        assert_eq!(scored.development.unwrap().support, 0);
        let nearest = scored.nearest_threshold.unwrap().get();
        assert!(scored.reason.unwrap().contains(&nearest.to_string()));
        let moved = Rule { threshold: nearest, ..never };
        let scored = score_rules(&panel, &[moved], &[], 1).entry_rules.remove(0);
        assert_eq!(scored.development.unwrap().support, 1, "{operator:?}");
    }
}

/// Returns the codes and messages of the warnings about the job's own values.
fn value_warnings(panel: &Panel, entry_rules: &[Rule], exit_rules: &[Rule]) -> Vec<(WarningCode, String)> {
    let codes = [WarningCode::RuleAlwaysTrue, WarningCode::RuleNeverTrue, WarningCode::UnitSuspected];
    let warnings = find_rules(panel, entry_rules, exit_rules, 1).warnings.into_iter();
    warnings.filter(|warning| codes.contains(&warning.code)).map(|warning| (warning.code, warning.message)).collect()
}

#[test]
fn a_rule_on_another_scale_gets_a_warning_with_the_threshold_on_the_right_scale() {
    let panel = Panel::new(3, 0.3, &[2.0]);
    for (operator, threshold, code, likely) in [
        (Operator::Below, 70.0, WarningCode::RuleAlwaysTrue, "0.7"),
        (Operator::Above, -70.0, WarningCode::RuleAlwaysTrue, "-0.7"),
        (Operator::AtLeast, 150.0, WarningCode::RuleNeverTrue, "1.5"),
        (Operator::Unequal, 70.0, WarningCode::RuleAlwaysTrue, "0.7"),
    ] {
        let rules = [rule("SIGNAL", operator, threshold)];
        for (entry, exit, side) in [(&rules[..], &[][..], "entry"), (&[], &rules, "exit")] {
            let [(found, message)] = &value_warnings(&panel, entry, exit)[..] else { panic!("{operator:?}") };
            assert_eq!(*found, code);
            let start = format!("the {side} rule SIGNAL {} {threshold} is ", operator.sign());
            assert!(message.starts_with(&start) && message.ends_with(&format!(" {likely}")), "{message}");
        }
    }
    // No power of ten brings this threshold into the range of the feature.
    let [(_, message)] = &value_warnings(&panel, &[rule("SIGNAL", Operator::Below, 5000.0)], &[])[..] else { panic!() };
    assert!(message.contains("SIGNAL is between -") && !message.contains("scale"), "{message}");
    assert_eq!(value_warnings(&panel, &[rule("SIGNAL", Operator::Below, 0.5)], &[]), []);
}

#[test]
fn rules_that_never_hold_together_get_a_warning_and_single_ones_do_not() {
    let panel = Panel::new(3, 0.3, &[2.0]);
    let rules = [rule("SIGNAL", Operator::Below, -0.5), rule("SIGNAL", Operator::Above, 0.5)];
    let together = |threshold| {
        let report = find_rules(&panel, &rules, &[], threshold);
        report.warnings.into_iter().filter(|warning| warning.code == WarningCode::RuleNeverTrue).collect::<Vec<_>>()
    };
    assert_eq!(together(1), []);
    let [warning] = &together(2)[..] else { panic!() };
    assert!(warning.message.contains("are 2 of the 2 entry rules true at the same time"), "{}", warning.message);
    assert!(warning.message.ends_with("or a lower entry_score_threshold"), "{}", warning.message);
}

#[test]
fn a_rule_on_a_feature_without_different_values_states_that_no_threshold_divides_the_rows() {
    for (value, cause) in [(0.1, "SIGNAL is always 0.1"), (f32::NAN, "SIGNAL has no value on these rows")] {
        let mut panel = Panel::new(3, 0.3, &[2.0]);
        panel.table.values = vec![value; panel.table.values.len()].into();
        for operator in [Operator::Unequal, Operator::Above, Operator::Below] {
            let scored = score_rules(&panel, &[rule("SIGNAL", operator, 0.1)], &[], 1).entry_rules.remove(0);
            assert_eq!((scored.development.unwrap().support, scored.nearest_threshold), (0, None));
            let reason = scored.reason.unwrap();
            assert!(reason.contains(" is never true on ") && reason.contains(cause), "{reason}");
        }
    }
}

#[test]
fn label_thresholds_that_are_tiny_compared_with_the_moves_are_probably_shares() {
    let warned = |thresholds: &[f64]| value_warnings(&Panel::new(3, 0.3, thresholds), &[], &[]);
    let [(code, message)] = &warned(&[0.02, 0.07, 0.0])[..] else { panic!() };
    assert_eq!(*code, WarningCode::UnitSuspected);
    assert!(message.contains("found 0.02, 0.07,") && message.ends_with("write 2, 7"), "{message}");
    for thresholds in [&[0.02, 2.0][..], &[0.0], &[0.5], &[2.0]] {
        assert_eq!(warned(thresholds), [], "{thresholds:?}");
    }
    // The moves of a calm market are as small as these thresholds.
    let mut calm = Panel::new(3, 0.3, &[0.02]);
    calm.labels.iter_mut().for_each(|label| {
        Arc::make_mut(&mut label.forward_return_pct).iter_mut().for_each(|change| *change /= 100.0);
    });
    assert_eq!(value_warnings(&calm, &[], &[]), []);
}

#[test]
fn rules_on_features_that_do_not_exist_are_listed_with_the_nearest_name() {
    let panel = Panel::new(4, 0.3, &[2.0]);
    let rules = [
        rule("SIGNAL", Operator::Above, 0.0),
        rule("SIGNLA", Operator::Above, 0.0),
        rule("SMA_400", Operator::Above, 0.0),
    ];
    let report = score_rules(&panel, &rules, &rules[1..2], 2);
    assert_eq!(report.unresolved.len(), 2, "each rule is listed once");
    assert_eq!(report.unresolved[0].nearest.as_deref(), Some("SIGNAL"));
    let reason = &report.unresolved[1].reason;
    assert!(reason.contains("SMA_400") && reason.contains(&WARM_UP_TOO_SHORT.to_string()), "{reason}");
    assert!(report.entry_rules[1].development.is_none() && report.entry_rules[1].reason.is_some());
}

#[test]
fn a_score_threshold_above_the_number_of_resolved_rules_gives_null() {
    let panel = Panel::new(5, 0.3, &[2.0]);
    let rules = [rule("SIGNAL", Operator::Above, 0.0), rule("SIGNLA", Operator::Above, 0.0)];
    let out_of_reach = score_rules(&panel, &rules, &[], 2).entry_score.unwrap();
    assert_eq!(out_of_reach.reason.as_deref(), Some("resolved rules: found 1, expected at least 2"));
    assert_eq!((out_of_reach.development, out_of_reach.test), (None, None));

    let within = score_rules(&panel, &rules, &[], 1);
    assert_eq!(within.entry_score.unwrap().development, within.entry_rules[0].development);
    assert_eq!(within.exit_score, None);

    let both = [rule("SIGNAL", Operator::Above, 0.0), rule("NOISE_1", Operator::Above, 0.0)];
    let support =
        |threshold| score_rules(&panel, &both, &[], threshold).entry_score.unwrap().development.unwrap().support;
    let single = score_rules(&panel, &both, &[], 1);
    let singles: usize = single.entry_rules.iter().map(|rule| rule.development.as_ref().unwrap().support).sum();
    assert_eq!(support(1) + support(2), singles, "|A ∪ B| + |A ∩ B| = |A| + |B|");
}

#[test]
fn nan_satisfies_no_rule() {
    let mut panel = Panel::new(6, 0.3, &[2.0]);
    panel.table.values = vec![f32::NAN; panel.table.values.len()].into();
    for operator in Operator::ALL {
        let scored = score_rules(&panel, &[rule("SIGNAL", operator, 0.0)], &[], 1);
        assert_eq!(scored.entry_rules[0].development.as_ref().unwrap().support, 0, "{operator:?}");
        assert_eq!(scored.entry_score.unwrap().development.unwrap().support, 0);
    }
}

#[test]
fn a_threshold_equals_a_feature_value_with_the_same_decimal_notation() {
    let mut panel = Panel::new(7, 0.3, &[2.0]);
    panel.table.values = vec![0.1; panel.table.values.len()].into();
    let support = |operator| {
        let report = score_rules(&panel, &[rule("SIGNAL", operator, 0.1)], &[], 1);
        let support = report.entry_rules[0].development.as_ref().unwrap().support;
        assert_eq!(
            report.entry_score.unwrap().development.unwrap().support,
            support,
            "one by one and counted together"
        );
        support
    };
    let n_rows = panel.splits[0].development.train_rows.len();
    for (operator, expected) in [
        (Operator::Equal, n_rows),
        (Operator::AtMost, n_rows),
        (Operator::AtLeast, n_rows),
        (Operator::Above, 0),
        (Operator::Below, 0),
        (Operator::Unequal, 0),
    ] {
        assert_eq!(support(operator), expected, "{operator:?}");
    }
}

#[test]
fn exit_rules_are_not_scored_where_the_label_is_not_a_rise() {
    for threshold in [0.0, -2.0] {
        let panel = Panel::new(8, 0.3, &[threshold]);
        let rules = [rule("SIGNAL", Operator::Above, 0.0)];
        let report = score_rules(&panel, &rules, &rules, 1);
        assert!(report.entry_rules[0].development.is_some());
        let exit = &report.exit_rules[0];
        let count = report.exit_score.as_ref().unwrap();
        assert_eq!((&exit.development, &exit.test, &count.development), (&None, &None, &None));
        let reason = exit.reason.as_deref().unwrap();
        assert!(reason.contains("positive threshold") && count.reason.as_deref() == Some(reason), "{reason}");
    }
}

#[test]
fn both_sides_use_the_same_f64_return() {
    // In f32 this return would be a fall of exactly 2 %.
    let mut panel = Panel::new(9, 0.3, &[2.0]);
    Arc::make_mut(&mut panel.labels[0].forward_return_pct).fill(-2.0 + 1e-9);
    let exit = score_rules(&panel, &[], &[rule("SIGNAL", Operator::AtLeast, -99.0)], 1).exit_rules.remove(0);
    assert_eq!(exit.development.unwrap().base_rate.unwrap().get(), 0.0);
}

#[test]
fn episodes_are_counted_per_symbol() {
    let panel = Panel::new(10, 0.3, &[2.0]);
    let always = score_rules(&panel, &[rule("SIGNAL", Operator::AtLeast, -99.0)], &[], 1).entry_rules.remove(0);
    assert_eq!(always.development.unwrap().episodes, 2, "one uninterrupted episode in each of two symbols");
}
