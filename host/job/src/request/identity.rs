//! Hashes of the parts of a job, by which equal jobs are recognised.
//!
//! In: a valid [`Job`]. Out: SHA-256 as lower-case hex. Invariant: ids and texts without an effect
//! change no hash. The hashes of a job must not change between versions, because ledgers of
//! submissions contain them for a year.

use serde_json::{Value, json};

use super::job::Job;
use crate::hash::sha256_hex;

/// Fields of the configuration that are no part of the design: the timeframe, which has its own
/// ledger, and texts that are only copied into the result.
const NOT_DESIGN: [&str; 4] = ["timeframe", "strategy_type", "strategy_description", "strategy_rationale"];
/// Length of the hash of a symbol in hexadecimal digits. Two symbols with equal hashes would only
/// count as one symbol, so a short hash suffices.
const SYMBOL_HASH_LEN: usize = 8;

impl Job {
    /// Returns the SHA-256 of the user and the timeframe, which have a common ledger of submissions.
    pub fn ledger_sha256(&self) -> String {
        sha256_hex(json!([self.user_id, self.timeframe]).to_string().as_bytes())
    }

    /// Returns the first digits of the SHA-256 of the user and each symbol, sorted.
    pub fn symbol_hashes(&self) -> Vec<String> {
        let hash = |symbol: &String| sha256_hex(json!([self.user_id, symbol]).to_string().as_bytes());
        let mut hashes: Vec<String> = self.symbols.iter().map(hash).collect();
        hashes.iter_mut().for_each(|hash| hash.truncate(SYMBOL_HASH_LEN));
        hashes.sort_unstable();
        hashes
    }

    /// Returns the SHA-256 of the design and its symbols: of everything in the job that can change
    /// its model or its strategy, except the timeframe. All defaults are filled in, so a default
    /// that a job states changes nothing.
    pub fn design_sha256(&self) -> String {
        let mut design = self.design_config();
        if let Value::Object(fields) = &mut design {
            fields.retain(|name, _| !NOT_DESIGN.contains(&name.as_str()));
            let mut symbols = self.symbols.clone();
            symbols.sort_unstable();
            fields.insert("symbols".to_owned(), json!(symbols));
            for rules in ["entry_rules", "exit_rules"] {
                remove_descriptions(fields.get_mut(rules));
            }
        }
        // The keys of a JSON object are sorted, so the order of the job's fields has no effect.
        sha256_hex(design.to_string().as_bytes())
    }
}

/// Removes the description of each rule in a list.
fn remove_descriptions(rules: Option<&mut Value>) {
    for rule in rules.and_then(Value::as_array_mut).into_iter().flatten().filter_map(Value::as_object_mut) {
        rule.remove("description");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(change: impl Fn(&mut Value)) -> Job {
        let mut payload = json!({
            "build_id": "b", "user_id": "u", "symbols": ["A", "B"], "timeframe": "1d",
            "design": {
                "entry_rules": [{ "feature": "RSI_14", "operator": "<=", "threshold": 30.0, "description": "low" }],
                "ml_training_config": { "lightgbm_x": 1, "lightgbm_a": 2 },
            },
        });
        change(&mut payload);
        Job::from_value(&payload).unwrap()
    }

    fn hashes(change: impl Fn(&mut Value)) -> (String, Vec<String>, String) {
        let job = job(change);
        (job.ledger_sha256(), job.symbol_hashes(), job.design_sha256())
    }

    #[test]
    fn ids_texts_spellings_of_defaults_and_the_order_of_symbols_change_no_hash() {
        let expected = hashes(|_| ());
        let changes: [fn(&mut Value); 5] = [
            |job| job["build_id"] = json!("other"),
            |job| job["symbols"] = json!(["B", "A"]),
            |job| job["design"]["strategy_description"] = json!("in other words"),
            |job| job["design"]["entry_rules"][0]["description"] = json!("oversold"),
            |job| {
                job["design"]["ml_training_config"] =
                    json!({ "seed": 42, "ensemble": false, "lightgbm_a": 2, "lightgbm_x": 1 });
            },
        ];
        for (idx, change) in changes.into_iter().enumerate() {
            assert_eq!(hashes(change), expected, "change {idx}");
        }
    }

    #[test]
    fn a_part_that_can_change_the_model_changes_the_hash_of_the_design_only() {
        let (ledger, symbols, design) = hashes(|_| ());
        let changes: [fn(&mut Value); 5] = [
            |job| job["design"]["years"] = json!(3),
            |job| job["design"]["ml_training_config"]["ensemble"] = json!(true),
            |job| job["design"]["entry_rules"][0]["threshold"] = json!(31.0),
            |job| job["design"]["ml_training_config"]["seed"] = json!(43),
            |job| job["design"]["ml_training_config"]["lightgbm_x"] = json!(2),
        ];
        for (idx, change) in changes.into_iter().enumerate() {
            let other = hashes(change);
            assert_eq!((&other.0, &other.1), (&ledger, &symbols), "change {idx}");
            assert_ne!(other.2, design, "change {idx}");
        }
    }

    #[test]
    fn users_and_timeframes_have_separate_ledgers() {
        let (ledger, symbols, design) = hashes(|_| ());
        let other_user = hashes(|job| job["user_id"] = json!("v"));
        assert!(other_user.0 != ledger && other_user.1 != symbols && other_user.2 == design);
        let weekly = hashes(|job| job["timeframe"] = json!("1w"));
        assert!(weekly.0 != ledger && weekly.1 == symbols && weekly.2 == design);
    }

    #[test]
    fn jobs_share_the_hashes_of_their_common_symbols() {
        let (ledger, symbols, design) = hashes(|_| ());
        let fewer = hashes(|job| job["symbols"] = json!(["B"]));
        assert_eq!((fewer.0, fewer.1.len()), (ledger, 1));
        assert!(symbols.contains(&fewer.1[0]) && fewer.1[0].len() == SYMBOL_HASH_LEN);
        assert_ne!(fewer.2, design, "a design on other symbols is another design");
    }
}
