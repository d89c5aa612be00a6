//! One file: from its bytes to the objects that Argo CD makes of it, or why that is not certain.

use serde_json::Value;

use super::object::Applied;
use super::{MAX_OBJECTIONS, Objections, Rule, at_file};
use crate::checkpoint::evidence::Place;
use crate::submission::yaml::{Dialect, Document, Problem, ProblemKind, YamlFile, ambiguities, uncommon};

/// Argo CD leaves out files that hold it anywhere.
const SKIP: &[u8] = b"+argocd:skip-file-rendering";

/// Hands the file's objects on.
pub(super) fn examine(file: &str, bytes: &[u8], applied: &mut Applied<'_>, against: &mut Objections) {
    if bytes.windows(SKIP.len()).any(|window| window == SKIP) {
        let what = "a mark in this file makes Argo CD leave it out";
        return against.add(Rule::Skipped, at_file(file), what, "delete `+argocd:skip-file-rendering`, or the file");
    }
    let yaml = YamlFile::parse(bytes);
    if !yaml.problems.is_empty() {
        return yaml.problems.into_iter().for_each(|problem| add(file, problem, against));
    }
    if let Some(problem) = uncommon(bytes) {
        return add(file, problem, against);
    }
    let differing: Vec<_> = yaml.documents.iter().flat_map(ambiguities).take(MAX_OBJECTIONS).collect();
    if !differing.is_empty() {
        return differing.into_iter().for_each(|problem| add(file, problem, against));
    }
    if !as_json(file, bytes, &yaml, against) {
        return;
    }
    for document in &yaml.documents {
        // kustomize takes no keys but text, and no key twice: what both take is read alike.
        let both = document.resolve(Dialect::Kustomize).and_then(|_| document.resolve(Dialect::Kubectl));
        match both {
            Ok(value) => objects(&Source { file, document }, &value, applied, against),
            Err(problem) => add(file, problem, against),
        }
    }
}

/// Files that Argo CD takes for JSON have to be JSON that says the same.
fn as_json(file: &str, bytes: &[u8], yaml: &YamlFile, against: &mut Objections) -> bool {
    if !file.ends_with(".json") {
        // Argo CD guesses by the first character, and reads JSON otherwise than YAML.
        let is_json = bytes.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{');
        if is_json {
            let what = "this file starts with `{`, and not every program takes it for YAML then";
            against.add(Rule::Reading, at_file(file), what, "give it the ending `.json`, or write it without braces");
        }
        return !is_json;
    }
    let place = || Place { line: Some(1), ..at_file(file) };
    let json: Value = match serde_json::from_slice(bytes) {
        Ok(json) => json,
        Err(error) => {
            let place = Place { line: Some(error.line() as u32), ..at_file(file) };
            against.add(
                Rule::Syntax,
                place,
                "this is not one JSON object",
                "mend it, and put each object into a file of its own",
            );
            return false;
        }
    };
    let same =
        matches!(yaml.documents.as_slice(), [one] if one.resolve(Dialect::Kubectl).is_ok_and(|value| *value == json));
    if !same {
        let what = "this file says one thing as JSON and another one as YAML";
        against.add(Rule::Reading, place(), what, "write it as YAML, and unusual characters as they are");
    }
    same
}

fn add(file: &str, problem: Problem, against: &mut Objections) {
    let rule = match problem.kind {
        ProblemKind::Syntax | ProblemKind::Template => Rule::Syntax,
        ProblemKind::Limit => Rule::Size,
        ProblemKind::DuplicateKey | ProblemKind::Ambiguous => Rule::Reading,
    };
    let place = Place { file: Some(file.to_owned()), ..problem.place };
    // Its sentence ends with the remedy.
    let (what, remedy) = problem.message.rsplit_once(": ").unwrap_or((&problem.message, "mend this line"));
    against.add(rule, place, what, remedy);
}

/// Where values come from.
pub(super) struct Source<'a> {
    pub file: &'a str,
    pub document: &'a Document,
}

impl Source<'_> {
    /// The value at a pointer.
    pub fn place(&self, pointer: &str) -> Place {
        Place { file: Some(self.file.to_owned()), ..self.document.locate(pointer) }
    }

    /// The key of the entry at a pointer.
    pub fn key(&self, pointer: &str) -> Place {
        Place { file: Some(self.file.to_owned()), ..self.document.locate_key(pointer) }
    }
}

fn objects(source: &Source<'_>, value: &Value, applied: &mut Applied<'_>, against: &mut Objections) {
    if value.is_null() {
        return;
    }
    // Argo CD takes apart whatever has `items`, of any kind.
    let Some(items) = value.get("items") else {
        return applied.add(source, "", value, against);
    };
    let text = |field: &str| value.get(field).and_then(Value::as_str);
    match items.as_array() {
        Some(items) if text("kind") == Some("List") && text("apiVersion") == Some("v1") => {
            for (index, item) in items.iter().enumerate() {
                applied.add(source, &format!("/items/{index}"), item, against);
            }
        }
        _ => {
            let what = "this object has `items`, and Argo CD applies those in its place";
            against.add(Rule::List, source.key("/items"), what, "write each of them as a document of its own");
        }
    }
}
