//! Claims about mined rules, with a working extractor on a synthetic panel.

use oculus_job::{error::JobErrorKind, progress::Phase, warning::WarningCode};
use oculus_plugin_api::{Condition, MinedRule, code};

use super::{
    super::{
        describe::hit,
        mine::{ProposalError, check_proposals},
    },
    miner::{Deciles, N_RULES, no_params},
    *,
};
use crate::{
    fitter::FitError,
    metrics::Finite,
    miner::{MineRequest, Miner},
    search::{self, Family, tests::panel::Centroid},
    splits::Fold,
};

/// Returns the search result of a family that reads all columns.
fn searched(panel: &Panel) -> SearchResult {
    let fitter = Centroid::new(&panel.table);
    let params = search::tests::panel::no_params();
    let family = Family { fitter: &fitter, params: &params, device: "auto" };
    search::run(&panel.search_context(2), &family, 1, &|_| {}).unwrap()
}

fn mine_panel_with(panel: &Panel, miner: &Deciles<'_>, n_parallel: usize) -> Result<RuleResults, JobError> {
    let search_context = panel.search_context(n_parallel);
    let params = no_params();
    let features = FeatureReport::default();
    find(&RuleContext {
        search_context: &search_context,
        search: &searched(panel),
        extractor: Ok(RuleExtractor { miner, params: &params }),
        requested: no_rules(&features),
    })
}

fn mine_panel(panel: &Panel) -> RuleResults {
    mine_panel_with(panel, &Deciles::new(&panel.table), 1).unwrap()
}

/// The figures of the rows on which a rule held, counted row by row without the scorer.
struct HeldRows {
    support: usize,
    n_hits: usize,
    sum_return_pct: f64,
}

impl HeldRows {
    fn count(panel: &Panel, rule: &Conjunction, rows: &[u32]) -> Self {
        let held: Vec<u32> = rows.iter().copied().filter(|&row| rule.holds(&panel.table, row)).collect();
        let returns = held.iter().map(|&row| panel.labels[0].forward_return_pct[row as usize]);
        Self { support: held.len(), n_hits: n_hits(panel, &held), sum_return_pct: returns.sum() }
    }
}

fn n_hits(panel: &Panel, rows: &[u32]) -> usize {
    rows.iter().filter(|&&row| panel.labels[0].value[row as usize] == 1.0).count()
}

fn is_close(found: Option<Finite>, counted: f64) -> bool {
    (found.unwrap().get() - counted).abs() < 1e-9
}

fn lift(stats: &RuleStats) -> f64 {
    stats.lift.unwrap().get()
}

#[test]
fn each_run_receives_only_its_own_training_rows() {
    let panel = Panel::new(21, 0.5, &[2.0]);
    let miner = Deciles::new(&panel.table);
    mine_panel_with(&panel, &miner, 3).unwrap();
    let received = miner.received();
    let splits = &panel.splits[0];
    let parts = splits.folds.iter().map(|fold| &fold.train_rows).chain([&splits.development.train_rows]);
    let parts: Vec<_> = parts.flat_map(|rows| [rows, rows]).collect();
    assert_eq!(received.len(), parts.len(), "three folds and the development period, for entries and exits");
    for (request, rows) in received.iter().zip(&parts) {
        assert_eq!(&&request.train_rows, rows);
        assert_eq!(&request.labelled, *rows, "exactly the training rows have a label");
        assert!(request.scored.iter().all(|row| rows.contains(row)));
    }
    let n_scored: Vec<usize> = received.iter().map(|request| request.scored.len()).filter(|&n| n > 0).collect();
    let n_valid = |fold: &Fold| fold.valid_rows.len();
    assert_eq!(n_scored.len(), 3, "only entry runs after the first fold have scores");
    assert_eq!(n_scored[0], n_valid(&splits.folds[0]));
    assert_eq!(n_scored[2], splits.folds.iter().map(n_valid).sum::<usize>());
}

#[test]
fn the_test_period_does_not_influence_rules_lists_or_earlier_figures() {
    let panel = Panel::new(22, 0.4, &[2.0]);
    let other = panel.with_another_test();
    let one = mine_panel(&panel);
    let two = mine_panel(&other);
    assert_eq!(format!("{:?}", one.rule_set), format!("{:?}", two.rule_set));
    for side in [RuleSide::Entry, RuleSide::Exit] {
        let one = one.mined_rules.get(side);
        let two = two.mined_rules.get(side);
        assert!(one.rules.len() >= 5 && one.rules.len() == two.rules.len());
        for (one, two) in one.rules.iter().zip(&two.rules) {
            assert_eq!(one.description, two.description);
            assert_ne!(one.scored.test, two.scored.test, "the test rows differ");
            assert_eq!(one.scored, ScoredMinedRule { test: one.scored.test.clone(), ..two.scored.clone() });
        }
        for (one, two) in [(&one.lists.stable, &two.lists.stable), (&one.lists.high_lift, &two.lists.high_lift)] {
            assert_eq!((&one.walk_forward, &one.in_sample), (&two.walk_forward, &two.in_sample));
            assert_ne!(one.test, two.test);
        }
    }
}

