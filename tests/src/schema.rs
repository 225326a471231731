//! Validates JSON against the schemas in `docs/schema`.
//!
//! In: a schema (draft 2020-12) and a value. Out: the violations, each with the path of the value.
//! Invariant: a keyword that this validator does not implement is an error, so no part of a schema
//! is silently ignored. `bench/contract.py` validates with another implementation.

use std::path::Path;

use serde_json::{Map, Value};

use crate::outside::CHECKOUT;

/// Keywords that describe a value and do not restrict it.
const DESCRIPTIONS: [&str; 8] =
    ["$schema", "$defs", "title", "description", "format", "x-contract", "default", "examples"];

/// A schema of `docs/schema`.
pub struct Schema {
    root: Value,
}

impl Schema {
    /// Reads the schema of a document, such as `result`.
    ///
    /// # Panics
    /// Panics if the file does not exist or is not JSON.
    pub fn of(document: &str) -> Self {
        let path = Path::new(CHECKOUT).join(format!("docs/schema/{document}.schema.json"));
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Self::parse(&text)
    }

    /// Parses a schema.
    ///
    /// # Panics
    /// Panics if the text is not JSON.
    pub fn parse(text: &str) -> Self {
        Self { root: serde_json::from_str(text).unwrap() }
    }

    /// Returns the violations of a value: the path, the found value and the expected one.
    ///
    /// # Panics
    /// Panics if the schema has a keyword that is not implemented.
    pub fn violations(&self, value: &Value) -> Vec<String> {
        self.check(&self.root, value, "")
    }

    fn check(&self, schema: &Value, value: &Value, path: &str) -> Vec<String> {
        let Value::Object(keywords) = schema else {
            return if *schema == Value::Bool(false) { vec![format!("{path}: unexpected")] } else { Vec::new() };
        };
        keywords.iter().flat_map(|(keyword, rule)| self.apply(keywords, keyword, rule, value, path)).collect()
    }

    fn apply(
        &self,
        keywords: &Map<String, Value>,
        keyword: &str,
        rule: &Value,
        value: &Value,
        path: &str,
    ) -> Vec<String> {
        let require = |holds: bool| -> Vec<String> {
            let shown: String = value.to_string().chars().take(80).collect();
            if holds { Vec::new() } else { vec![format!("{path}: found {shown}, expected {keyword} {rule}")] }
        };
        let number = |holds: fn(f64, f64) -> bool| {
            require(value.as_f64().is_none_or(|number| holds(number, rule.as_f64().unwrap())))
        };
        let length = |length: Option<usize>, holds: fn(u64, u64) -> bool| {
            require(length.is_none_or(|length| holds(length as u64, rule.as_u64().unwrap())))
        };
        let n_items = value.as_array().map(Vec::len);
        let n_chars = value.as_str().map(|text| text.chars().count());
        match keyword {
            "$ref" => {
                let pointer = rule.as_str().and_then(|reference| reference.strip_prefix('#')).unwrap();
                let target = self.root.pointer(pointer).unwrap_or_else(|| panic!("{rule} does not exist"));
                self.check(target, value, path)
            }
            "type" => require(match rule {
                Value::Array(kinds) => kinds.iter().any(|kind| is_kind(value, kind)),
                kind => is_kind(value, kind),
            }),
            "const" => require(value == rule),
            "enum" => require(rule.as_array().unwrap().contains(value)),
            "minimum" => number(|number, limit| number >= limit),
            "maximum" => number(|number, limit| number <= limit),
            "exclusiveMinimum" => number(|number, limit| number > limit),
            "minItems" => length(n_items, |length, limit| length >= limit),
            "maxItems" => length(n_items, |length, limit| length <= limit),
            "minLength" => length(n_chars, |length, limit| length >= limit),
            "maxLength" => length(n_chars, |length, limit| length <= limit),
            "uniqueItems" => require(
                value
                    .as_array()
                    .is_none_or(|items| items.iter().enumerate().all(|(idx, item)| !items[..idx].contains(item))),
            ),
            // The parser of jobs checks symbols; only the schema of a job has a pattern.
            "pattern" => Vec::new(),
            "required" => {
                let names = rule.as_array().unwrap().iter().map(|name| name.as_str().unwrap());
                let is_missing = |name: &&str| value.is_object() && value.get(name).is_none();
                names.filter(is_missing).map(|name| format!("{path}.{name}: missing")).collect()
            }
            "properties" => {
                let present =
                    rule.as_object().unwrap().iter().filter_map(|(name, rule)| Some((name, rule, value.get(name)?)));
                present.flat_map(|(name, rule, value)| self.check(rule, value, &format!("{path}.{name}"))).collect()
            }
            "additionalProperties" => {
                let known = keywords.get("properties").and_then(Value::as_object);
                let others = value.as_object().into_iter().flatten();
                let others = others.filter(|(name, _)| known.is_none_or(|known| !known.contains_key(*name)));
                others.flat_map(|(name, value)| self.check(rule, value, &format!("{path}.{name}"))).collect()
            }
            "items" => {
                let n_prefix = keywords.get("prefixItems").and_then(Value::as_array).map_or(0, Vec::len);
                let items = value.as_array().into_iter().flatten().enumerate().skip(n_prefix);
                items.flat_map(|(idx, item)| self.check(rule, item, &format!("{path}[{idx}]"))).collect()
            }
            "prefixItems" => {
                let pairs = rule.as_array().unwrap().iter().zip(value.as_array().into_iter().flatten()).enumerate();
                pairs.flat_map(|(idx, (rule, item))| self.check(rule, item, &format!("{path}[{idx}]"))).collect()
            }
            "anyOf" | "oneOf" => self.check_variants(keyword, rule.as_array().unwrap(), value, path),
            keyword if DESCRIPTIONS.contains(&keyword) => Vec::new(),
            keyword => panic!("the keyword {keyword} is not implemented"),
        }
    }

