//! The fields of a job, their ranges and defaults: one function per object of the wire format.
//!
//! In: a cursor at the root of the job. Out: a [`Job`]. Invariant: a value that is out of range is
//! noted as a problem, and the job is then rejected.

use std::ops::Bound::{Excluded, Included};

use oculus_plugin_api::Operator;
use serde_json::{Map, Value};

use super::cursor::Cursor;
use super::design::Design;
use super::job::Job;
use super::rule::Rule;
use super::timeframe::Timeframe;
use super::training_config::{CONTRACT_FLAGS, DEFAULT_LEAD, DEFAULT_SEED, TrainingConfig};
use crate::job_id::is_job_id;

const MAX_SYMBOLS: usize = 500;
const MAX_LABEL_OPTIONS: usize = 20;
const MAX_NAMES: usize = 500;
const MAX_RULES: usize = 200;
/// Whole numbers that every reader of JSON keeps exactly.
const MAX_EXACT: u64 = (1 << 53) - 1;
const TRAINING_FIELDS: [&str; 5] = ["config_search_model", "cv_folds", "families", "rule_extractor", "seed"];

/// Reads a job. If it is `None`, or has a default in place of a wrong value, a problem is noted.
pub(super) fn job(root: &Cursor) -> Option<Job> {
    if root.object().is_none() {
        if root.is_absent() {
            root.missing("an object");
        }
        return None;
    }
    let job_id = identifier(&root.at("job_id"));
    let build_id = identifier(&root.at("build_id"));
    if root.at("job_id").is_absent() && root.at("build_id").is_absent() {
        root.at("build_id").missing("the job's id");
    }
    Some(Job {
        id: job_id.or(build_id).unwrap_or_default().to_owned(),
        build_id: build_id.or(job_id).unwrap_or_default().to_owned(),
        user_id: free_text(&root.at("user_id")),
        symbols: symbols(&root.at("symbols")),
        timeframe: timeframe(&root.at("timeframe")),
        design: design(&root.at("design")),
    })
}

fn design(at: &Cursor) -> Design {
    let _ = at.object();
    let trials = at.at("recommended_n_iter_search");
    let trials = if trials.is_absent() { at.at("hp_iterations") } else { trials };
    Design {
        years: at.at("years").number(0.5..=50.0, "a number from 0.5 to 50").unwrap_or(2.0),
        strategy_type: free_text(&at.at("strategy_type")),
        strategy_description: free_text(&at.at("strategy_description")),
        strategy_rationale: free_text(&at.at("strategy_rationale")),
        forward_returns_days_options: horizons(&at.at("forward_returns_days_options")),
        profit_threshold_options: profits(&at.at("profit_threshold_options")),
        n_iter_search: small(&trials, 1000).unwrap_or(30),
        priority_features: names(&at.at("priority_features"), "a feature's name of 1 to 64 characters"),
        entry_rules: rules(&at.at("entry_rules")),
        exit_rules: rules(&at.at("exit_rules")),
        entry_score_threshold: score_threshold(&at.at("entry_score_threshold")),
        exit_score_threshold: score_threshold(&at.at("exit_score_threshold")),
        strategy_trials: small(&at.at("strategy_trials"), 1000).unwrap_or(128),
        cost_bps: at.at("cost_bps").number(0.0..=1000.0, "a number from 0 to 1000").unwrap_or(5.0),
        ml_training_config: training_config(&at.at("ml_training_config")),
    }
}

fn training_config(at: &Cursor) -> TrainingConfig {
    let fields = at.object();
    let model = at.at("config_search_model").text("a model family's name of 1 to 64 characters", is_name);
    TrainingConfig {
        config_search_model: model.unwrap_or(DEFAULT_LEAD).to_owned(),
        cv_folds: small(&at.at("cv_folds"), 20).unwrap_or(3),
        families: names(&at.at("families"), "a model family's name of 1 to 64 characters"),
        rule_extractor: at
            .at("rule_extractor")
            .text("a rule extractor's name of 1 to 64 characters", is_name)
            .map(str::to_owned),
        seed: at.at("seed").whole(0..=MAX_EXACT).unwrap_or(DEFAULT_SEED),
        options: fields.map(|fields| options(at, fields)).unwrap_or_default(),
    }
}

/// Returns the fields that plugins interpret.
fn options(at: &Cursor, fields: &Map<String, Value>) -> Map<String, Value> {
    let is_option = |name: &str, value: &Value| !TRAINING_FIELDS.contains(&name) && !value.is_null();
    let options: Map<String, Value> = fields
        .iter()
        .filter(|(name, value)| is_option(name, value))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    for flag in CONTRACT_FLAGS {
        at.at(flag).flag();
    }
    options
}

