//! Tests of splits. They compare sets of row indices.

use std::sync::Arc;

use oculus_job::code::ErrorCode;
use oculus_job::request::Job;
use proptest::prelude::*;

use super::*;
use crate::example_bars::ExampleBars;
use crate::{bars, features, labels, labels::LabelKey};

/// Returns the table of symbols that trade on the given dates, and labels with the given horizons
/// in bars.
fn panel(symbols: &[Vec<i32>], horizons: &[u32], is_positive: impl Fn(i32) -> bool) -> (FeatureTable, Vec<Label>) {
    let mut table = FeatureTable::default();
    for (symbol_idx, days) in symbols.iter().enumerate() {
        table.symbol.extend(vec![symbol_idx as u32; days.len()]);
        table.bar.extend(0..days.len() as u32);
        table.day.extend(days);
    }
    let label = |&horizon_bars: &u32| {
        let known = symbols.iter().flat_map(|days| {
            (0..days.len()).map(move |bar| days.get(bar + horizon_bars as usize).copied().unwrap_or(i32::MAX))
        });
        let known_day: Vec<i32> = known.collect();
        let class =
            |(&known, &day): (&i32, &i32)| if known == i32::MAX { f32::NAN } else { f32::from(is_positive(day)) };
        Label {
            key: LabelKey { horizon_days: horizon_bars, threshold_pct: 2.0 },
            horizon_bars,
            value: known_day.iter().zip(&table.day).map(class).collect(),
            forward_return_pct: Arc::default(),
            known_day: known_day.into(),
        }
    };
    let labels = horizons.iter().map(label).collect();
    (table, labels)
}

fn span(first_day: i32) -> LabelledSpan {
    LabelledSpan { first_day, lookback_rows: 0 }
}

#[test]
fn blocks_are_equal_and_the_test_period_is_the_last_fifth_of_the_labelled_dates() {
    let (table, labels) = panel(&[(0..330).collect()], &[5, 10], |day| day % 3 == 0);
    let partition = Partition::new(&table, &labels, 3, span(20)).unwrap();
    assert_eq!(partition.blocks, [20..80, 80..140, 140..200, 200..260]);
    assert_eq!(partition.test, 260..330);
    let splits = partition.splits(&table, &labels[0]);
    let fold = &splits.folds[0];
    assert_eq!((fold.learn_rows.len(), fold.train_rows.last(), fold.train_rows.len()), (60, Some(&74), 55));
    assert_eq!((fold.valid_rows.first(), fold.valid_rows.last()), (Some(&80), Some(&134)));
    assert_eq!((splits.development.train_rows.first(), splits.development.train_rows.last()), (Some(&20), Some(&254)));
    assert_eq!((splits.test_rows.first(), splits.test_rows.last()), (Some(&260), Some(&324)));
}

#[test]
fn rows_without_enough_history_for_a_window_have_no_role() {
    let (table, labels) = panel(&[(0..330).collect(), (100..330).collect()], &[5], |_| false);
    let partition = Partition::new(&table, &labels, 3, LabelledSpan { first_day: 20, lookback_rows: 50 }).unwrap();
    assert_eq!(partition.blocks[0].start, 49, "the row itself is the last of its window of 50 rows");
    let rows = partition.splits(&table, &labels[0]).development.learn_rows;
    assert!(rows.contains(&49) && !rows.contains(&48));
    assert!(rows.contains(&379) && !rows.contains(&378), "the second symbol starts at row 330");
}

#[test]
fn too_few_dates_are_refused() {
    let (table, labels) = panel(&[(0..8).collect()], &[5], |_| false);
    let failure = Partition::new(&table, &labels, 10, span(0)).unwrap_err();
    assert_eq!(failure.code, ErrorCode::TooFewBars);
    let words = failure.message.split(|letter: char| !letter.is_ascii_digit());
    let numbers: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    assert_eq!(numbers, ["3", "5"], "dates, dates needed: {failure}");
    assert!(Partition::new(&FeatureTable::default(), &[], 1, span(0)).is_err());
}

