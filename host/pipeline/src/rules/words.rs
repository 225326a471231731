//! A mined rule in plain English: its conditions, what they mean, and what came after.
//!
//! In: a rule with its evidence. Out: one sentence. It says the walk-forward figures; where there are none, it says so and
//! what the others are.

use oculus_plugin_api::Operator;

use super::{
    book::{Clause, Conjunction},
    evidence::Evidence,
    found::FoundRule,
    meaning,
    truth::RuleSide,
};
use crate::{features::FeatureTable, labels::Label, search::Study};

/// Digits that a number is told with.
const N_DIGITS: i32 = 4;

/// The sentence of a rule, such as `RSI_14 at or below 34.6: oversold; 61 % of 412 bars in 143 episodes closed 3 % or more
/// higher 10 bars later, 1.5 × the base rate, walk-forward in 2 of 3 folds`.
///
/// * `rule`: judged; its own description is not read.
pub(super) fn describe(study: &Study<'_>, label_idx: usize, side: RuleSide, rule: &FoundRule) -> String {
    let label = &study.labels[label_idx];
    let conditions = conditions(study.table, &rule.rule);
    let FoundRule { n_folds_found, n_folds, walk_forward, in_sample, .. } = rule;
    let mined_from = format!("on the rows it was mined from {}", course(label, side, in_sample));
    let told = match walk_forward {
        Ok(evidence) if evidence.support > 0 => {
            format!("{}, walk-forward in {n_folds_found} of {n_folds} folds", course(label, side, evidence))
        }
        Ok(_) => {
            format!("found by {n_folds_found} of {n_folds} folds, and never true on the dates after; {mined_from}")
        }
        Err(_) => format!("not found by an earlier fold; {mined_from}"),
    };
    let meanings = meanings(study.table, &rule.rule, &study.splits[label_idx].development.train_rows);
    if meanings.is_empty() { format!("{conditions}; {told}") } else { format!("{conditions}: {meanings}; {told}") }
}

fn conditions(table: &FeatureTable, rule: &Conjunction) -> String {
    let condition = |clause: &Clause| {
        let threshold = short(f64::from(clause.threshold));
        format!("{} {} {threshold}", table.names[clause.feature_idx], relation(clause.operator))
    };
    rule.0.iter().map(condition).collect::<Vec<_>>().join(" and ")
}

/// What the conditions mean, each by itself; `rows` tell how often it holds.
fn meanings(table: &FeatureTable, rule: &Conjunction, rows: &[u32]) -> String {
    let meaning = |clause: &Clause| {
        let column = table.column(clause.feature_idx);
        let n_held = rows.iter().filter(|&&row| clause.holds(column[row as usize])).count();
        meaning::of(&table.names[clause.feature_idx], clause, 2 * n_held <= rows.len())
    };
    rule.0.iter().filter_map(meaning).collect::<Vec<_>>().join(", ")
}

fn relation(operator: Operator) -> &'static str {
    match operator {
        Operator::AtMost => "at or below",
        Operator::Below => "below",
        Operator::AtLeast => "at or above",
        Operator::Above => "above",
        Operator::Equal => "at",
        Operator::Unequal => "other than",
    }
}

/// What came after the rule on some rows.
fn course(label: &Label, side: RuleSide, evidence: &Evidence) -> String {
    let Some(precision) = evidence.precision else { return "it was never true".to_owned() };
    let (bars, episodes) = (count(evidence.support, "bar"), count(evidence.episodes, "episode"));
    let later = count(label.horizon_bars as usize, "bar");
    let lift = evidence.lift.map(|lift| format!(", {:.1} × the base rate", lift.get())).unwrap_or_default();
    let percent = 100.0 * precision.get();
    format!("{percent:.0} % of {bars} in {episodes} {} {later} later{lift}", forecast(label.key.threshold_pct, side))
}

/// What a hit is, in the words of the label.
fn forecast(threshold_pct: f64, side: RuleSide) -> String {
    let percent = short(threshold_pct.abs());
    match side {
        RuleSide::Exit => format!("closed {percent} % or more lower"),
        RuleSide::Entry if threshold_pct > 0.0 => format!("closed {percent} % or more higher"),
        RuleSide::Entry if threshold_pct < 0.0 => format!("closed at most {percent} % lower"),
        RuleSide::Entry => "closed no lower".to_owned(),
    }
}

fn count(n: usize, thing: &str) -> String {
    format!("{n} {thing}{}", if n == 1 { "" } else { "s" })
}

