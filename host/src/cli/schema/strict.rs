//! Makes the schema of a written document strict.
//!
//! In: the schema that schemars derives. Out: a schema in which an object has no other than its
//! listed keys, and a key that may be absent is never null. A key that is absent when it has no
//! value is an `Option` too, so schemars would allow null.

use schemars::Schema;
use serde_json::{Map, Value, json};

/// The keywords whose value is a list of schemas.
const LISTS: [&str; 4] = ["allOf", "anyOf", "oneOf", "prefixItems"];
/// The keywords whose value is an object of schemas by name.
const BY_NAME: [&str; 2] = ["properties", "$defs"];
/// The keywords whose value is a schema.
const SINGLE: [&str; 2] = ["items", "additionalProperties"];

/// Returns the strict form of a schema.
pub(super) fn closed(schema: Schema) -> Value {
    let mut schema = Value::from(schema);
    close(&mut schema);
    schema
}

fn close(schema: &mut Value) {
    let Value::Object(fields) = schema else { return };
    // A reader of results needs no defaults.
    fields.remove("default");
    merge_variants(fields);
    for keyword in LISTS {
        fields.get_mut(keyword).and_then(Value::as_array_mut).into_iter().flatten().for_each(close);
    }
    for keyword in BY_NAME {
        let by_name = fields.get_mut(keyword).and_then(Value::as_object_mut);
        by_name.into_iter().flat_map(Map::values_mut).for_each(close);
    }
    for keyword in SINGLE {
        fields.get_mut(keyword).into_iter().for_each(close);
    }
    forbid_null_of_optional_keys(fields);
    if fields.get("type").is_some_and(|kind| kind == "object") && !fields.contains_key("oneOf") {
        fields.entry("additionalProperties").or_insert(json!(false));
    }
}

/// Replaces an object that has common keys and a variant with keys of its own by one complete object
/// per variant. Otherwise neither part could forbid other keys.
fn merge_variants(fields: &mut Map<String, Value>) {
    let Some(Value::Object(common)) = fields.get("properties").cloned() else { return };
    let required = fields.get("required").and_then(Value::as_array).cloned().unwrap_or_default();
    let Some(Value::Array(variants)) = fields.get_mut("oneOf") else { return };
    for variant in variants.iter_mut().filter_map(Value::as_object_mut) {
        let own = variant.remove("required").and_then(|own| own.as_array().cloned()).unwrap_or_default();
        variant.insert("required".to_owned(), json!([required.clone(), own].concat()));
        if let Some(properties) = variant.get_mut("properties").and_then(Value::as_object_mut) {
            properties.extend(common.clone());
        }
    }
    for keyword in ["properties", "required", "type"] {
        fields.remove(keyword);
    }
}

fn forbid_null_of_optional_keys(fields: &mut Map<String, Value>) {
    let required = fields.get("required").and_then(Value::as_array).cloned().unwrap_or_default();
    let Some(properties) = fields.get_mut("properties").and_then(Value::as_object_mut) else { return };
    for (_, property) in properties.iter_mut().filter(|(name, _)| !required.iter().any(|known| known == *name)) {
        forbid_null(property);
    }
}

fn forbid_null(schema: &mut Value) {
    if let Some(types) = schema.get_mut("type").filter(|types| types.is_array()) {
        let others: Vec<Value> =
            types.as_array().into_iter().flatten().filter(|kind| *kind != "null").cloned().collect();
        if let [single] = &others[..] {
            *types = single.clone();
        }
    }
    let Value::Object(fields) = schema else { return };
    let Some(Value::Array(variants)) = fields.get_mut("anyOf") else { return };
    variants.retain(|variant| variant["type"] != "null");
    if let [Value::Object(single)] = &variants[..] {
        let single = single.clone();
        fields.remove("anyOf");
        fields.extend(single);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn closed(schema: Value) -> Value {
        let mut schema = schema;
        close(&mut schema);
        schema
    }

    #[test]
    fn an_object_allows_no_other_keys_and_a_map_allows_any() {
        let map = json!({ "type": "object", "additionalProperties": { "type": "string" } });
        let schema = closed(json!({ "type": "object", "properties": { "map": map }, "required": ["map"] }));
        assert_eq!(schema["additionalProperties"], false);
        assert_eq!(schema["properties"]["map"], map);
    }

    #[test]
    fn an_optional_key_is_not_null_and_a_required_one_may_be() {
        let number = json!({ "type": ["number", "null"] });
        let object = json!({ "anyOf": [{ "$ref": "#/$defs/A" }, { "type": "null" }], "description": "a" });
        let properties = json!({ "a": number, "b": number, "c": object });
        let schema = closed(json!({ "type": "object", "properties": properties, "required": ["a"] }));
        assert_eq!(schema["properties"]["a"], number);
        assert_eq!(schema["properties"]["b"], json!({ "type": "number" }));
        assert_eq!(schema["properties"]["c"], json!({ "$ref": "#/$defs/A", "description": "a" }));
    }

    #[test]
    fn common_keys_become_a_part_of_each_variant() {
        let variant =
            |name: &str| json!({ "type": "object", "required": ["kind"], "properties": { "kind": { "const": name } } });
        let schema = closed(json!({
            "type": "object", "required": ["a"], "properties": { "a": { "type": "number" } },
            "oneOf": [variant("x"), variant("y")],
        }));
        assert!(schema.get("properties").is_none(), "{schema}");
        let first = &schema["oneOf"][0];
        assert_eq!(first["required"], json!(["a", "kind"]));
        assert_eq!(first["properties"]["a"], json!({ "type": "number" }));
        assert_eq!(first["additionalProperties"], false);
    }
}
