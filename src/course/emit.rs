//! YAML that every reader reads alike: what publishing writes. `serde_yaml` leaves `yes` and `0644` without quotes, which
//! are no text to other tools.

use serde::Serialize;
use serde_json::Value;

use super::source::{is_ambiguous, plain};

/// A value as a YAML document in block style.
pub fn yaml(value: &impl Serialize) -> Result<String, serde_json::Error> {
    let mut text = String::new();
    block(&serde_json::to_value(value)?, 0, &mut text);
    Ok(text)
}

/// Writes a value that begins on a line of its own.
fn block(value: &Value, indent: usize, text: &mut String) {
    let pad = "  ".repeat(indent);
    match value {
        Value::Object(map) if !map.is_empty() => {
            for (key, value) in map {
                text.push_str(&pad);
                text.push_str(&scalar(key));
                text.push(':');
                behind(value, indent, text);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for item in items {
                let start = text.len();
                block(item, indent + 1, text);
                // The dash takes the place of the last two blanks in front of the item's first line.
                text.replace_range(start..start + pad.len() + 2, &format!("{pad}- "));
            }
        }
        other => {
            text.push_str(&pad);
            text.push_str(&short(other, indent));
            text.push('\n');
        }
    }
}

/// Writes a value behind its key.
fn behind(value: &Value, indent: usize, text: &mut String) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            text.push('\n');
            block(value, indent + 1, text);
        }
        Value::Array(items) if !items.is_empty() => {
            text.push('\n');
            block(value, indent + 1, text);
        }
        other => {
            text.push(' ');
            text.push_str(&short(other, indent));
            text.push('\n');
        }
    }
}

/// A scalar or an empty collection.
fn short(value: &Value, indent: usize) -> String {
    match value {
        Value::String(text) => literal(text, indent + 1).unwrap_or_else(|| scalar(text)),
        other => other.to_string(),
    }
}

/// Text of several lines as a literal block, where that keeps every character.
fn literal(text: &str, indent: usize) -> Option<String> {
    let body = text.strip_suffix('\n').unwrap_or(text);
    let readable = |line: &str| !line.ends_with([' ', '\t']) && !line.chars().any(char::is_control);
    let fits = body.contains('\n')
        && !body.ends_with('\n')
        && !body.starts_with([' ', '\n'])
        && body.split('\n').all(readable);
    if !fits {
        return None;
    }
    let pad = "  ".repeat(indent);
    let line = |line: &str| if line.is_empty() { "\n".to_owned() } else { format!("\n{pad}{line}") };
    let sign = if body.len() == text.len() { "|-" } else { "|" };
    Some(sign.to_owned() + &body.split('\n').map(line).collect::<String>())
}

/// Text in one line: plain where nobody can take it for anything else, else in JSON's quotes.
fn scalar(text: &str) -> String {
    let is_plain = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && !text.ends_with([' ', ':'])
        && !text.contains(": ")
        && !text.contains(" #")
        && !text.chars().any(char::is_control)
        && text.chars().all(|c| c.is_ascii() || c.is_alphabetic())
        && !is_ambiguous(text)
        && plain(text).is_string();
    if is_plain { text.to_owned() } else { Value::from(text).to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::course::source::{Scalars, Source};
    use proptest::prelude::*;
    use serde_json::json;

    fn read(text: &str) -> Value {
        let source = Source::parse(text, Scalars::Unambiguous).unwrap_or_else(|error| panic!("{error:?} in\n{text}"));
        source.documents[0].to_value()
    }

    #[test]
    fn a_document_is_readable() {
        let value = json!({"a": {"list": [1, [2, {"x": "yes", "y": "plain text"}], []], "empty": {}},
            "rule": "one\n  two\n\nthree", "end": "a\nb\n", "odd": " a\nb", "n": null, "b": true, "0644": "a: b"});
        let text = yaml(&value).expect("JSON");
        assert_eq!(read(&text), value);
        insta::assert_snapshot!(text, @r#"
        a:
          list:
            - 1
            - - 2
              - x: "yes"
                "y": plain text
            - []
          empty: {}
        rule: |-
          one
            two

          three
        end: |
          a
          b
        odd: " a\nb"
        "n": null
        b: true
        "0644": "a: b"
        "#);
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let text = prop_oneof![
            "[a-z#:'\" \\-\\[\\]{},&*!|>%@`\\\\\n\t0-9.~?]{0,12}",
            Just("yes".to_owned()),
            Just("0644".to_owned()),
            Just("null".to_owned()),
            Just("---\na".to_owned()),
            "\\PC{0,6}",
        ];
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            text.clone().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 24, 4, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map(text.clone(), inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn whatever_is_written_reads_back(value in any_value()) {
            prop_assert_eq!(read(&yaml(&json!({"value": value})).expect("JSON")), json!({"value": value}));
        }
    }
}