#[test]
fn a_planted_signal_is_found_by_every_fold_on_both_sides_and_lifts_out_of_sample() {
    let rules = mine_panel(&Panel::new(23, 0.8, &[2.0]));
    for side in [RuleSide::Entry, RuleSide::Exit] {
        let found = rules.mined_rules.get(side);
        let described = found.rules.iter().find(|rule| rule.scored.n_folds_found == 3).unwrap();
        let best = &described.scored;
        assert_eq!(best.rule.0[0].feature_idx, 0, "the signal");
        for stats in [best.selected.as_ref().unwrap(), &best.test] {
            assert!(lift(stats) > 1.3 && stats.lift_ci95.unwrap().0.get() > 1.0, "{stats:?}");
            let supports = stats.per_symbol.iter().map(|row| row.support);
            assert_eq!(supports.sum::<usize>(), stats.support);
        }
        let description = &described.description;
        assert!(description.contains(&hit(2.0, side)), "{description}");
        // One of the five rules is the signal, the others are noise.
        let list_lift = lift(found.lists.high_lift.walk_forward.as_ref().unwrap());
        assert!(list_lift > 1.0 && list_lift < lift(best.selected.as_ref().unwrap()), "{list_lift}");
    }
}

#[test]
fn figures_of_mined_rules_equal_a_direct_count() {
    let panel = Panel::new(24, 0.3, &[2.0]);
    let rules = mine_panel(&panel);
    let splits = &panel.splits[0];
    let jaccard = |one: &Conjunction, other: &Conjunction, rows: &[u32]| {
        let holds = |rule: &Conjunction, row: u32| rule.holds(&panel.table, row);
        let n_both = rows.iter().filter(|&&row| holds(one, row) && holds(other, row)).count();
        n_both as f64 / rows.iter().filter(|&&row| holds(one, row) || holds(other, row)).count() as f64
    };
    for found in rules.mined_rules.entry.rules.iter().map(|rule| &rule.scored) {
        let mut support = 0;
        let mut hits = 0;
        let mut returns = 0.0;
        let mut n_folds = 0;
        for fold in &splits.folds {
            let request = MineRequest {
                label: &panel.labels[0].value,
                train_rows: &fold.train_rows,
                scores: &[],
                params: &no_params(),
                seed: 42,
            };
            let mined = Deciles::new(&panel.table).mine(&request).unwrap();
            let mined = check_proposals(&panel.table, &mined).rules;
            let same = mined.iter().map(|mined| &mined.rule).filter(|rule| {
                let kind = |rule: &Conjunction| (rule.0[0].feature_idx, rule.0[0].operator);
                kind(rule) == kind(&found.rule) && jaccard(rule, &found.rule, &fold.train_rows) >= 0.5
            });
            let similarity = |rule: &Conjunction| jaccard(rule, &found.rule, &fold.train_rows);
            let Some(fold_rule) = same.max_by(|a, b| similarity(a).total_cmp(&similarity(b))) else { continue };
            let counted = HeldRows::count(&panel, fold_rule, &fold.valid_rows);
            support += counted.support;
            hits += counted.n_hits;
            returns += counted.sum_return_pct;
            n_folds += 1;
        }
        assert_eq!(found.n_folds_found, n_folds);
        let Ok(stats) = &found.selected else { continue };
        assert_eq!(stats.support, support);
        assert!(is_close(stats.precision, hits as f64 / support as f64));
        assert!(is_close(stats.mean_forward_return_pct, returns / support as f64));
        let in_sample = HeldRows::count(&panel, &found.rule, &splits.development.train_rows);
        assert_eq!(found.in_sample.support, in_sample.support);
        assert_eq!(found.test.support, HeldRows::count(&panel, &found.rule, &splits.test_rows).support);
    }
}

