//! Reads the parts of a JSON Schema that the pages of `docs/` show.
//!
//! In: a schema of the form that `strict.rs` returns. Out: the keys of an object in their order, and
//! the type of each key.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// A schema with the definitions that it refers to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Schemas<'a> {
    defs: Option<&'a Map<String, Value>>,
}

/// A key of an object.
#[derive(Clone, Debug)]
pub(super) struct Key<'a> {
    pub(super) name: &'a str,
    pub(super) schema: &'a Value,
    /// Whether the key is in every object.
    pub(super) is_required: bool,
    /// The variants of the object that have the key, as conditions on another key; empty if all
    /// variants have it.
    pub(super) conditions: Vec<String>,
    /// The values of the key, if it distinguishes the variants of the object, each with the
    /// description of its variant; empty otherwise.
    pub(super) tags: Vec<(String, &'a str)>,
}

/// The type of a value.
#[derive(Clone, Debug)]
pub(super) enum Shape<'a> {
    /// An object with known keys; the name of its definition, if it has one.
    Object { name: Option<&'a str>, schema: &'a Value },
    /// A list of values.
    List(Box<Shape<'a>>),
    /// An object with any keys.
    Map(Option<Box<Shape<'a>>>),
    /// One of some texts, each with its description; the name of its definition, if it has one.
    Choice { name: Option<&'a str>, values: Vec<(String, &'a str)> },
    /// Any other type, by its name for people.
    Plain(&'static str),
}

impl<'a> Schemas<'a> {
    /// Returns the reader of a root schema.
    pub(super) fn from_root(root: &'a Value) -> Self {
        Self { defs: root["$defs"].as_object() }
    }

    /// Returns the variants of a document, or the document itself if it has none.
    pub(super) fn variants(self, root: &'a Value) -> Vec<&'a Value> {
        let variants = root["anyOf"].as_array().filter(|_| root.get("properties").is_none());
        variants.map_or_else(|| vec![root], |variants| variants.iter().map(|variant| self.resolve(variant).1).collect())
    }

    /// Follows a reference. Returns the name of the definition and its schema.
    pub(super) fn resolve(self, schema: &'a Value) -> (Option<&'a str>, &'a Value) {
        let name = schema["$ref"].as_str().and_then(|reference| reference.strip_prefix("#/$defs/"));
        let target = name.and_then(|name| self.defs?.get(name));
        target.map_or((None, schema), |target| (name, target))
    }

    /// Returns the keys of an object, in the order of the Rust type.
    pub(super) fn keys(self, object: &'a Value) -> Vec<Key<'a>> {
        let Some(variants) = object["oneOf"].as_array() else { return keys_of(object) };
        let mut found: BTreeMap<&str, Vec<Key<'a>>> = BTreeMap::new();
        let mut order = Vec::new();
        for variant in variants {
            for key in keys_of(variant) {
                let entries = found.entry(key.name).or_default();
                if entries.is_empty() {
                    order.push(key.name);
                }
                let tag = key.schema["const"].as_str();
                let description = variant["description"].as_str().unwrap_or_default();
                let tags = tag.into_iter().map(|tag| (tag.to_owned(), description)).collect();
                entries.push(Key { conditions: constants(variant), tags, ..key });
            }
        }
        let merged = |name| {
            let entries = found.remove(name)?;
            let is_common = entries.len() == variants.len();
            let tags = entries.iter().flat_map(|entry| entry.tags.clone()).collect();
            let key = entries.into_iter().next()?;
            Some(if is_common { Key { conditions: Vec::new(), tags, ..key } } else { key })
        };
        order.into_iter().filter_map(merged).collect()
    }

    /// Returns the type of a key's value, and whether the value may be null.
    pub(super) fn key_shape(self, key: &Key<'a>) -> (Shape<'a>, bool) {
        match key.tags.is_empty() {
            true => self.shape(key.schema),
            false => (Shape::Choice { name: None, values: key.tags.clone() }, false),
        }
    }

    /// Returns the type of a value, and whether the value may be null.
    pub(super) fn shape(self, schema: &'a Value) -> (Shape<'a>, bool) {
        if let Some([first, second]) = schema["anyOf"].as_array().map(Vec::as_slice)
            && second["type"] == "null"
        {
            return (self.shape(first).0, true);
        }
        let (name, target) = self.resolve(schema);
        // A key may restrict the values of its type.
        let values = [schema, target].into_iter().find_map(choice);
        if let Some(values) = values {
            return (Shape::Choice { name, values }, false);
        }
        let (kind, is_nullable) = kind(target);
        let shape = match kind {
            Some("object") if target.get("properties").is_some() => Shape::Object { name, schema: target },
            Some("object") => {
                let values = target.get("additionalProperties").filter(|values| values.is_object());
                Shape::Map(values.map(|values| Box::new(self.shape(values).0)))
            }
            Some("array") => match target.get("items").filter(|items| items.is_object()) {
                Some(items) => Shape::List(Box::new(self.shape(items).0)),
                None if target["maxItems"] == 0 => Shape::Plain("empty list"),
                None => match target["prefixItems"].as_array().map(|items| (items.len(), self.shape(&items[0]).0)) {
                    Some((2, Shape::Plain("text"))) => Shape::Plain("[text, text]"),
                    Some((2, _)) => Shape::Plain("[number, number]"),
                    _ => Shape::Plain("list"),
                },
            },
            None if target.get("oneOf").is_some() => Shape::Object { name, schema: target },
            Some("string") => Shape::Plain("text"),
            Some("integer") => Shape::Plain("whole number"),
            Some("number") => Shape::Plain("number"),
            Some("boolean") => Shape::Plain("true or false"),
            Some("null") => Shape::Plain("null"),
            _ => Shape::Plain("any value"),
        };
        (shape, is_nullable)
    }
}

/// Returns the name of a schema's type, and whether null is a value of it too.
fn kind(schema: &Value) -> (Option<&str>, bool) {
    match &schema["type"] {
        Value::Array(kinds) => (kinds.iter().filter_map(Value::as_str).find(|kind| *kind != "null"), true),
        kind => (kind.as_str(), false),
    }
}

/// Returns the texts that a schema allows, if it lists them.
fn choice(schema: &Value) -> Option<Vec<(String, &str)>> {
    let constant = |schema: &Value| schema["const"].as_str().map(str::to_owned);
    if let Some(constant) = constant(schema) {
        return Some(vec![(constant, "")]);
    }
    if let Some(values) = schema["enum"].as_array() {
        return Some(values.iter().filter_map(|value| Some((value.as_str()?.to_owned(), ""))).collect());
    }
    let variants = schema["oneOf"].as_array()?;
    // A type whose variants partly have no description lists those in one `enum`.
    let texts = variants.iter().map(|variant| match choice_of_one(variant) {
        Some(values) => Some(values),
        None => Some(vec![(constant(variant)?, variant["description"].as_str().unwrap_or_default())]),
    });
    texts.collect::<Option<Vec<_>>>().map(|texts| texts.concat())
}

fn choice_of_one(variant: &Value) -> Option<Vec<(String, &str)>> {
    let values = variant["enum"].as_array()?;
    Some(values.iter().filter_map(|value| Some((value.as_str()?.to_owned(), ""))).collect())
}

fn keys_of(object: &Value) -> Vec<Key<'_>> {
    let Some(properties) = object["properties"].as_object() else { return Vec::new() };
    // The properties are sorted by name. The required keys are in the order of the Rust type.
    let required: Vec<&str> = object["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let optional = properties.keys().map(String::as_str).filter(|name| !required.contains(name));
    let key = |name: &'_ str, is_required| {
        let (name, schema) = properties.get_key_value(name)?;
        Some(Key { name, schema, is_required, conditions: Vec::new(), tags: Vec::new() })
    };
    let required_keys = required.iter().filter_map(|name| key(name, true));
    required_keys.chain(optional.filter_map(|name| key(name, false))).collect()
}

/// Returns the keys of an object that have only one value, as conditions.
fn constants(object: &Value) -> Vec<String> {
    let properties = object["properties"].as_object().into_iter().flatten();
    properties.filter_map(|(name, schema)| Some(format!("`{name}` is `{}`", schema["const"].as_str()?))).collect()
}
