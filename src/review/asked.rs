//! What a checkpoint asked for, where that is a rule and no value: said in words, never as the author wrote it.

use serde_json::Value;

use crate::checkpoint::evidence::Evidence;
use crate::checkpoint::matching::{Pattern, clip};

/// What was asked for.
#[derive(Debug, Clone, PartialEq)]
pub enum Asked<'a> {
    /// This value.
    Value(&'a Value),
    /// What comes after "must", as in `not be set`.
    Rule(String),
}

/// None where nothing was, or where it is hidden.
pub fn asked(evidence: &Evidence) -> Option<Asked<'_>> {
    let expected = evidence.expected.as_ref()?;
    let rule = match (evidence.operator.as_deref(), expected) {
        (Some("lacks"), _) => Some("not be there".to_owned()),
        (Some("lacksMatch"), Value::String(regex)) => Some(format!("not match `{}`", clip(regex))),
        (_, Value::Object(map)) if map.keys().any(|key| key.starts_with('$') && !key.starts_with("$$")) => {
            Pattern::parse(expected).ok().map(|pattern| pattern.must())
        }
        _ => None,
    };
    Some(rule.map_or(Asked::Value(expected), Asked::Rule))
}

/// A value as a learner would write it: text bare where it can only be read as text, everything else as JSON.
pub fn shown(value: &Value) -> String {
    match value {
        Value::String(text) if reads_as_text(text) => text.clone(),
        value => value.to_string(),
    }
}

/// Whether a YAML reader takes the bare word for text in every dialect.
fn reads_as_text(text: &str) -> bool {
    let Some(first) = text.chars().next() else { return false };
    let word = text.to_ascii_lowercase();
    let another = ["true", "false", "yes", "no", "on", "off", "y", "n", "null", "~"].contains(&word.as_str());
    (first.is_alphabetic() || matches!(first, '/' | '*' | '@' | '_' | '$')) && !another && text.trim() == text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_rule_is_said_in_words_and_a_value_as_it_is() {
        let rule = |operator: &str, expected: Value| {
            let evidence =
                Evidence { operator: Some(operator.to_owned()), expected: Some(expected), ..Evidence::default() };
            match asked(&evidence) {
                Some(Asked::Rule(rule)) => format!("must {rule}"),
                Some(Asked::Value(value)) => shown(value),
                None => String::new(),
            }
        };
        assert_eq!(rule("lacksMatch", json!("(?i)todo")), "must not match `(?i)todo`");
        assert_eq!(rule("lacks", json!("TODO")), "must not be there");
        assert_eq!(rule("$absent", json!({"$absent": true})), "must not be set");
        assert_eq!(rule("$gte", json!({"$gte": 2, "$lt": 5})), "must be at least 2 and be less than 5");
        assert_eq!(rule("equals", json!({"$$ref": 1})), "{\"$$ref\":1}");
        assert_eq!(rule("equals", json!(8080)), "8080");
    }

    #[test]
    fn text_that_reads_as_something_else_keeps_its_quotes() {
        assert_eq!(shown(&json!("Always")), "Always");
        assert_eq!(shown(&json!("yes")), "\"yes\"");
        assert_eq!(shown(&json!("8080")), "\"8080\"");
        assert_eq!(shown(&json!("")), "\"\"");
        assert_eq!(shown(&json!(["a"])), "[\"a\"]");
    }
}
