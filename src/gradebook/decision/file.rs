//! A decision as a file: read with every mistake named by line and column, written so that it reads back as the same.

use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::Decision;
use crate::course::diagnostic::{Diagnostic, nearest};
use crate::course::source::{Content, inline};
use crate::course::strict::{document, typed};

/// Largest file that is read, in bytes.
pub const MAX_FILE: usize = 64 * 1024;

/// The kinds, as they are written.
const KINDS: [&str; 4] = ["Waiver", "Extension", "Override", "Quarantine"];

/// Reads one file; `name` stands in what is said about it.
pub fn read(name: &str, bytes: &[u8]) -> Result<Decision, Vec<Diagnostic>> {
    let one = |problem| vec![problem];
    if bytes.len() > MAX_FILE {
        return Err(one(Diagnostic::new(name, format!("the file is larger than {MAX_FILE} bytes"))));
    }
    let text = std::str::from_utf8(bytes).map_err(|_| one(Diagnostic::new(name, "the file is not UTF-8 text")))?;
    let node = document(name, text).map_err(|problem| {
        let help = problem.help.iter().map(|help| help.replace("docs/authoring.md", "docs/gradebook.md"));
        one(Diagnostic { help: help.collect(), ..problem })
    })?;
    let value = node.to_value();
    let Content::Map(..) = &node.content else {
        return Err(one(Diagnostic::new(name, "this is not an object").at(node.spot).help("see docs/gradebook.md")));
    };
    let Some(kind) = value.get("kind").and_then(Value::as_str) else {
        let problem = Diagnostic::new(name, "the field `kind` is missing in the file").at(node.locate_key("/kind"));
        return Err(one(problem.help(format!("add `kind:` with one of {}", KINDS.join(", ")))));
    };
    let mut problems = Vec::new();
    let decision = match kind {
        "Waiver" => typed(name, &node, value, &mut problems).map(Decision::Waiver),
        "Extension" => typed(name, &node, value, &mut problems).map(Decision::Extension),
        "Override" => typed(name, &node, value, &mut problems).map(Decision::Override),
        "Quarantine" => typed(name, &node, value, &mut problems).map(Decision::Quarantine),
        other => {
            let problem = Diagnostic::new(name, format!("`kind` cannot be `{other}`")).at(node.locate("/kind"));
            return Err(one(problem.help(match nearest(other, KINDS) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("possible: {}", KINDS.join(", ")),
            })));
        }
    };
    if let Some(Decision::Extension(file)) = &decision
        && file.spec.by.is_some() == file.spec.until.is_some()
    {
        let problem = Diagnostic::new(name, "exactly one of `by` and `until` says how long");
        problems.push(problem.at(node.locate_key("/spec")).help("write `by: 3d` or `until: 2026-12-01`"));
    }
    if let Some(Decision::Override(file)) = &decision
        && file.spec.points > file.spec.of
    {
        let problem = Diagnostic::new(name, format!("`points` is more than the {} that the task has", file.spec.of));
        problems.push(problem.at(node.locate("/spec/points")));
    }
    match decision {
        Some(decision) if problems.is_empty() => Ok(decision),
        _ => Err(problems),
    }
}

/// The text of a decision's file.
pub fn write(decision: &Decision) -> String {
    let value = match decision {
        Decision::Waiver(file) => value(file),
        Decision::Extension(file) => value(file),
        Decision::Override(file) => value(file),
        Decision::Quarantine(file) => value(file),
    };
    let mut text = String::new();
    block(&mut text, &value, 0);
    text
}

/// The name that a decision's file gets: what it is about, and a part of the hash of what it says, so that writing a
/// decision twice leaves one file.
pub fn name(decision: &Decision) -> String {
    let (kind, about) = match decision {
        Decision::Waiver(file) => {
            let spec = &file.spec;
            ("waiver", vec![spec.learner.id.as_str(), spec.task.as_str(), spec.checkpoint.as_str()])
        }
        Decision::Extension(file) => ("extension", vec![file.spec.learner.id.as_str(), file.spec.task.as_str()]),
        Decision::Override(file) => ("override", vec![file.spec.learner.id.as_str(), file.spec.task.as_str()]),
        Decision::Quarantine(file) => ("quarantine", vec![file.spec.task.as_str(), file.spec.checkpoint.as_str()]),
    };
    let hash = hex::encode(&Sha256::digest(write(decision))[..4]);
    format!("{kind}-{}-{hash}.yaml", about.join("-"))
}

