//! Step 5: describes a mined rule in one plain English sentence, with its conditions, their
//! meaning, and what followed.
//!
//! In: a scored rule. Out: a [`DescribedRule`]. The sentence first states the walk-forward lift of
//! the rule's list, because the list is not selected afterwards. Then it states the rule's own
//! walk-forward figures, or its in-sample figures, and marks them as such. The glossary has phrases
//! for low and high values of the features in the catalogue. A phrase applies only beyond a limit:
//! an RSI below 70 is not yet oversold. Features without a natural scale have no limit; their
//! phrases apply if the condition holds on at most half of the rows.

use oculus_plugin_api::Operator;

use super::{
    context::RuleContext,
    rule_set::{Conjunction, RuleCondition, RuleListName, RuleSide},
    rule_stats::{RuleStats, SideListStats},
    score::{ScoredMinedRule, SideScores},
};
use crate::{
    features::{self, Feature, FeatureTable},
    labels::Label,
};

/// Significant digits of numbers in a sentence.
const N_DIGITS: i32 = 4;

/// The mined rules of one side.
#[derive(Clone, Debug, PartialEq)]
pub struct MinedRules {
    /// The listed rules of the last run: the stable list, then the rest of the high-lift list.
    pub rules: Vec<DescribedRule>,
    /// The scores of the lists.
    pub lists: SideListStats,
}

/// A scored rule with its description.
#[derive(Clone, Debug, PartialEq)]
pub struct DescribedRule {
    /// The rule and its scores.
    pub scored: ScoredMinedRule,
    /// One sentence in plain English.
    pub description: String,
}

/// Describes the scored rules of one side.
pub(super) fn describe(context: &RuleContext<'_>, side: RuleSide, scores: SideScores) -> MinedRules {
    let describe_rule = |scored: ScoredMinedRule| {
        let description = sentence(context, side, &scored, &scores.lists);
        DescribedRule { scored, description }
    };
    MinedRules { rules: scores.rules.into_iter().map(describe_rule).collect(), lists: scores.lists }
}

/// Returns the sentence of a rule, such as `RSI_14 at or below 34.6: oversold; rules of the stable
/// list: 1.1 × the base rate walk-forward; this rule, selected: 61 % of 412 bars in 143 episodes
/// closed 3 % or more higher 10 bars later, 1.5 × the base rate, in 2 of 3 folds`.
pub(super) fn sentence(
    context: &RuleContext<'_>,
    side: RuleSide,
    scored: &ScoredMinedRule,
    lists: &SideListStats,
) -> String {
    let ScoredMinedRule { rule, n_folds_found, n_folds, selected, in_sample, .. } = scored;
    let label = context.label();
    let in_sample = || format!("on the rows that it was mined from, {}", consequence(label, side, in_sample));
    let own_figures = match selected {
        Ok(stats) if stats.support > 0 => {
            format!("this rule, selected: {}, in {n_folds_found} of {n_folds} folds", consequence(label, side, stats))
        }
        Ok(_) => {
            format!(
                "this rule: found by {n_folds_found} of {n_folds} folds, but never true on their validation dates; {}",
                in_sample()
            )
        }
        Err(_) => format!("this rule: not found by any fold; {}", in_sample()),
    };
    let conditions = conditions(context.table(), rule);
    // The frequency of a condition is counted on development rows, so that no description depends
    // on the test period.
    let meanings = meanings(context.table(), rule, &context.splits().development.train_rows);
    let meanings = if meanings.is_empty() { meanings } else { format!(": {meanings}") };
    let list_lift = list_lift(lists, &scored.lists).map(|lift| format!("; {lift}")).unwrap_or_default();
    format!("{conditions}{meanings}{list_lift}; {own_figures}")
}

/// Describes the unselected lift of a rule's list; `None` if it is undefined.
fn list_lift(lists: &SideListStats, names: &[RuleListName]) -> Option<String> {
    let (name, stats) = lists.unselected(names).ok()?;
    let lift = stats.lift?.get();
    let name = match name {
        RuleListName::Stable => "stable",
        RuleListName::HighLift => "high-lift",
    };
    Some(format!("rules of the {name} list: {lift:.1} × the base rate walk-forward"))
}

