//! One difference in words: what was looked at, what is wrong, what was expected and found.

use serde::Serialize;
use serde_json::Value;

use super::safe;
use crate::checkpoint::evidence::{Evidence, Place};

/// A difference as Markdown, ready to be put behind a bullet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Difference {
    /// `path:line` as a code span; none when there is no place.
    pub place: Option<String>,
    /// The sentence with what was expected and found.
    pub text: String,
}

/// Words for each piece of evidence.
pub(super) fn differences<'a>(evidence: impl Iterator<Item = &'a Evidence>) -> Vec<Difference> {
    evidence
        .map(|e| Difference { place: place(&e.place).map(|p| safe::code(&p)), text: sentence(e, safe::md, safe::code) })
        .collect()
}

/// `path:line`, `path`, or nothing.
pub(super) fn place(place: &Place) -> Option<String> {
    let file = place.file.as_deref()?;
    Some(match place.line {
        Some(line) => format!("{file}:{line}"),
        None => file.to_owned(),
    })
}

/// The message, led by its subject and followed by what it does not already say of expected and found.
///
/// `prose` and `quote` make text safe for where the sentence goes: Markdown or a terminal.
pub(super) fn sentence(evidence: &Evidence, prose: fn(&str) -> String, quote: fn(&str) -> String) -> String {
    let message = evidence.message.trim_end_matches('.');
    let mut text = String::new();
    if let Some(subject) = evidence.subject.as_deref().filter(|subject| !message.contains(*subject)) {
        text.push_str(&prose(subject));
        text.push_str(": ");
    }
    text.push_str(&prose(message));
    // Generated sentences that say what must be are whole; values would only be said twice.
    if ["must", "expected", "found"].iter().any(|word| says(message, word)) {
        return text;
    }
    let told = |value: &String| says(message, value);
    let actual = evidence.actual.as_ref().map(shown).filter(|value| !told(value));
    let expected = evidence.expected.as_ref().map(shown).filter(|value| !told(value));
    match (expected, actual) {
        (Some(expected), Some(actual)) => {
            text.push_str(&format!("; expected {}, found {}", quote(&expected), quote(&actual)));
        }
        (Some(expected), None) => text.push_str(&format!("; expected {}", quote(&expected))),
        (None, Some(actual)) => text.push_str(&format!("; found {}", quote(&actual))),
        (None, None) => {}
    }
    text
}

/// Whether the message holds the value as a whole word.
fn says(message: &str, value: &str) -> bool {
    let inner = |c: char| c.is_alphanumeric() || c == '.';
    message
        .match_indices(value)
        .any(|(at, _)| !message[..at].ends_with(inner) && !message[at + value.len()..].starts_with(inner))
}

/// A value as a learner would write it: text bare where it can only be read as text, everything else as JSON.
fn shown(value: &Value) -> String {
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

    fn told(evidence: &Evidence) -> String {
        sentence(evidence, safe::md, safe::code)
    }

    #[test]
    fn what_the_message_says_is_not_said_twice() {
        let evidence = Evidence {
            message: "`replicas` must be 3, found 1.".to_owned(),
            expected: Some(json!(3)),
            actual: Some(json!(1)),
            subject: Some("Deployment web".to_owned()),
            ..Evidence::default()
        };
        assert_eq!(told(&evidence), "Deployment web: `replicas` must be 3, found 1");
    }

    #[test]
    fn what_it_does_not_say_is_added_with_types_kept_apart() {
        let evidence = Evidence {
            message: "`port` is wrong".to_owned(),
            expected: Some(json!(8080)),
            actual: Some(json!("8080")),
            ..Evidence::default()
        };
        assert_eq!(told(&evidence), "`port` is wrong; expected `8080`, found `\"8080\"`");
        assert!(!says("port 8080 is taken", "80"));
        assert_eq!(shown(&json!("Always")), "Always");
        assert_eq!(shown(&json!("yes")), "\"yes\"");
        assert_eq!(shown(&json!("")), "\"\"");
        assert_eq!(shown(&json!(["a"])), "[\"a\"]");
    }
}