    /// Checks that one variant accepts the value. Otherwise returns the violations of the nearest
    /// variant.
    fn check_variants(&self, keyword: &str, variants: &[Value], value: &Value, path: &str) -> Vec<String> {
        let violations: Vec<_> = variants.iter().map(|variant| self.check(variant, value, path)).collect();
        let n_accepting = violations.iter().filter(|violations| violations.is_empty()).count();
        if keyword == "oneOf" && n_accepting > 1 {
            return vec![format!("{path}: found {n_accepting} variants that accept the value, expected one")];
        }
        violations.into_iter().min_by_key(Vec::len).unwrap_or_default()
    }
}

fn is_kind(value: &Value, kind: &Value) -> bool {
    match kind.as_str().unwrap() {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "string" => value.is_string(),
        "number" => value.is_number(),
        "integer" => value.is_u64() || value.is_i64(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        kind => panic!("the type {kind} does not exist"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn n_violations(schema: &Value, value: &Value) -> usize {
        Schema::parse(&schema.to_string()).violations(value).len()
    }

    #[test]
    fn a_value_of_another_type_a_missing_key_and_an_unknown_key_are_violations() {
        let schema = json!({ "type": "object", "required": ["a"], "additionalProperties": false,
            "properties": { "a": { "$ref": "#/$defs/A" } }, "$defs": { "A": { "type": ["number", "null"] } } });
        for (value, expected) in [
            (json!({ "a": 0.5 }), 0),
            (json!({ "a": null }), 0),
            (json!({ "a": "0.5" }), 1),
            (json!({}), 1),
            (json!({ "a": 1, "b": 1 }), 1),
            (json!(null), 1),
        ] {
            assert_eq!(n_violations(&schema, &value), expected, "{value}");
        }
    }

    #[test]
    fn an_element_outside_its_range_or_beyond_the_length_is_a_violation() {
        let pair = json!({ "type": "array", "prefixItems": [{ "type": "number" }, { "minimum": 2 }], "maxItems": 2 });
        for (value, expected) in [(json!([1, 2]), 0), (json!(["1", 1]), 2), (json!([1, 2, 3]), 1)] {
            assert_eq!(n_violations(&pair, &value), expected, "{value}");
        }
    }

    #[test]
    fn the_violations_of_the_nearest_variant_are_reported() {
        let variant = |kind: &str| json!({ "properties": { "kind": { "const": kind }, "n": { "type": "integer" } } });
        let schema = json!({ "oneOf": [variant("a"), variant("b")] });
        let value = json!({ "kind": "b", "n": 0.5 });
        let violations = Schema::parse(&schema.to_string()).violations(&value);
        assert_eq!(violations, [".n: found 0.5, expected type \"integer\""]);
    }

    #[test]
    #[should_panic(expected = "the keyword dependentRequired is not implemented")]
    fn an_unknown_keyword_is_not_ignored() {
        n_violations(&json!({ "dependentRequired": {} }), &json!({}));
    }
}