fn conditions(table: &FeatureTable, rule: &Conjunction) -> String {
    let phrase = |condition: &RuleCondition| {
        let threshold = short_number(f64::from(condition.threshold));
        format!("{} {} {threshold}", table.names[condition.feature_idx], relation(condition.operator))
    };
    rule.0.iter().map(phrase).collect::<Vec<_>>().join(" and ")
}

/// Returns the phrases of the conditions that have one.
///
/// * `rows`: rows on which the frequency of a condition is counted.
fn meanings(table: &FeatureTable, rule: &Conjunction, rows: &[u32]) -> String {
    let phrase = |condition: &RuleCondition| {
        let column = table.column(condition.feature_idx);
        let n_held = rows.iter().filter(|&&row| condition.holds(column[row as usize])).count();
        // A condition that holds on most rows describes the usual values, not low or high ones.
        let is_rare = 2 * n_held <= rows.len();
        condition_meaning(&table.names[condition.feature_idx], condition, is_rare)
    };
    rule.0.iter().filter_map(phrase).collect::<Vec<_>>().join(", ")
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

/// Describes what followed the rows on which the rule held.
fn consequence(label: &Label, side: RuleSide, stats: &RuleStats) -> String {
    let Some(precision) = stats.precision else { return "it was never true".to_owned() };
    let percent = 100.0 * precision.get();
    let bars = count(stats.support, "bar");
    let episodes = count(stats.episodes, "episode");
    let hit = hit(label.key.threshold_pct, side);
    let later = count(label.horizon_bars as usize, "bar");
    let lift = stats.lift.map(|lift| format!(", {:.1} × the base rate", lift.get())).unwrap_or_default();
    format!("{percent:.0} % of {bars} in {episodes} {hit} {later} later{lift}")
}

/// Describes a hit of one side.
pub(super) fn hit(threshold_pct: f64, side: RuleSide) -> String {
    let percent = short_number(threshold_pct.abs());
    match side {
        RuleSide::Exit => format!("closed {percent} % or more lower"),
        RuleSide::Entry if threshold_pct > 0.0 => format!("closed {percent} % or more higher"),
        RuleSide::Entry if threshold_pct < 0.0 => format!("closed at most {percent} % lower"),
        RuleSide::Entry => "closed no lower".to_owned(),
    }
}

fn count(n: usize, noun: &str) -> String {
    format!("{n} {noun}{}", if n == 1 { "" } else { "s" })
}

/// Formats a number with at most four significant digits and without trailing zeros.
pub(super) fn short_number(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        // `abs` prevents "-0".
        return value.abs().to_string();
    }
    let magnitude = value.abs().log10().floor() as i32;
    // Beyond these magnitudes, a plain decimal consists mostly of zeros.
    if !(-4..6).contains(&magnitude) {
        return format!("{value:.3e}");
    }
    let decimals = (N_DIGITS - 1 - magnitude).max(0) as usize;
    let written = format!("{value:.decimals$}");
    // Without a decimal point, trailing zeros are part of the number.
    if written.contains('.') { written.trim_end_matches('0').trim_end_matches('.').to_owned() } else { written }
}

/// A phrase for low or for high values of a feature. Placeholders: `{n}` and `{m}` are the
/// feature's parameters, `{symbol}` is its benchmark.
#[derive(Clone, Copy)]
struct Wording {
    limit: WordingLimit,
    text: &'static str,
}

/// The thresholds to which a phrase applies.
#[derive(Clone, Copy)]
enum WordingLimit {
    /// Thresholds at or beyond this value.
    At(f64),
    /// Thresholds with which the condition holds on at most half of the rows.
    Rare,
}

const fn at(limit: f64, text: &'static str) -> Option<Wording> {
    Some(Wording { limit: WordingLimit::At(limit), text })
}

const fn rare(text: &'static str) -> Option<Wording> {
    Some(Wording { limit: WordingLimit::Rare, text })
}

impl Wording {
    /// Returns whether the phrase for low values applies to a condition.
    fn applies_low(&self, condition: &RuleCondition, is_rare: bool) -> bool {
        match self.limit {
            WordingLimit::At(limit) => f64::from(condition.threshold) <= limit,
            WordingLimit::Rare => is_rare && condition.operator != Operator::Equal,
        }
    }

