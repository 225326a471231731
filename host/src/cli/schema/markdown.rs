//! Prints the keys of a document as Markdown tables, for the pages of `docs/`.
//!
//! In: a schema, and examples of its document. Out: one table per object, in depth-first order. An
//! object that occurs at several places has one table.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::Value;

use super::example;
use super::shape::{Key, Schemas, Shape};

/// Mark of a key that the contract with the backend defines.
const CONTRACT_MARK: &str = " ●";
/// Definitions whose values another page lists: the name, and the link.
const LISTED_ELSEWHERE: [(&str, &str); 2] =
    [("ErrorCode", "[error code](errors.md#errors)"), ("WarningCode", "[warning code](errors.md#warnings)")];

/// A table of keys.
struct Section {
    path: String,
    /// Further paths of the same object.
    other_paths: Vec<String>,
    description: String,
    table: String,
}

/// The tables of one variant of a document.
struct Page<'a> {
    schemas: Schemas<'a>,
    examples: Vec<&'a Value>,
    /// Text after the path in each heading. It distinguishes the sections of two variants.
    suffix: &'static str,
    sections: Vec<Section>,
    /// Index of the section of each definition.
    known: BTreeMap<&'a str, usize>,
    /// The definitions of choices whose values have been listed.
    listed: Vec<&'a str>,
}

/// Returns the tables of a document.
///
/// * `examples`: documents from which the examples of the keys are taken.
pub(super) fn tables(root: &Value, examples: &[Value]) -> String {
    let schemas = Schemas::from_root(root);
    let headings = [("## Keys", ""), ("## Keys without a model", " without a model")];
    let mut text = String::new();
    for (variant, (heading, suffix)) in schemas.variants(root).into_iter().zip(headings) {
        let examples = examples.iter().filter(|example| example.get("error").is_some() != suffix.is_empty()).collect();
        let (sections, known, listed) = (Vec::new(), BTreeMap::new(), Vec::new());
        let mut page = Page { schemas, examples, suffix, sections, known, listed };
        page.add("", None, variant);
        let _ = write!(text, "{heading}\n\n");
        for section in &page.sections {
            text.push_str(&section.markdown(suffix));
        }
    }
    text
}

impl Section {
    /// Notes a further path of the object.
    fn add_path(&mut self, path: &str) {
        if self.path != path && !self.other_paths.iter().any(|known| known == path) {
            self.other_paths.push(path.to_owned());
        }
    }

    fn markdown(&self, suffix: &str) -> String {
        let heading = if self.path.is_empty() { String::new() } else { format!("### `{}`{suffix}\n\n", self.path) };
        let others: Vec<String> = self.other_paths.iter().map(|path| format!("`{path}`")).collect();
        let others = if others.is_empty() { String::new() } else { format!(" Also at {}.", others.join(", ")) };
        format!("{heading}{}{others}\n\n{}\n", self.description, self.table)
    }
}

impl<'a> Page<'a> {
    /// Adds the section of an object and of the objects in it.
    fn add(&mut self, path: &str, name: Option<&'a str>, schema: &'a Value) {
        if let Some(&idx) = name.and_then(|name| self.known.get(name)) {
            self.sections[idx].add_path(path);
            return;
        }
        let idx = self.sections.len();
        self.known.extend(name.map(|name| (name, idx)));
        let description = description(schema).to_owned();
        let empty = String::new();
        self.sections.push(Section { path: path.to_owned(), other_paths: Vec::new(), description, table: empty });
        let keys = self.schemas.keys(schema);
        let mut rows = String::new();
        let mut choices = String::new();
        for key in &keys {
            let path = if path.is_empty() { key.name.to_owned() } else { format!("{path}.{}", key.name) };
            let (shape, _) = self.schemas.key_shape(key);
            choices.push_str(&self.choices(key.name, &shape));
            self.add_nested(&path, &shape);
            let row = self.row(&path, key);
            rows.push_str(&row);
        }
        let head = "| key | type | meaning | example |\n| --- | --- | --- | --- |\n";
        let table = if rows.is_empty() { String::new() } else { format!("{head}{rows}") };
        self.sections[idx].table = format!("{table}{choices}");
    }

