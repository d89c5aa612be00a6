//! Values put into parsed strings: `${name}` in task.yaml and in mutants.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex::{Captures, Regex};
use serde_json::Value;

use super::source::join;
use super::values::Values;

/// `${name}`, and `$${name}` for that text itself. `${{ … }}` and `$name` belong to other tools and are left alone.
static PLACEHOLDER: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\$?\$\{([A-Za-z_][A-Za-z0-9_]*)\}").expect("a constant expression"));

/// How values reach CEL.
static PARAMS: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\bparams\s*\.\s*([A-Za-z_][A-Za-z0-9_]*)").expect("a constant expression"));

/// Replaces placeholders in all strings and keys. A string that is only `${name}` takes the value's type.
/// Names without a value are left as they are; [`names`] finds them.
pub fn fill(value: &Value, values: &Values) -> Value {
    match value {
        Value::String(text) => fill_text(text, values),
        Value::Array(items) => items.iter().map(|item| fill(item, values)).collect(),
        Value::Object(map) => map.iter().map(|(key, value)| (fill_key(key, values), fill(value, values))).collect(),
        other => other.clone(),
    }
}

fn fill_text(text: &str, values: &Values) -> Value {
    if let Some(found) = PLACEHOLDER.captures(text)
        && found[0].len() == text.len()
        && !text.starts_with("$$")
        && let Some(value) = values.get(&found[1])
    {
        return value.clone();
    }
    Value::String(fill_key(text, values))
}

fn fill_key(text: &str, values: &Values) -> String {
    let put = |found: &Captures<'_>| match values.get(&found[1]) {
        _ if found[0].starts_with("$$") => found[0][1..].to_owned(),
        Some(value) => shown(value),
        None => found[0].to_owned(),
    };
    PLACEHOLDER.replace_all(text, put).into_owned()
}

/// A value inside a longer text.
pub fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The names used by placeholders and as `params.name`, each with the pointer to a string that uses it.
pub fn names(value: &Value) -> Names {
    let mut names = Names::default();
    collect(value, "", &mut names);
    names
}

/// Names that strings use.
#[derive(Debug, Default)]
pub struct Names {
    /// By placeholder.
    pub placeholders: BTreeMap<String, String>,
    /// As `params.name`: perhaps CEL, perhaps text.
    pub params: BTreeMap<String, String>,
}

fn collect(value: &Value, pointer: &str, names: &mut Names) {
    match value {
        Value::String(text) => collect_text(text, pointer, names),
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                collect(item, &join(pointer, &index.to_string()), names);
            }
        }
        Value::Object(map) => {
            for (key, value) in map {
                let pointer = join(pointer, key);
                collect_text(key, &pointer, names);
                collect(value, &pointer, names);
            }
        }
        _ => {}
    }
}

fn collect_text(text: &str, pointer: &str, names: &mut Names) {
    for found in PLACEHOLDER.captures_iter(text).filter(|found| !found[0].starts_with("$$")) {
        names.placeholders.entry(found[1].to_owned()).or_insert_with(|| pointer.to_owned());
    }
    for found in PARAMS.captures_iter(text) {
        names.params.entry(found[1].to_owned()).or_insert_with(|| pointer.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn values() -> Values {
        Values::from([("n".to_owned(), json!(3)), ("team".to_owned(), json!("aurora"))])
    }

    #[test]
    fn a_lone_placeholder_takes_the_type_of_its_value() {
        let given = json!({"replicas": "${n}", "text": "${n} of ${team}", "${team}": ["${team}"]});
        let filled = json!({"replicas": 3, "text": "3 of aurora", "aurora": ["aurora"]});
        assert_eq!(fill(&given, &values()), filled);
    }

    #[test]
    fn foreign_braces_and_escapes_stay() {
        for (given, filled) in [
            ("${{ values.name }}", "${{ values.name }}"),
            ("{{ .Values.team }}", "{{ .Values.team }}"),
            ("$team $(team)", "$team $(team)"),
            ("$${team}", "${team}"),
            ("a $${n} ${n}", "a ${n} 3"),
        ] {
            assert_eq!(fill(&json!(given), &values()), json!(filled));
        }
    }

    #[test]
    fn names_are_found_with_their_place() {
        let names = names(&json!({"a": ["x", "${b} $${c}"], "rule": "object.n == params.d"}));
        assert_eq!(names.placeholders, BTreeMap::from([("b".to_owned(), "/a/1".to_owned())]));
        assert_eq!(names.params, BTreeMap::from([("d".to_owned(), "/rule".to_owned())]));
    }
}