    /// Returns whether the phrase for high values applies to a condition.
    fn applies_high(&self, condition: &RuleCondition, is_rare: bool) -> bool {
        match self.limit {
            WordingLimit::At(limit) => f64::from(condition.threshold) >= limit,
            WordingLimit::Rare => is_rare && condition.operator != Operator::Equal,
        }
    }
}

/// For each stem of feature names, the phrase for low values and the phrase for high values. Prices
/// and sums of volume have no entry, because their level alone has no meaning.
static GLOSSARY: &[(&[&str], Option<Wording>, Option<Wording>)] = &[
    (&["RSI", "MFI", "STOCH_K", "STOCH_D", "ULTOSC"], at(40.0, "oversold"), at(60.0, "overbought")),
    (&["STOCHRSI_K", "STOCHRSI_D"], at(40.0, "RSI low in its recent range"), at(60.0, "RSI high in its recent range")),
    (&["WILLR"], at(-70.0, "oversold"), at(-30.0, "overbought")),
    (&["CCI"], at(-50.0, "oversold"), at(50.0, "overbought")),
    (&["CMO"], at(-20.0, "oversold"), at(20.0, "overbought")),
    (&["ZSCORE"], at(-1.0, "far below the {n}-bar mean"), at(1.0, "far above the {n}-bar mean")),
    (&["BB_PCT_B"], at(0.25, "near or below the lower band"), at(0.75, "near or above the upper band")),
    (&["KELTNER_POS"], at(0.25, "near or below the lower channel"), at(0.75, "near or above the upper channel")),
    (&["DONCHIAN_POS"], at(0.25, "near the {n}-bar low"), at(0.75, "near the {n}-bar high")),
    (&["PRICE_TO_SMA", "PRICE_TO_EMA"], at(0.0, "below the {n}-bar average"), at(0.0, "above the {n}-bar average")),
    (&["VWAP_DIST"], at(0.0, "below the volume-weighted price"), at(0.0, "above the volume-weighted price")),
    (
        &["SMA_CROSS", "EMA_CROSS"],
        at(0.0, "the {n}-bar average below the {m}-bar average"),
        at(0.0, "the {n}-bar average above the {m}-bar average"),
    ),
    (
        &["MACD_LINE", "MACD_SIGNAL", "PPO_LINE", "PPO_SIGNAL", "TSI", "TSI_SIGNAL", "AO", "AO_PCT", "TRIX"],
        at(0.0, "negative momentum"),
        at(0.0, "positive momentum"),
    ),
    (&["MACD_HIST", "PPO_HIST"], at(0.0, "momentum below its average"), at(0.0, "momentum above its average")),
    (&["ADX"], at(20.0, "no clear trend"), at(20.0, "a strong trend")),
    (&["PLUS_DI"], rare("weak upward movement"), rare("strong upward movement")),
    (&["MINUS_DI"], rare("weak downward movement"), rare("strong downward movement")),
    (&["DI_DIFF"], at(0.0, "more downward than upward movement"), at(0.0, "more upward than downward movement")),
    (&["AROON_UP"], at(30.0, "no recent high"), at(70.0, "a recent high")),
    (&["AROON_DOWN"], at(30.0, "no recent low"), at(70.0, "a recent low")),
    (&["AROON_OSC"], at(0.0, "the low more recent than the high"), at(0.0, "the high more recent than the low")),
    (&["PSAR_DIR"], at(0.0, "below the parabolic stop"), at(0.0, "above the parabolic stop")),
    (&["SUPERTREND_DIR"], at(0.0, "below the supertrend"), at(0.0, "above the supertrend")),
    (&["LINREG_SLOPE"], at(0.0, "a falling line through {n} closes"), at(0.0, "a rising line through {n} closes")),
    (&["LINREG_R2"], at(0.3, "closes far from a straight line"), at(0.7, "closes near a straight line")),
    (&["ICHIMOKU_CLOUD_DIST"], at(0.0, "not above the cloud"), at(0.0, "not below the cloud")),
    (&["ICHIMOKU_TENKAN_DIST"], at(0.0, "below the tenkan line"), at(0.0, "above the tenkan line")),
    (&["ICHIMOKU_KIJUN_DIST"], at(0.0, "below the kijun line"), at(0.0, "above the kijun line")),
    (&["NATR", "HV", "PARKINSON"], rare("low volatility"), rare("high volatility")),
    (&["BB_WIDTH"], rare("narrow bands"), rare("wide bands")),
    (&["BB_SQUEEZE"], at(0.0, "no squeeze"), at(1.0, "a squeeze")),
    (&["ATR_RATIO", "VOL_REGIME"], at(1.0, "less volatile than usual"), at(1.0, "more volatile than usual")),
    (
        &["OBV_SLOPE", "CMF", "ADOSC", "ADOSC_PCT", "FORCE", "FORCE_PCT"],
        at(0.0, "selling pressure"),
        at(0.0, "buying pressure"),
    ),
    (&["VOLUME_RATIO"], at(1.0, "less volume than usual"), at(1.0, "more volume than usual")),
    (&["VOLUME_Z"], at(0.0, "less volume than usual"), at(0.0, "more volume than usual")),
    (&["RET", "MOM"], at(0.0, "lower than {n} bars ago"), at(0.0, "higher than {n} bars ago")),
    (&["GAP_PCT"], at(0.0, "a gap down"), at(0.0, "a gap up")),
    (&["BODY_PCT"], at(0.0, "a falling bar"), at(0.0, "a rising bar")),
    (&["UPPER_WICK"], at(0.2, "a short upper wick"), at(0.4, "a long upper wick")),
    (&["LOWER_WICK"], at(0.2, "a short lower wick"), at(0.4, "a long lower wick")),
    (&["CLOSE_LOC"], at(0.3, "a close near the bar's low"), at(0.7, "a close near the bar's high")),
    (&["DIST_HIGH"], rare("far below the {n}-bar high"), rare("near the {n}-bar high")),
    (&["DIST_LOW"], rare("near the {n}-bar low"), rare("far above the {n}-bar low")),
    (&["CONSEC_UP"], at(-1.0, "consecutive falls"), at(1.0, "consecutive rises")),
    (&["INSIDE_BAR"], at(0.0, "not an inside bar"), at(1.0, "an inside bar")),
    (&["DAY_OF_WEEK"], at(1.0, "early in the week"), at(3.0, "late in the week")),
    (&["REL_STRENGTH"], at(0.0, "weaker than {symbol}"), at(0.0, "stronger than {symbol}")),
    (&["BETA"], at(0.8, "moving less than {symbol}"), at(1.2, "moving more than {symbol}")),
    (&["CORR"], at(0.3, "weakly correlated with {symbol}"), at(0.7, "strongly correlated with {symbol}")),
];

