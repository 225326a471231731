//! Reads the fields of a job with their ranges and defaults: one function per object of the wire
//! format.
//!
//! In: a cursor at the root of the job. Out: a [`Job`]. Invariant: a value out of its range adds a
//! problem, and a job with a problem is refused.

use std::ops::Bound::{Excluded, Included};

use oculus_plugin_api::Operator;
use serde_json::{Map, Value};

use super::cursor::Cursor;
use super::design::Design;
use super::job::Job;
use super::rule::Rule;
use super::timeframe::Timeframe;
use super::training_config::{CONTRACT_FLAGS, DEFAULT_SEARCH_MODEL, DEFAULT_SEED, TrainingConfig};
use crate::job_id::is_job_id;

const MAX_SYMBOLS: usize = 500;
const MAX_LABEL_OPTIONS: usize = 20;
const MAX_NAMES: usize = 500;
const MAX_RULES: usize = 200;
/// Largest seed. Whole numbers up to this one (2^53 − 1) stay exact in JSON parsers that use 64-bit
/// floats, such as JavaScript's.
const MAX_EXACT: u64 = (1 << 53) - 1;
const TRAINING_FIELDS: [&str; 6] =
    ["config_search_model", "cv_folds", "ensemble", "families", "rule_extractor", "seed"];

/// Reads a job. If the root is not an object, the result is `None`. An invalid value adds a problem
/// and is replaced by its default, so that the remaining fields are validated as well.
pub(super) fn job(root: &Cursor) -> Option<Job> {
    if root.object().is_none() {
        if root.is_absent() {
            root.report_missing("an object");
        }
        return None;
    }
    let job_id = identifier(&root.field("job_id"));
    let build_id = identifier(&root.field("build_id"));
    if root.field("job_id").is_absent() && root.field("build_id").is_absent() {
        root.field("build_id").report_missing("the job's id");
    }
    Some(Job {
        id: job_id.or(build_id).unwrap_or_default().to_owned(),
        build_id: build_id.or(job_id).unwrap_or_default().to_owned(),
        user_id: free_text(&root.field("user_id")),
        symbols: symbols(&root.field("symbols")),
        timeframe: timeframe(&root.field("timeframe")),
        design: design(&root.field("design")),
    })
}

fn design(cursor: &Cursor) -> Design {
    // The only effect of this call is to add a problem if `design` is not an object. All fields of
    // the design are then absent.
    let _ = cursor.object();
    let trials = cursor.field("recommended_n_iter_search");
    // Old jobs name this field `hp_iterations`.
    let trials = if trials.is_absent() { cursor.field("hp_iterations") } else { trials };
    Design {
        years: cursor.field("years").number(0.5..=50.0, "a number from 0.5 to 50").unwrap_or(2.0),
        strategy_type: free_text(&cursor.field("strategy_type")),
        strategy_description: free_text(&cursor.field("strategy_description")),
        strategy_rationale: free_text(&cursor.field("strategy_rationale")),
        forward_returns_days_options: horizons(&cursor.field("forward_returns_days_options")),
        profit_threshold_options: profits(&cursor.field("profit_threshold_options")),
        n_iter_search: small(&trials, 1000).unwrap_or(30),
        priority_features: names(&cursor.field("priority_features"), "a feature's name of 1 to 64 characters"),
        entry_rules: rules(&cursor.field("entry_rules")),
        exit_rules: rules(&cursor.field("exit_rules")),
        entry_score_threshold: score_threshold(&cursor.field("entry_score_threshold")),
        exit_score_threshold: score_threshold(&cursor.field("exit_score_threshold")),
        strategy_trials: small(&cursor.field("strategy_trials"), 1000).unwrap_or(128),
        cost_bps: cursor.field("cost_bps").number(0.0..=1000.0, "a number from 0 to 1000").unwrap_or(5.0),
        ml_training_config: training_config(&cursor.field("ml_training_config")),
    }
}

fn training_config(cursor: &Cursor) -> TrainingConfig {
    let fields = cursor.object();
    let model = cursor.field("config_search_model").text("a model family's name of 1 to 64 characters", is_name);
    TrainingConfig {
        config_search_model: model.unwrap_or(DEFAULT_SEARCH_MODEL).to_owned(),
        cv_folds: small(&cursor.field("cv_folds"), 20).unwrap_or(3),
        families: names(&cursor.field("families"), "a model family's name of 1 to 64 characters"),
        ensemble: cursor.field("ensemble").boolean().unwrap_or(false),
        rule_extractor: cursor
            .field("rule_extractor")
            .text("a rule extractor's name of 1 to 64 characters", is_name)
            .map(str::to_owned),
        seed: cursor.field("seed").integer(0..=MAX_EXACT).unwrap_or(DEFAULT_SEED),
        options: fields.map(|fields| options(cursor, fields)).unwrap_or_default(),
    }
}

/// Returns the fields that the host does not know. The plugins validate them against their
/// manifests.
fn options(cursor: &Cursor, fields: &Map<String, Value>) -> Map<String, Value> {
    let is_option = |name: &str, value: &Value| !TRAINING_FIELDS.contains(&name) && !value.is_null();
    let options: Map<String, Value> = fields
        .iter()
        .filter(|(name, value)| is_option(name, value))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    // The result echoes these two flags even if no installed plugin declares them, so the host
    // validates their type.
    for flag in CONTRACT_FLAGS {
        cursor.field(flag).boolean();
    }
    options
}

