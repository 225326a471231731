//! Examples of keys, from real documents.

use oculus_system::text::shorten;
use serde_json::{Number, Value};

/// The longest example in characters; a longer one is shortened.
const MAX_CHARS: usize = 61;

/// Returns the value of a key in a document: the first one that is neither null nor empty.
///
/// * `path`: names that are separated by dots. `name[]` stands for every element of a list, and `*`
///   for every value of a map.
pub(super) fn find<'v>(document: &'v Value, path: &str) -> Option<&'v Value> {
    let Some((first, rest)) = path.split_once('.') else { return at(document, path).into_iter().find(|v| is_shown(v)) };
    at(document, first).into_iter().find_map(|value| find(value, rest))
}

/// Returns the values of one part of a path.
fn at<'v>(value: &'v Value, part: &str) -> Vec<&'v Value> {
    match part.strip_suffix("[]") {
        Some(name) => value[name].as_array().into_iter().flatten().collect(),
        None if part == "*" => value.as_object().into_iter().flat_map(|fields| fields.values()).collect(),
        None => vec![&value[part]],
    }
}

fn is_shown(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Array(list) => list.iter().any(is_shown) && !list.iter().any(Value::is_object),
        Value::Object(fields) => !fields.is_empty(),
        _ => true,
    }
}

/// Returns an example as the cell of a Markdown table.
pub(super) fn cell(value: &Value) -> String {
    let text = rounded(value).to_string();
    format!("`{}`", shorten(&text, MAX_CHARS).replace('|', "\\|").replace('`', "'"))
}

/// Rounds long fractions to four digits after the point, which are enough for an example.
fn rounded(value: &Value) -> Value {
    match value {
        Value::Number(number) if number.is_f64() => {
            let short = number.as_f64().map(|number| (number * 1e4).round() / 1e4).filter(|short| *short != 0.0);
            short.and_then(Number::from_f64).map_or_else(|| value.clone(), Value::Number)
        }
        Value::Array(list) => list.iter().map(rounded).collect(),
        Value::Object(fields) => fields.iter().map(|(name, value)| (name.clone(), rounded(value))).collect(),
        _ => value.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_first_value_that_is_not_null_is_the_example() {
        let document = json!({ "rows": [{ "auc": null }, { "auc": 0.512_345 }], "devices": { "LSTM": "cpu" } });
        assert_eq!(find(&document, "rows[].auc").map(cell).as_deref(), Some("`0.5123`"));
        assert_eq!(find(&document, "devices.*").map(cell).as_deref(), Some("`\"cpu\"`"));
        assert_eq!(find(&document, "rows"), None, "objects have their own section");
        assert_eq!(find(&document, "none.at.all"), None);
    }
}