/// Returns the phrase for a condition; `None` if the glossary has none.
///
/// * `is_rare`: whether the condition holds on at most half of the rows.
pub(super) fn condition_meaning(feature: &str, condition: &RuleCondition, is_rare: bool) -> Option<String> {
    let feature = features::resolve(feature).ok()?;
    let (_, low, high) = GLOSSARY.iter().find(|(stems, ..)| stems.contains(&feature.stem()))?;
    let low = low.filter(|wording| wording.applies_low(condition, is_rare));
    let high = high.filter(|wording| wording.applies_high(condition, is_rare));
    let wording = match condition.operator {
        Operator::AtMost | Operator::Below => low,
        Operator::AtLeast | Operator::Above => high,
        // A value to which both phrases apply is neither low nor high.
        Operator::Equal => low.xor(high),
        Operator::Unequal => None,
    }?;
    Some(fill_in(wording.text, &feature))
}

/// Replaces the placeholders of a phrase by the feature's parameters and benchmark.
fn fill_in(text: &str, feature: &Feature) -> String {
    let param = |idx: usize| feature.params().get(idx).map(usize::to_string).unwrap_or_default();
    let symbol = feature.benchmark().unwrap_or_default();
    text.replace("{n}", &param(0)).replace("{m}", &param(1)).replace("{symbol}", symbol)
}