#[test]
fn blocks_are_merged_until_the_training_rows_of_every_fold_suffice() {
    // One positive in four rows: a block of 26 dates has too few positives, one of 56 has enough.
    let (table, labels) = panel(&[(0..288).collect()], &[5], |day| day % 20 < 5);
    let partition = Partition::new(&table, &labels, 8, span(0)).unwrap();
    let n_folds = partition.blocks.len() - 1;
    assert!((1..8).contains(&n_folds), "{n_folds} folds");
    let trained = |fold: &Fold| class_counts(&table, &labels[0], &fold.train_rows).suffice(MinCounts::TRAIN);
    assert!(partition.folds(&table, &labels[0]).iter().all(trained));
    let one_more =
        Partition { blocks: equal_blocks(&(0..228).collect::<Vec<_>>(), 227, n_folds + 2), ..partition.clone() };
    assert!(!one_more.folds(&table, &labels[0]).iter().all(trained), "one more fold would not suffice");
    let warnings = partition.warnings();
    assert_eq!(warnings[0].code, WarningCode::FoldsMerged);
    assert!(warnings[0].message.contains("8 folds") && warnings[0].message.contains(&format!("into {n_folds} folds")));
    assert_eq!(Partition::new(&table, &labels, 1, span(0)).unwrap().warnings(), []);
}

#[test]
fn a_fold_with_too_few_training_rows_does_not_count_for_its_label() {
    // The second label becomes positive late, so its first fold has no positive to train on.
    let days: Vec<i32> = (0..400).collect();
    let (table, mut labels) = panel(&[days], &[5, 5], |day| day % 20 < 8);
    let late = labels[1].value.iter().enumerate().map(|(row, &value)| if row < 90 { value.min(0.0) } else { value });
    labels[1].value = late.collect();
    let partition = Partition::new(&table, &labels, 3, span(0)).unwrap();
    let [often, late] = [0, 1].map(|idx| partition.splits(&table, &labels[idx]).folds);
    assert_eq!((often.len(), late.len()), (3, 2));
    assert_eq!(late[..], often[1..]);
}

#[test]
fn overlapping_positives_of_a_symbol_are_one_episode() {
    let days: Vec<i32> = (0..40).collect();
    let (table, labels) = panel(&[days.clone(), days], &[5], |day| [3, 8, 14, 30].contains(&day));
    let rows: Vec<u32> = (0..80).collect();
    let counts = class_counts(&table, &labels[0], &rows);
    // The label of day 3 is known on day 8, so days 3 and 8 are one episode. Days 14 and 30 start
    // new episodes.
    assert_eq!(counts, ClassCounts { n_positive: 8, n_negative: 62, n_episodes: 6 });
    assert!(!counts.suffice(MinCounts::TUNE));
    assert!(ClassCounts { n_positive: 20, n_negative: 20, n_episodes: 4 }.suffice(MinCounts::COMPARE));
    assert_eq!(ClassCounts::default().base_rate(), None);
}

#[test]
fn a_tail_is_purged_and_split_off_only_if_it_is_useful() {
    let (table, labels) = panel(&[(0..400).collect()], &[5], |day| day % 9 < 3);
    let train: Vec<u32> = (0..300).collect();
    let (fit, tune) = tail(&table, &labels[0], &train, TAIL_SHARE).unwrap();
    assert_eq!((tune.first(), tune.len()), (Some(&255), 45));
    assert_eq!(fit.last(), Some(&249), "the label of row 250 is known on day 255");
    assert!(tail(&table, &labels[0], &train[..115], TAIL_SHARE).is_none(), "fewer than 100 dates to fit on");
    let (table, labels) = panel(&[(0..400).collect()], &[5], |day| day < 250);
    assert!(tail(&table, &labels[0], &train, TAIL_SHARE).is_none(), "no positive in the tail");
    assert!(tail(&table, &labels[0], &[], TAIL_SHARE).is_none());
}