fn symbols(at: &Cursor) -> Vec<String> {
    let needed = "a symbol of 1 to 64 characters from A–Z a–z 0–9 . - _ ^ : that does not start with a dot";
    if at.is_absent() {
        at.missing("a list of at least one symbol");
    }
    let entries = at.list(1..=MAX_SYMBOLS).unwrap_or_default();
    unique(
        entries.iter().filter_map(|entry| required(entry, needed, |at| at.text(needed, is_symbol))).map(str::to_owned),
    )
}

fn timeframe(at: &Cursor) -> Timeframe {
    let known = Timeframe::ALL.map(Timeframe::name).join(", ");
    let name = at.text(&format!("one of {known}"), |name| Timeframe::from_name(name).is_some());
    name.and_then(Timeframe::from_name).unwrap_or(Timeframe::Day1)
}

fn horizons(at: &Cursor) -> Vec<u32> {
    let Some(entries) = at.list(1..=MAX_LABEL_OPTIONS) else { return vec![5, 10, 15] };
    let needed = "a whole number from 1 to 250";
    unique(entries.iter().filter_map(|entry| required(entry, needed, |at| small(at, 250))))
}

fn profits(at: &Cursor) -> Vec<f64> {
    let Some(entries) = at.list(1..=MAX_LABEL_OPTIONS) else { return vec![2.0, 3.0, 5.0] };
    let needed = "a number above -100, at most 1000";
    let range = (Excluded(-100.0), Included(1000.0));
    unique(entries.iter().filter_map(|entry| required(entry, needed, |at| at.number(range, needed))))
}

fn rules(at: &Cursor) -> Vec<Rule> {
    at.list(0..=MAX_RULES).unwrap_or_default().iter().filter_map(rule).collect()
}

fn rule(at: &Cursor) -> Option<Rule> {
    required(at, "a rule of feature, operator and threshold", Cursor::object)?;
    let signs = format!("one of {}", Operator::ALL.map(Operator::sign).join(" "));
    let name = "a feature's name of 1 to 64 characters";
    let feature = required(&at.at("feature"), name, |at| at.text(name, is_name));
    let operator =
        required(&at.at("operator"), &signs, |at| at.text(&signs, |sign| Operator::from_sign(sign).is_some()));
    let threshold = required(&at.at("threshold"), "a finite number", |at| at.number(.., "a finite number"));
    Some(Rule {
        feature: feature?.to_owned(),
        operator: operator.and_then(Operator::from_sign)?,
        threshold: threshold?,
        description: free_text(&at.at("description")),
    })
}

/// Reads a number of rules. Rules are counted, so a threshold between two counts means the higher
/// one.
fn score_threshold(at: &Cursor) -> u32 {
    at.number(1.0..=MAX_RULES as f64, "a number of rules from 1 to 200").map_or(1, |count| count.ceil() as u32)
}

fn names(at: &Cursor, needed: &str) -> Vec<String> {
    let entries = at.list(0..=MAX_NAMES).unwrap_or_default();
    unique(entries.iter().filter_map(|entry| required(entry, needed, |at| at.text(needed, is_name))).map(str::to_owned))
}

fn small(at: &Cursor, max: u32) -> Option<u32> {
    at.whole(1..=u64::from(max)).and_then(|number| u32::try_from(number).ok())
}

fn identifier<'a>(at: &Cursor<'a>) -> Option<&'a str> {
    at.text("an id of 1 to 200 printable characters", is_job_id)
}

fn free_text(at: &Cursor) -> String {
    at.text("a text", |_| true).unwrap_or_default().to_owned()
}

fn is_name(name: &str) -> bool {
    !name.trim().is_empty() && name.chars().count() <= 64 && !name.chars().any(char::is_control)
}

/// Returns whether a text can be a ticker; a ticker is safe as a file name.
pub fn is_symbol(symbol: &str) -> bool {
    let plain = |character: char| character.is_ascii_alphanumeric() || ".-_^:".contains(character);
    (1..=64).contains(&symbol.len()) && !symbol.starts_with('.') && symbol.chars().all(plain)
}

/// Reads a value that must be present.
fn required<'a, T>(at: &Cursor<'a>, needed: &str, read: impl FnOnce(&Cursor<'a>) -> Option<T>) -> Option<T> {
    if at.is_absent() {
        at.missing(needed);
    }
    read(at)
}

/// Returns the items without duplicates, in order.
fn unique<T: PartialEq>(items: impl Iterator<Item = T>) -> Vec<T> {
    items.fold(Vec::new(), |mut kept, item| {
        if !kept.contains(&item) {
            kept.push(item);
        }
        kept
    })
}