    /// Adds the sections of the objects that a value contains.
    fn add_nested(&mut self, path: &str, shape: &Shape<'a>) {
        match shape {
            Shape::Object { name, schema } => self.add(path, *name, schema),
            Shape::List(items) => self.add_nested(&format!("{path}[]"), items),
            Shape::Map(Some(values)) => self.add_nested(&format!("{path}.*"), values),
            _ => {}
        }
    }

    fn row(&self, path: &str, key: &Key<'a>) -> String {
        let Key { name, schema, is_required, conditions, .. } = key;
        let (shape, is_nullable) = self.schemas.key_shape(key);
        let mark = if schema["x-contract"] == true { CONTRACT_MARK } else { "" };
        let null = if is_nullable { " or null" } else { "" };
        let absent = if *is_required { "" } else { "; may be absent" };
        let kind = format!("{}{null}{absent}", self.kind(path, &shape));
        let target = self.schemas.resolve(schema).1;
        let meaning = one_line(if description(schema).is_empty() { description(target) } else { description(schema) });
        let only =
            if conditions.is_empty() { String::new() } else { format!(" Only if {}.", conditions.join(" and ")) };
        let found = match shape {
            Shape::Object { .. } => None,
            _ => self.examples.iter().find_map(|document| example::find(document, path)),
        };
        let example = found.map(example::cell).unwrap_or_default();
        format!("| `{name}`{mark} | {kind} | {meaning}{only} | {example} |\n")
    }

    /// Returns the name of a type, with a link to its section.
    fn kind(&self, path: &str, shape: &Shape<'a>) -> String {
        match shape {
            Shape::Object { name, .. } => {
                let idx = name.and_then(|name| self.known.get(name));
                let path = idx.map_or(path, |&idx| self.sections[idx].path.as_str());
                format!("[object](#{})", anchor(path, self.suffix))
            }
            Shape::List(items) => format!("list of {}", plural(&self.kind(&format!("{path}[]"), items))),
            Shape::Map(Some(values)) => {
                format!("map of {}", plural(&self.kind(&format!("{path}.*"), values)))
            }
            Shape::Map(None) => "map".to_owned(),
            Shape::Choice { name, values } => {
                let elsewhere = LISTED_ELSEWHERE.iter().find(|(listed, _)| Some(*listed) == *name);
                let names = || values.iter().map(|(value, _)| format!("`{value}`")).collect::<Vec<_>>().join(", ");
                elsewhere.map_or_else(names, |(_, link)| (*link).to_owned())
            }
            Shape::Plain(name) => (*name).to_owned(),
        }
    }

    /// Returns the table of a choice's values with their meanings, unless an earlier section has
    /// it.
    fn choices(&mut self, key: &str, shape: &Shape<'a>) -> String {
        let (name, values) = match shape {
            Shape::Choice { name: Some(name), values } => (*name, values),
            Shape::List(items) => return self.choices(key, items),
            _ => return String::new(),
        };
        let is_described = values.iter().all(|(_, meaning)| !meaning.is_empty());
        let is_elsewhere = LISTED_ELSEWHERE.iter().any(|(listed, _)| *listed == name);
        if !is_described || is_elsewhere || self.listed.contains(&name) {
            return String::new();
        }
        self.listed.push(name);
        let rows: String =
            values.iter().map(|(value, meaning)| format!("| `{value}` | {} |\n", one_line(meaning))).collect();
        format!("\n| value of `{key}` | meaning |\n| --- | --- |\n{rows}")
    }
}

fn description(schema: &Value) -> &str {
    schema["description"].as_str().unwrap_or_default()
}

fn one_line(text: &str) -> String {
    text.replace('\n', " ")
}

fn plural(kind: &str) -> String {
    match kind {
        "text" => "texts".to_owned(),
        "number" => "numbers".to_owned(),
        "whole number" => "whole numbers".to_owned(),
        kind if kind.starts_with("[object]") => kind.replacen("[object]", "[objects]", 1),
        kind => kind.to_owned(),
    }
}

/// Returns the anchor of a section's heading by GitHub's rule.
fn anchor(path: &str, suffix: &str) -> String {
    let heading = format!("{path}{suffix}").to_lowercase();
    let kept = |char: &char| char.is_alphanumeric() || ['-', '_', ' '].contains(char);
    heading.chars().filter(kept).map(|char| if char == ' ' { '-' } else { char }).collect()
}