fn symbols(cursor: &Cursor) -> Vec<String> {
    let expected = SYMBOL_RULE;
    if cursor.is_absent() {
        cursor.report_missing("a list of at least one symbol");
    }
    let entries = cursor.list(1..=MAX_SYMBOLS).unwrap_or_default();
    unique(
        entries
            .iter()
            .filter_map(|entry| required(entry, expected, |entry| entry.text(expected, is_symbol)))
            .map(str::to_owned),
    )
}

fn timeframe(cursor: &Cursor) -> Timeframe {
    let known = Timeframe::ALL.map(Timeframe::name).join(", ");
    let name = cursor.text(&format!("one of {known}"), |name| Timeframe::from_name(name).is_some());
    name.and_then(Timeframe::from_name).unwrap_or(Timeframe::Day1)
}

fn horizons(cursor: &Cursor) -> Vec<u32> {
    let Some(entries) = cursor.list(1..=MAX_LABEL_OPTIONS) else { return vec![5, 10, 15] };
    let expected = "a whole number from 1 to 250";
    unique(entries.iter().filter_map(|entry| required(entry, expected, |entry| small(entry, 250))))
}

fn profits(cursor: &Cursor) -> Vec<f64> {
    let Some(entries) = cursor.list(1..=MAX_LABEL_OPTIONS) else { return vec![2.0, 3.0, 5.0] };
    let expected = "a number above -100, at most 1000";
    let range = (Excluded(-100.0), Included(1000.0));
    unique(entries.iter().filter_map(|entry| required(entry, expected, |entry| entry.number(range, expected))))
}

fn rules(cursor: &Cursor) -> Vec<Rule> {
    cursor.list(0..=MAX_RULES).unwrap_or_default().iter().filter_map(rule).collect()
}

fn rule(cursor: &Cursor) -> Option<Rule> {
    required(cursor, "a rule of feature, operator and threshold", Cursor::object)?;
    let signs = format!("one of {}", Operator::ALL.map(Operator::sign).join(" "));
    let name = "a feature's name of 1 to 64 characters";
    let feature = required(&cursor.field("feature"), name, |entry| entry.text(name, is_name));
    let operator = required(&cursor.field("operator"), &signs, |entry| {
        entry.text(&signs, |sign| Operator::from_sign(sign).is_some())
    });
    let threshold =
        required(&cursor.field("threshold"), "a finite number", |entry| entry.number(.., "a finite number"));
    Some(Rule {
        feature: feature?.to_owned(),
        operator: operator.and_then(Operator::from_sign)?,
        threshold: threshold?,
        description: free_text(&cursor.field("description")),
    })
}

/// Reads the number of rules that must be true together. A fraction is rounded up, because the
/// number of true rules is always whole and must be at least this number.
fn score_threshold(cursor: &Cursor) -> u32 {
    cursor.number(1.0..=MAX_RULES as f64, "a number of rules from 1 to 200").map_or(1, |count| count.ceil() as u32)
}

fn names(cursor: &Cursor, expected: &str) -> Vec<String> {
    let entries = cursor.list(0..=MAX_NAMES).unwrap_or_default();
    unique(
        entries
            .iter()
            .filter_map(|entry| required(entry, expected, |entry| entry.text(expected, is_name)))
            .map(str::to_owned),
    )
}

fn small(cursor: &Cursor, max: u32) -> Option<u32> {
    cursor.integer(1..=u64::from(max)).and_then(|number| u32::try_from(number).ok())
}

fn identifier<'a>(cursor: &Cursor<'a>) -> Option<&'a str> {
    cursor.text("an id of 1 to 200 printable characters", is_job_id)
}

fn free_text(cursor: &Cursor) -> String {
    cursor.echoed_text().unwrap_or_default().to_owned()
}

fn is_name(name: &str) -> bool {
    !name.trim().is_empty() && name.chars().count() <= 64 && !name.chars().any(char::is_control)
}

/// The rule of [`is_symbol`], for messages.
pub const SYMBOL_RULE: &str = "a symbol of 1 to 64 letters, digits and signs `.-_^:=&` that does not start with a dot";

/// Returns whether a text is a valid ticker. A valid ticker is safe as a file name: it has no
/// separator and does not begin with a dot. The signs are those of exchanges and of Yahoo, such as
/// `^GSPC`, `ES=F` and `M&M.NS`.
pub fn is_symbol(symbol: &str) -> bool {
    let plain = |character: char| character.is_ascii_alphanumeric() || ".-_^:=&".contains(character);
    (1..=64).contains(&symbol.len()) && !symbol.starts_with('.') && symbol.chars().all(plain)
}

/// Reads a required value, and adds a problem if it is absent.
fn required<'a, T>(cursor: &Cursor<'a>, expected: &str, read: impl FnOnce(&Cursor<'a>) -> Option<T>) -> Option<T> {
    if cursor.is_absent() {
        cursor.report_missing(expected);
    }
    read(cursor)
}

/// Returns the items in their order, without duplicates.
fn unique<T: PartialEq>(items: impl Iterator<Item = T>) -> Vec<T> {
    // The search is quadratic, because floats can be neither hashed nor ordered. The lists have at
    // most 500 items.
    items.fold(Vec::new(), |mut kept, item| {
        if !kept.contains(&item) {
            kept.push(item);
        }
        kept
    })
}