#[test]
fn figures_of_lists_equal_a_direct_count() {
    let panel = Panel::new(24, 0.3, &[2.0]);
    let rules = mine_panel(&panel);
    let pairs = rules.rule_set.folds.iter().zip(&panel.splits[0].folds);
    let pairs = pairs.flat_map(|(lists, fold)| lists.entry.high_lift.iter().map(|rule| (rule, &fold.valid_rows)));
    let mut n_rows = 0;
    let mut n_positive = 0;
    let mut support = 0;
    let mut hits = 0;
    for (rule, rows) in pairs {
        let counted = HeldRows::count(&panel, rule, rows);
        support += counted.support;
        hits += counted.n_hits;
        n_rows += rows.len();
        n_positive += n_hits(&panel, rows);
    }
    let stats = rules.mined_rules.entry.lists.high_lift.walk_forward.as_ref().unwrap();
    assert_eq!((stats.n_rows, stats.support), (n_rows, support));
    assert!(is_close(stats.lift, (hits as f64 / support as f64) / (n_positive as f64 / n_rows as f64)));
}

#[test]
fn rules_mined_from_noise_have_a_lift_in_sample_only() {
    const N_PANELS: u64 = 32;
    let mut in_sample = 0.0;
    let mut walk_forward = 0.0;
    let mut test = 0.0;
    for seed in 0..N_PANELS {
        let list = mine_panel(&Panel::new(100 + seed, 0.0, &[2.0])).mined_rules.entry.lists.high_lift;
        in_sample += lift(list.in_sample.as_ref().unwrap()) / N_PANELS as f64;
        walk_forward += lift(list.walk_forward.as_ref().unwrap()) / N_PANELS as f64;
        test += lift(list.test.as_ref().unwrap()) / N_PANELS as f64;
    }
    assert!(in_sample > 1.15, "{in_sample}");
    // The lift of a single panel varies by about 0.15 walk-forward, and by about 0.3 in the test
    // period.
    assert!((walk_forward - 1.0).abs() < 0.07 && (test - 1.0).abs() < 0.1, "{walk_forward} {test}");
}

#[test]
fn the_lists_are_the_first_rules_of_the_extractor_and_the_most_stable() {
    let panel = Panel::new(25, 0.5, &[2.0]);
    let proposed = mine_panel_with(&panel, &Deciles::new(&panel.table).resampling(), 1).unwrap();
    let last = &proposed.rule_set.last.entry;
    assert_eq!((last.high_lift.len(), last.stable.len()), (5, 5));
    let reversed: Vec<_> = last.stable.iter().rev().collect();
    assert_eq!(reversed[..4], last.high_lift.iter().skip(1).collect::<Vec<_>>()[..], "the first rule is not stable");
    assert_eq!(proposed.mined_rules.entry.rules.len(), N_RULES, "each rule is listed once");
    let in_both = |rule: &&DescribedRule| rule.scored.lists == [RuleListName::Stable, RuleListName::HighLift];
    assert_eq!(proposed.mined_rules.entry.rules.iter().filter(in_both).count(), 4);
    assert_eq!(proposed.mined_rules.entry.rules[0].scored.stability, Ok(1.0));
}

#[test]
fn a_rule_that_is_proposed_twice_is_listed_once() {
    let panel = Panel::new(25, 0.5, &[2.0]);
    let twice =
        |_: &MineRequest<'_>, rules: Vec<MinedRule>| Ok(rules.into_iter().flat_map(|it| [it.clone(), it]).collect());
    let once = mine_panel_with(&panel, &Deciles::new(&panel.table).resampling(), 1).unwrap();
    let found = mine_panel_with(&panel, &Deciles::new(&panel.table).resampling().distorted(twice), 1).unwrap();
    assert_eq!(found.rule_set, once.rule_set);
}

#[test]
fn without_resamples_a_rule_found_in_half_of_the_earlier_runs_is_stable() {
    let rules = mine_panel(&Panel::new(26, 0.8, &[2.0]));
    assert_eq!(rules.rule_set.folds[0].entry.stable, [], "the first fold has no earlier run");
    let entry_rules = rules.mined_rules.entry.rules.iter().map(|rule| &rule.scored);
    let (stable, unstable): (Vec<_>, Vec<_>) = entry_rules.partition(|rule| rule.lists.contains(&RuleListName::Stable));
    assert!(!stable.is_empty() && stable.iter().all(|rule| 2 * rule.n_folds_found >= 3));
    assert!(stable.len() == 5 || unstable.iter().all(|rule| 2 * rule.n_folds_found < 3));
    assert!(stable[0].stability.is_err(), "the extractor does not report a stability");
}

#[test]
fn the_number_of_parallel_runs_does_not_change_the_results() {
    let panel = Panel::new(27, 0.3, &[2.0]);
    let [one, four] = [1, 4].map(|n| mine_panel_with(&panel, &Deciles::new(&panel.table), n).unwrap());
    assert_eq!((one.rule_set, one.mined_rules), (four.rule_set, four.mined_rules));
}