fn value(file: &impl Serialize) -> Value {
    serde_json::to_value(file).expect("plain data with text for keys")
}

/// Maps as blocks, everything else in one line: our kinds hold no lists.
fn block(text: &mut String, value: &Value, depth: usize) {
    for (key, value) in value.as_object().into_iter().flatten() {
        let indent = "  ".repeat(depth);
        match value {
            Value::Object(_) => {
                text.push_str(&format!("{indent}{key}:\n"));
                block(text, value, depth + 1);
            }
            value => text.push_str(&format!("{indent}{key}: {}\n", inline(value))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{extension, overridden, quarantine, waiver};
    use super::*;

    #[test]
    fn what_is_written_reads_back() {
        for decision in [waiver("ada", "c"), extension("ada"), overridden("ada", 3), quarantine("c", "2026-12-01")] {
            let text = write(&decision);
            assert_eq!(read("x.yaml", text.as_bytes()), Ok(decision), "{text}");
        }
        insta::assert_snapshot!(write(&waiver("583231", "probes")), @r#"
        apiVersion: gradus.dev/v1alpha1
        kind: Waiver
        metadata:
          author:
            id: "99"
            login: grace
          at: "1970-01-01T00:00:01Z"
          pull: "local#1"
        spec:
          learner:
            id: "583231"
            login: login-of-583231
          course: hello
          task: t
          checkpoint: probes
          reason: "the brief: it's \"wrong\""
        "#);
    }

    #[test]
    fn writing_twice_makes_one_file_and_another_decision_another() {
        assert_eq!(name(&waiver("ada", "c")), name(&waiver("ada", "c")));
        assert!(name(&waiver("ada", "c")).starts_with("waiver-ada-t-c-"));
        assert_ne!(name(&overridden("ada", 3)), name(&overridden("ada", 4)));
    }

    fn problems(text: &str) -> Vec<String> {
        read("decisions/x.yaml", text.as_bytes()).expect_err(text).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn every_mistake_is_named_with_its_place() {
        let good = write(&overridden("ada", 3));
        for (from, to, said) in [
            (
                "points: 3",
                "points: x",
                "decisions/x.yaml:15:11: `points` must be a whole number, 0 or more, not the text \"x\"",
            ),
            ("points: 3", "points: 5", "decisions/x.yaml:15:11: `points` is more than the 4 that the task has"),
            (
                "kind: Override",
                "kind: Overide",
                "decisions/x.yaml:2:7: `kind` cannot be `Overide` (did you mean `Override`?)",
            ),
            (
                "  reason: appeal\n",
                "",
                "decisions/x.yaml:9:1: the field `reason` is missing in `spec` (add `reason:` here)",
            ),
            (
                "reason: appeal",
                "reason: ''",
                "decisions/x.yaml:17:11: a decision needs a reason: say in a few words why",
            ),
            (
                "course: hello",
                "cuorse: hello",
                "decisions/x.yaml:13:3: unknown field `cuorse` (did you mean `course`?)",
            ),
            (
                "id: ada",
                "id: Ada",
                "decisions/x.yaml:11:9: `Ada` is not an identifier: use 1 to 63 of a-z, 0-9 and `-`, starting and ending with a letter or digit",
            ),
            (
                "at: \"1970-01-01T00:00:01Z\"",
                "at: yesterday",
                "decisions/x.yaml:7:7: `yesterday` is not a time: write a date as in 2026-12-01 (the end of that day, UTC), or a time with its zone as in 2026-12-01T08:00Z",
            ),
        ] {
            let text = good.replace(from, to);
            assert_ne!(text, good, "{from}");
            assert_eq!(problems(&text), [said], "{text}");
        }
        let neither = write(&extension("ada")).replace("  by: \"3d\"\n", "");
        assert!(problems(&neither)[0].contains("exactly one of `by` and `until`"));
        assert!(problems("- a\n")[0].contains("this is not an object"));
        assert!(problems("")[0].contains("see docs/gradebook.md"));
        assert!(problems("a: b\n")[0].contains("add `kind:` with one of Waiver,"));
        assert!(problems(&"#".repeat(MAX_FILE + 1))[0].contains("larger than"));
        assert!(read("x", b"\xff").is_err());
    }

    #[test]
    fn an_id_may_be_written_as_a_number() {
        let text = write(&waiver("583231", "c")).replace("\"583231\"", "583231");
        assert_eq!(read("x", text.as_bytes()), Ok(waiver("583231", "c")));
    }
}
