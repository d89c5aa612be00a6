//! Scalars that kubectl and kustomize read differently: they mean one thing in `kubectl apply -f` and another after a
//! `kustomize build`, so whoever wrote them should put them in quotes.

use serde_json::Value;

use super::tree::View;
use super::{Dialect, Document, Problem, ProblemKind, excerpt, parse, scalar};

/// Advice for each scalar of the document that the two read differently, in the order of the file. Keys count.
pub fn ambiguities(document: &Document) -> impl Iterator<Item = Problem> {
    document.arena.ids().filter_map(|id| {
        let View::Scalar { text, style, tag } = document.arena.view(id) else { return None };
        let read = |dialect| scalar::resolve(text, style, tag, dialect);
        let (kubectl, kustomize) = (read(Dialect::Kubectl), read(Dialect::Kustomize));
        // Numbers that differ only in their type (2^63 and above) print alike and compare alike.
        let both_numbers = |a: &Value, b: &Value| a.is_number() && b.is_number();
        if kubectl == kustomize || matches!((&kubectl, &kustomize), (Ok(a), Ok(b)) if both_numbers(a, b)) {
            return None;
        }
        let message = format!(
            "`{}` is {} to kubectl and {} to kustomize: quote it, or write what you mean",
            excerpt(text),
            words(&kubectl),
            words(&kustomize)
        );
        Some(Problem { kind: ProblemKind::Ambiguous, message, place: parse::place(document.arena.span(id)) })
    })
}

fn words(read: &Result<Value, String>) -> String {
    match read {
        Ok(Value::String(text)) => format!("the text `{}`", excerpt(text)),
        Ok(Value::Null) => "nothing (null)".to_owned(),
        Ok(other) => other.to_string(),
        Err(_) => "an error".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::YamlFile;
    use super::*;

    #[test]
    fn what_two_tools_read_differently_is_named_and_nothing_else() {
        let text =
            "on: push\nage: 2026-01-01\nmode: 0644\nquoted: \"yes\"\nanswer: !!bool yes\nbig: 9223372036854775808\n";
        let file = YamlFile::parse(text.as_bytes());
        let said: Vec<_> = ambiguities(&file.documents[0]).map(|p| (p.place.line, p.message)).collect();
        let tail = "to kustomize: quote it, or write what you mean";
        assert_eq!(
            said,
            [
                (Some(1), format!("`on` is true to kubectl and the text `on` {tail}")),
                (
                    Some(2),
                    format!(
                        "`2026-01-01` is the text `2026-01-01` to kubectl and the text `2026-01-01T00:00:00Z` {tail}"
                    )
                ),
                (Some(5), format!("`yes` is true to kubectl and an error {tail}")),
            ]
        );
    }
}