#[test]
fn an_extractor_that_dies_or_is_missing_leaves_the_jobs_own_rules_and_a_warning() {
    let panel = Panel::new(28, 0.5, &[2.0]);
    let search_context = panel.search_context(1);
    let search = searched(&panel);
    let params = no_params();
    let died = Deciles::new(&panel.table)
        .distorted(|_, _| Err(FitError::Died { cause: "signal 11".to_owned(), stderr: Vec::new() }));
    let features = FeatureReport::default();
    let job_rules = [rule("SIGNAL", Operator::Above, 0.1)];
    let requested = RequestedRules { entry_rules: &job_rules, ..no_rules(&features) };
    let missing = Err(ExtractorError::NotSelected("no rule extractor is installed".to_owned()));
    let dying = Ok(RuleExtractor { miner: &died, params: &params });
    for (extractor, code, words) in
        [(dying, "rules_failed", "signal 11"), (missing, "no_rule_extractor", "plugins folder")]
    {
        let rules =
            find(&RuleContext { search_context: &search_context, search: &search, extractor, requested }).unwrap();
        assert_eq!((rules.warnings.len(), rules.warnings[0].code.as_str()), (1, code));
        assert!(rules.warnings[0].message.contains(words), "{}", rules.warnings[0].message);
        assert!(rules.job_rules.entry_rules[0].development.as_ref().unwrap().support > 0);
        let condition = RuleCondition { feature_idx: 0, operator: Operator::Above, threshold: 0.1_f32 };
        assert_eq!(rules.rule_set.job.entry, [Conjunction(vec![condition])]);
        assert_eq!((rules.rule_set.folds.len(), &rules.rule_set.last), (3, &PerSide::default()));
        let lists = &rules.mined_rules.entry.lists;
        assert!(lists.high_lift.walk_forward.is_none() && lists.high_lift.reasons.get("walk_forward").is_some());
        assert_eq!(rules.mined_rules.entry.rules, []);
    }
}

#[test]
fn a_fold_that_the_extractor_rejects_is_empty_and_the_others_are_not() {
    let panel = Panel::new(29, 0.5, &[2.0]);
    let miner = Deciles::new(&panel.table).distorted(|request, rules| match request.train_rows.len() < 250 {
        true => Err(FitError::Rejected { code: code::DATA, message: "one class".to_owned() }),
        false => Ok(rules),
    });
    let rules = mine_panel_with(&panel, &miner, 1).unwrap();
    let folds = &rules.mined_rules.entry.lists.folds;
    assert_eq!((folds[0].n_rules, folds[0].reason.as_deref()), (0, Some("one class")));
    assert_eq!((folds[1].n_rules, &folds[1].reason), (N_RULES, &None));
    assert_eq!((&rules.rule_set.folds[0], rules.warnings.len()), (&PerSide::default(), 0));
    assert_eq!(rules.rule_set.last.entry.high_lift.len(), 5);
}

#[test]
fn rules_are_not_mined_from_a_handful_of_hits() {
    let panel = Panel::new(8, 0.3, &[8.0]);
    let n_hits = n_hits(&panel, &panel.splits[0].development.train_rows);
    assert!((1..10).contains(&n_hits), "{n_hits} hits");
    let rules = mine_panel(&panel);
    assert_eq!(rules.mined_rules.entry.rules, []);
    assert_eq!(rules.rule_set.last.entry, RuleLists::default());
    for fold in &rules.mined_rules.entry.lists.folds {
        let reason = fold.reason.as_deref().unwrap();
        // Hits, episodes and misses: first the numbers found, then the numbers needed.
        let numbers = numbers(reason);
        assert!(numbers[0] < 10 && numbers[1] <= numbers[0], "{reason}");
        assert_eq!(numbers[3..], [10, 3, 10], "{reason}");
    }
}

#[test]
fn a_threshold_beyond_the_range_of_f32_stays_finite() {
    let panel = Panel::new(28, 0.5, &[2.0]);
    let features = FeatureReport::default();
    let job_rules = [rule("SIGNAL", Operator::Above, 1e300), rule("SIGNAL", Operator::Above, -1e300)];
    let requested = RequestedRules { entry_rules: &job_rules, ..no_rules(&features) };
    let search_context = panel.search_context(1);
    let search = searched(&panel);
    let extractor = Err(ExtractorError::NotOpened);
    let rules = find(&RuleContext { search_context: &search_context, search: &search, extractor, requested }).unwrap();
    let thresholds: Vec<f32> = rules.rule_set.job.entry.iter().map(|rule| rule.0[0].threshold).collect();
    assert_eq!(thresholds, [f32::MAX, f32::MIN]);
    let support = |idx: usize| rules.job_rules.entry_rules[idx].development.as_ref().unwrap().support;
    assert_eq!((support(0), support(1)), (0, panel.splits[0].development.train_rows.len()));
}