/// A number with four digits that count, and no more of them than it needs.
pub(super) fn short(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return value.abs().to_string();
    }
    let magnitude = value.abs().log10().floor() as i32;
    if !(-4..6).contains(&magnitude) {
        return format!("{value:.3e}");
    }
    let decimals = (N_DIGITS - 1 - magnitude).max(0) as usize;
    let written = format!("{value:.decimals$}");
    if written.contains('.') { written.trim_end_matches('0').trim_end_matches('.').to_owned() } else { written }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::{
        labels::LabelKey,
        metrics::{Finite, Reasons, Undefined},
        splits::{Development, Splits},
    };

    fn label(horizon_bars: u32, threshold_pct: f64) -> Label {
        Label {
            key: LabelKey { horizon_days: horizon_bars, threshold_pct },
            horizon_bars,
            value: Vec::new(),
            forward_return_pct: [].into(),
            known_day: [].into(),
        }
    }

    fn evidence(support: usize, episodes: usize, (precision, lift): (f64, f64)) -> Evidence {
        let figure = |value: f64| Finite::of(value).filter(|_| support > 0);
        Evidence {
            n_rows: 1000,
            support,
            episodes,
            precision: figure(precision),
            base_rate: None,
            lift: figure(lift),
            lift_ci95: None,
            mean_forward_return_pct: None,
            per_symbol: Vec::new(),
            reasons: Reasons::default(),
        }
    }

    fn rule(clauses: &[(usize, Operator, f32)], walk_forward: Result<Evidence, Undefined>) -> FoundRule {
        let clause = |&(feature_idx, operator, threshold): &_| Clause { feature_idx, operator, threshold };
        FoundRule {
            rule: Conjunction(clauses.iter().map(clause).collect()),
            description: String::new(),
            lists: Vec::new(),
            stability: Ok(1.0),
            n_folds_found: 2,
            n_folds: 3,
            walk_forward,
            in_sample: evidence(600, 1, (0.8, 2.04)),
            test: evidence(0, 0, (0.0, 0.0)),
        }
    }

    #[test]
    fn a_sentence_says_what_held_what_it_means_what_came_after_and_on_which_rows() {
        let table =
            FeatureTable { names: ["RSI_14", "ADX_14", "SMA_20"].map(str::to_owned).to_vec(), ..Default::default() };
        let rows = || Development { learn_rows: Vec::new(), train_rows: Vec::new() };
        let splits = [Splits { folds: Vec::new(), development: rows(), test_rows: Vec::new() }];
        let said = |label: &Label, side, rule: &FoundRule| {
            let labels = std::slice::from_ref(label);
            let study = Study { table: &table, labels, splits: &splits, seed: 42, n_side_by_side: 1 };
            describe(&study, 0, side, rule)
        };
        let oversold = rule(&[(0, Operator::AtMost, 34.6)], Ok(evidence(412, 143, (0.612, 1.52))));
        assert_eq!(
            said(&label(10, 3.0), RuleSide::Entry, &oversold),
            "RSI_14 at or below 34.6: oversold; 61 % of 412 bars in 143 episodes closed 3 % or more higher 10 bars later, \
             1.5 × the base rate, walk-forward in 2 of 3 folds"
        );
        let both = rule(&[(0, Operator::Below, 38.0), (1, Operator::Above, 22.25)], Ok(evidence(0, 0, (0.0, 0.0))));
        assert_eq!(
            said(&label(1, 2.5), RuleSide::Exit, &both),
            "RSI_14 below 38 and ADX_14 above 22.25: oversold, a strong trend; found by 2 of 3 folds, and never true on \
             the dates after; on the rows it was mined from 80 % of 600 bars in 1 episode closed 2.5 % or more lower 1 bar \
             later, 2.0 × the base rate"
        );
        let unfound = rule(&[(2, Operator::AtLeast, 1234.56)], Err(Undefined::because("none")));
        assert_eq!(
            said(&label(5, 0.0), RuleSide::Entry, &unfound),
            "SMA_20 at or above 1235; not found by an earlier fold; on the rows it was mined from 80 % of 600 bars in 1 \
             episode closed no lower 5 bars later, 2.0 × the base rate"
        );
    }

    #[test]
    fn numbers_are_short() {
        for (value, written) in [
            (34.599_998, "34.6"),
            (0.0, "0"),
            (-0.012_346, "-0.01235"),
            (1234.5, "1234"),
            (123_456.0, "123456"),
            (1_234_567_890.0, "1.235e9"),
            (-2.0, "-2"),
            (0.000_012_3, "1.230e-5"),
        ] {
            assert_eq!(short(value), written);
        }
    }
}