#[test]
fn the_example_job_has_the_designed_splits() {
    let job = Job::parse(include_str!("../../../../examples/job.json")).unwrap();
    let market = bars::load(&ExampleBars, &features::bars_needs(&job, 0), &|_| {}).unwrap();
    let (table, report) = features::build(&market, &job, 1).unwrap();
    assert_eq!(report.warnings(), []);
    assert!(table.values.iter().all(|value| value.is_finite()));
    let labels = labels::build(&market, &table, &job);
    assert_eq!(labels.len(), 9);
    let partition = Partition::new(&table, &labels, job.design.ml_training_config.cv_folds, market.span).unwrap();
    assert_eq!(partition.blocks.len(), 4);
    for label in &labels {
        let splits = partition.splits(&table, label);
        let purged = 2 * label.horizon_bars as usize;
        let fold = splits.folds.last().unwrap();
        assert_eq!(fold.learn_rows.len() - fold.train_rows.len(), purged);
        assert!((550..=600).contains(&fold.train_rows.len()), "{} rows", fold.train_rows.len());
        let unlabelled = 2 * (15 - label.horizon_bars as usize);
        assert_eq!(splits.test_rows.len(), 2 * 97 + unlabelled, "a fifth of 487 labelled dates, two symbols");
    }
}

/// Generates the dates of symbols that lack some dates and start late or end early.
fn symbols() -> impl Strategy<Value = Vec<Vec<i32>>> {
    let symbol = (0i32..80, 150i32..220, prop::collection::vec(any::<bool>(), 220));
    prop::collection::vec(symbol, 1..4).prop_map(|symbols| {
        let days =
            |(first, end, trades): (i32, i32, Vec<bool>)| (first..end).filter(|&day| trades[day as usize]).collect();
        symbols.into_iter().map(days).collect()
    })
}

proptest! {
    #[test]
    fn purged_splits_share_no_label_bars(
        symbols in symbols(),
        horizons in prop::collection::vec(1u32..25, 1..4),
        cv_folds in 1u32..6,
        first_day in 0i32..60,
        lookback_rows in 0usize..10,
    ) {
        let (table, labels) = panel(&symbols, &horizons, |day| day % 3 == 0);
        let Ok(partition) = Partition::new(&table, &labels, cv_folds, LabelledSpan { first_day, lookback_rows }) else {
            return Ok(());
        };
        let day = |row: &u32| table.day[*row as usize];
        for label in &labels {
            let known = |row: &u32| label.known_day[*row as usize];
            let splits = partition.splits(&table, label);
            prop_assert!(partition.blocks.len() <= cv_folds as usize + 1);
            prop_assert!(splits.folds.iter().all(|fold| partition.folds(&table, label).contains(fold)));
            for (fold, valid) in partition.folds(&table, label).iter().zip(&partition.blocks[1..]) {
                prop_assert!(fold.learn_rows.iter().all(|row| day(row) < valid.start));
                prop_assert!(fold.train_rows.iter().all(|row| known(row) < valid.start));
                prop_assert!(fold.valid_rows.iter().all(|row| day(row) >= valid.start && known(row) < valid.end));
                prop_assert!(fold.train_rows.iter().all(|row| fold.learn_rows.contains(row)));
            }
            prop_assert!(splits.development.learn_rows.iter().all(|row| day(row) < partition.test.start));
            prop_assert!(splits.development.train_rows.iter().all(|row| known(row) < partition.test.start));
            prop_assert!(splits.test_rows.iter().all(|row| partition.test.contains(&day(row)) && label.is_known(*row)));
            let of_folds = splits.folds.iter().flat_map(|fold| [&fold.learn_rows, &fold.train_rows, &fold.valid_rows]);
            let development = [&splits.development.learn_rows, &splits.development.train_rows, &splits.test_rows];
            for rows in of_folds.chain(development) {
                prop_assert!(rows.is_sorted_by(|row, next| row < next));
                prop_assert!(rows.iter().all(|row| day(row) >= first_day));
            }
        }
    }

    #[test]
    fn a_tail_shares_no_label_bars_with_the_fitted_rows(period in 5i32..40, share in 0.05f64..0.4, horizon in 1u32..25) {
        let (table, labels) = panel(&[(0..420).collect(), (40..420).collect()], &[horizon], |day| day % period < period / 2);
        let train: Vec<u32> = (0..380).chain(420..760).collect();
        if let Some((fit, tune)) = tail(&table, &labels[0], &train, share) {
            let tail_start = tune.iter().map(|&row| table.day[row as usize]).min().unwrap();
            prop_assert!(fit.iter().all(|&row| labels[0].known_day[row as usize] < tail_start));
            prop_assert!(class_counts(&table, &labels[0], &tune).suffice(MinCounts::TUNE));
        }
    }
}