#[test]
fn a_cancelled_run_cancels_the_job_by_error_or_by_code() {
    let panel = Panel::new(30, 0.5, &[2.0]);
    for cancel in [
        |_: &MineRequest<'_>, _: Vec<MinedRule>| Err(FitError::Cancelled),
        |_: &MineRequest<'_>, _| Err(FitError::Rejected { code: code::CANCELLED, message: "cancelled".to_owned() }),
    ] {
        let failure = mine_panel_with(&panel, &Deciles::new(&panel.table).distorted(cancel), 1).unwrap_err();
        assert_eq!((failure.kind, failure.phase), (JobErrorKind::Cancelled, Phase::RuleExtraction));
    }
}

#[test]
fn invalid_proposals_are_left_out_with_a_warning_and_the_rest_is_used() {
    let panel = Panel::new(31, 0.5, &[2.0]);
    let miner = Deciles::new(&panel.table).distorted(|_, rules| {
        let valid = rules[0].clone();
        let condition = |feature: &str, threshold| MinedRule {
            conditions: vec![Condition { feature: feature.to_owned(), threshold, ..valid.conditions[0].clone() }],
            stability: None,
        };
        let several = |n| MinedRule { conditions: vec![valid.conditions[0].clone(); n], stability: None };
        let invalid = [
            condition(&"NO_SUCH_".repeat(1000), 1.0),
            condition("SIGNAL", f64::NAN),
            condition("SIGNAL", 1e300),
            several(0),
            several(5),
        ];
        let unstable = MinedRule { stability: Some(7.0), ..valid.clone() };
        let copies = std::iter::repeat_n(valid.clone(), 10_000);
        Ok(invalid.into_iter().chain([unstable]).chain(copies).collect())
    });
    let rules = mine_panel_with(&panel, &miner, 1).unwrap();
    assert_eq!(rules.mined_rules.entry.rules.len(), 1, "copies are one rule");
    let warning = &rules.warnings[0];
    assert_eq!((rules.warnings.len(), warning.code), (1, WarningCode::MinedRulesRefused));
    assert!(warning.message.len() < 600, "{}", warning.message);
    let request = MineRequest {
        label: &panel.labels[0].value,
        train_rows: &panel.splits[0].development.train_rows,
        scores: &[],
        params: &no_params(),
        seed: 42,
    };
    let errors = check_proposals(&panel.table, &miner.mine(&request).unwrap()).errors;
    let feature = "SIGNAL".to_owned();
    assert_eq!(
        errors[..2],
        [
            ProposalError::TooManyRules { n_rules: 10_006 },
            ProposalError::UnknownFeature { feature: "NO_SUCH_".repeat(5) },
        ]
    );
    assert!(matches!(errors[2], ProposalError::InfiniteThreshold { threshold, .. } if threshold.is_nan()));
    assert_eq!(
        errors[3..],
        [
            ProposalError::InfiniteThreshold { threshold: 1e300, feature },
            ProposalError::ConditionCount { n_conditions: 0 },
            ProposalError::ConditionCount { n_conditions: 5 },
            ProposalError::InvalidStability { stability: 7.0 },
        ]
    );
    assert_eq!(
        [0, 2, 4, 6].map(|idx| errors[idx].to_string()),
        [
            "found 10006 rules, expected at most 50; the others are ignored",
            "invalid threshold of SIGNAL: found NaN, expected a finite number",
            "found a rule with 0 conditions, expected 1 to 4",
            "invalid stability: found 7.0, expected 0 to 1",
        ]
    );
}

#[test]
fn exit_rules_are_not_mined_if_the_label_is_not_a_rise() {
    let panel = Panel::new(32, 0.5, &[0.0]);
    let miner = Deciles::new(&panel.table);
    let rules = mine_panel_with(&panel, &miner, 1).unwrap();
    assert_eq!(miner.received().len(), 4, "only entry rules are mined");
    assert!(!rules.mined_rules.entry.rules.is_empty());
    let exit = &rules.mined_rules.exit;
    assert_eq!(exit.rules, []);
    let reason = exit.lists.stable.reasons.get("test").unwrap();
    assert_eq!(numbers(reason), [0], "the reason contains the threshold: {reason}");
}
