//! `file`: A file of the task's directory: there, absent, changed, its text, its YAML, its schema.

use std::collections::BTreeMap;

use regex::{Regex, RegexBuilder};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::evidence::{Evidence, Place};
use super::globs::Globs;
use super::matching::{self, Pattern};
use super::select::{self, Selected};
use super::{Check, Context, Judgement, Trace};
use crate::submission::tree::Entry;
use crate::submission::yaml::Dialect;

/// A file of the task's directory. Everything asked for holds for every file that the glob names.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct File {
    /// Path or glob below the task's directory; must name at least one file.
    pub path: String,
    /// Whether it must be there.
    #[serde(default, skip_serializing_if = "is_default")]
    pub expect: Expect,
    /// At least one of the files differs from what the learner started with.
    #[serde(default, skip_serializing_if = "is_default")]
    pub changed: bool,
    /// What its text holds.
    #[serde(default, skip_serializing_if = "is_default")]
    pub text: Text,
    /// A partial object that every document of it matches (`docs/matching.md`).
    #[serde(default, rename = "match", skip_serializing_if = "Option::is_none")]
    pub matching: Option<Value>,
    /// A JSON Schema that every document of it satisfies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<Value>,
    /// How scalars read; the task's dialect when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dialect: Option<Dialect>,
}

/// Whether a file must be there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Expect {
    /// It must.
    #[default]
    Exists,
    /// It must not.
    Absent,
}

/// What a text holds. In regular expressions `^` and `$` stand for the ends of a line.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Text {
    /// Each of these occurs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub contains: Vec<String>,
    /// None of these occurs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lacks: Vec<String>,
    /// Each of these regular expressions finds something.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub matches: Vec<String>,
    /// None of these regular expressions finds anything.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lacks_match: Vec<String>,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Bytes of a compiled regular expression: generous for a rule, small for the child process.
const MAX_REGEX_BYTES: usize = 1 << 20;
/// Places shown where one text occurs that must not.
const MOST_PLACES: usize = 5;
/// Pieces of evidence of one checkpoint; more help nobody.
const MOST: usize = 50;

impl Check for File {
    fn lint(&self, _params: &BTreeMap<String, Value>) -> Vec<(String, String)> {
        let globs = self.globs();
        let mut problems: Vec<_> = globs.lint().into_iter().map(|(_, message)| ("/path".to_owned(), message)).collect();
        for (field, rules) in [("matches", &self.text.matches), ("lacksMatch", &self.text.lacks_match)] {
            for (index, rule) in rules.iter().enumerate() {
                if let Err(message) = regex(rule) {
                    problems.push((format!("/text/{field}/{index}"), message));
                }
            }
        }
        if let Some(Err(flaws)) = self.matching.as_ref().map(Pattern::parse) {
            problems.extend(flaws.into_iter().map(|(at, message)| (format!("/match{at}"), message)));
        }
        if let Some(Err(message)) = self.schema.as_ref().map(validator) {
            problems.push(("/schema".to_owned(), message));
        }
        let asks_more = self.changed || !is_default(&self.text) || self.matching.is_some() || self.schema.is_some();
        if self.expect == Expect::Absent && asks_more {
            problems.push(("/expect".to_owned(), "nothing else can be asked of a file that must be absent".to_owned()));
        }
        problems
    }

    fn judge(&self, context: &Context<'_>, trace: &mut Trace) -> Judgement {
        match self.try_judge(context, trace) {
            Ok(evidence) if evidence.is_empty() => Judgement::pass(),
            Ok(mut evidence) => {
                evidence.truncate(MOST);
                Judgement::fail(evidence)
            }
            Err(judgement) => judgement,
        }
    }
}

impl File {
    fn globs(&self) -> Globs {
        Globs::One(self.path.clone())
    }

    fn try_judge(&self, context: &Context<'_>, trace: &mut Trace) -> Result<Vec<Evidence>, Judgement> {
        let globs = self.globs();
        let set = globs.compile().map_err(|(_, message)| Judgement::error(message))?;
        let entries: Vec<_> = context.files.iter().filter(|(path, _)| set.is_match(path)).collect();
        trace.say(|| format!("{} names {} of {} files", globs.words(), entries.len(), context.files.len()));
        if self.expect == Expect::Absent {
            let there = |(path, _): &(&str, &Entry)| {
                about(path, "absent", format!("`{path}` must not be there: delete it (git rm)"))
            };
            return Ok(entries.iter().map(there).collect());
        }
        if entries.is_empty() {
            return Ok(vec![missing(&globs, context)]);
        }
        let mut evidence = Vec::new();
        let mut files = Vec::new();
        for (path, entry) in entries {
            match entry {
                Entry::File { bytes, .. } => files.push((path, bytes)),
                Entry::Symlink(_) => {
                    evidence.push(about(
                        path,
                        "exists",
                        format!("`{path}` is a symbolic link, which is not followed: put the file itself there"),
                    ));
                }
                Entry::Submodule => {
                    evidence.push(about(
                        path,
                        "exists",
                        format!("`{path}` is a submodule, which is not fetched: put the files themselves there"),
                    ));
                }
            }
        }
        if self.changed
            && !files.is_empty()
            && files.iter().all(|(path, bytes)| context.base.file(path) == Some(*bytes))
        {
            for (path, _) in &files {
                evidence.push(about(
                    path,
                    "changed",
                    format!("`{path}` is as it was at the start: it is to be changed"),
                ));
            }
        }
        let rules = Rules::new(&self.text)?;
        for (path, bytes) in &files {
            rules.check(path, bytes, &mut evidence);
        }
        let documents = Documents {
            pattern: self
                .matching
                .as_ref()
                .map(Pattern::parse)
                .transpose()
                .map_err(|flaws| Judgement::error(matching::words(&flaws)))?,
            schema: self.schema.as_ref().map(validator).transpose().map_err(Judgement::error)?,
            dialect: self.dialect.unwrap_or(context.dialect),
        };
        if documents.pattern.is_some() || documents.schema.is_some() {
            for (path, _) in &files {
                documents.check(path, context, &mut evidence);
            }
        }
        Ok(evidence)
    }
}

fn about(path: &str, operator: &str, message: String) -> Evidence {
    Evidence {
        message,
        place: Place { file: Some(path.to_owned()), ..Place::default() },
        operator: Some(operator.to_owned()),
        ..Evidence::default()
    }
}

fn missing(globs: &Globs, context: &Context<'_>) -> Evidence {
    let mut message = format!("there is no {}", globs.words());
    let mut place = Place::default();
    if let Some((path, why)) = globs.nearest(context.files) {
        message += &format!("; nearest is `{path}`: {why}");
        place = select::top_of(path);
    }
    Evidence {
        message,
        place,
        expected: Some(Value::from(globs.as_slice().join(" "))),
        operator: Some("exists".to_owned()),
        ..Evidence::default()
    }
}

fn regex(rule: &str) -> Result<Regex, String> {
    let built = RegexBuilder::new(rule).multi_line(true).size_limit(MAX_REGEX_BYTES).build();
    built.map_err(|error| format!("`{rule}` is no regular expression: {error}"))
}

/// The rules on text, ready to use.
struct Rules<'a> {
    text: &'a Text,
    matches: Vec<Regex>,
    lacks_match: Vec<Regex>,
}

impl<'a> Rules<'a> {
    fn new(text: &'a Text) -> Result<Self, Judgement> {
        let compile = |rules: &[String]| {
            rules.iter().map(|rule| regex(rule)).collect::<Result<Vec<_>, _>>().map_err(Judgement::error)
        };
        Ok(Rules { text, matches: compile(&text.matches)?, lacks_match: compile(&text.lacks_match)? })
    }

    fn check(&self, path: &str, bytes: &[u8], evidence: &mut Vec<Evidence>) {
        if is_default(self.text) {
            return;
        }
        let Ok(text) = std::str::from_utf8(bytes) else {
            evidence.push(about(path, "text", format!("`{path}` is no text: save it as UTF-8")));
            return;
        };
        let expected = |mut found: Evidence, rule: &str| {
            found.expected = Some(Value::from(rule));
            found
        };
        for part in self.text.contains.iter().filter(|part| !text.contains(part.as_str())) {
            let message = format!("`{path}` does not contain `{}`", matching::clip(part));
            evidence.push(expected(about(path, "contains", message), part));
        }
        for rule in self.matches.iter().filter(|rule| !rule.is_match(text)) {
            let message = format!("nothing in `{path}` matches `{}`", matching::clip(rule.as_str()));
            evidence.push(expected(about(path, "matches", message), rule.as_str()));
        }
        let mut forbidden = |operator: &str, rule: &str, start: usize, found: &str| {
            let message = format!("`{}` must not be in `{path}`", matching::clip(found));
            let mut found_here = expected(about(path, operator, message), rule);
            found_here.place = place(path, text, start, found);
            found_here.actual = Some(Value::from(matching::clip(found)));
            evidence.push(found_here);
        };
        for part in &self.text.lacks {
            for (start, found) in text.match_indices(part.as_str()).take(MOST_PLACES) {
                forbidden("lacks", part, start, found);
            }
        }
        for rule in &self.lacks_match {
            for found in rule.find_iter(text).take(MOST_PLACES) {
                forbidden("lacksMatch", rule.as_str(), found.start(), found.as_str());
            }
        }
    }
}

/// The place of a part of a text, by its first byte.
fn place(path: &str, text: &str, start: usize, found: &str) -> Place {
    let before = &text[..start];
    let line = before.matches('\n').count() as u32 + 1;
    let column = before.rsplit('\n').next().unwrap_or("").chars().count() as u32 + 1;
    // Only the first line of it: the rest is the learner's to see.
    let width = found.lines().next().unwrap_or("").chars().count() as u32;
    Place {
        file: Some(path.to_owned()),
        line: Some(line),
        column: Some(column),
        end_line: Some(line),
        end_column: Some(column + width),
        pointer: None,
    }
}

/// The rules on documents, ready to use.
struct Documents {
    pattern: Option<Pattern>,
    schema: Option<jsonschema::Validator>,
    dialect: Dialect,
}

impl Documents {
    fn check(&self, path: &str, context: &Context<'_>, evidence: &mut Vec<Evidence>) {
        let objects = match select::objects(context, path, self.dialect) {
            Ok(objects) => objects,
            Err(unreadable) => return evidence.extend(unreadable),
        };
        if objects.is_empty() {
            let message = format!("`{path}` holds nothing: it has no document that is not empty");
            evidence.push(Evidence { place: select::top_of(path), ..about(path, "match", message) });
        }
        for object in objects {
            if let Some(pattern) = &self.pattern {
                evidence.extend(object.differences(pattern));
            }
            if let Some(schema) = &self.schema {
                evidence.extend(violations(schema, &object));
            }
        }
    }
}

/// A validator that reaches for nothing outside the schema and whose patterns run in linear time.
fn validator(schema: &Value) -> Result<jsonschema::Validator, String> {
    let patterns = jsonschema::PatternOptions::regex().size_limit(MAX_REGEX_BYTES);
    let built = jsonschema::options().with_pattern_options(patterns).build(schema);
    built.map_err(|error| format!("the schema is not valid at `{}`: {error}", error.instance_path()))
}

fn violations(schema: &jsonschema::Validator, object: &Selected<'_>) -> Vec<Evidence> {
    let secret = object.value.get("kind").and_then(Value::as_str) == Some("Secret");
    schema
        .iter_errors(object.value)
        .take(MOST)
        .map(|error| {
            let pointer = error.instance_path().to_string();
            let field = if pointer.is_empty() {
                "the document".to_owned()
            } else {
                format!("`{}`", pointer.replace('/', ".").trim_start_matches('.'))
            };
            let hidden =
                secret && (pointer.is_empty() || pointer.starts_with("/data") || pointer.starts_with("/stringData"));
            let what = if hidden { error.masked().to_string() } else { error.to_string() };
            Evidence {
                message: format!("{field} breaks the schema: {}", matching::clip(&what)),
                place: object.place(&pointer),
                expected: None,
                actual: (!hidden).then(|| matching::shorten(error.instance())),
                operator: Some(error.kind().keyword().to_owned()),
                subject: Some(object.subject()),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::testing::{judge, judge_since, tree};
    use super::*;
    use crate::checkpoint::outcome::Outcome;

    fn file(value: Value) -> File {
        serde_json::from_value(value).unwrap()
    }

    fn messages(judgement: &Judgement) -> Vec<&str> {
        judgement.evidence.iter().map(|evidence| evidence.message.as_str()).collect()
    }

    #[test]
    fn a_file_that_is_missing_names_the_nearest() {
        let files = tree(&[("gitops/App.yml", "a: 1\n")]);
        let judgement = judge(&file(json!({"path": "gitops/app.yml"})), &files);
        assert_eq!(
            messages(&judgement),
            ["there is no `gitops/app.yml`; nearest is `gitops/App.yml`: it differs in upper and lower case"]
        );
        assert_eq!(judge(&file(json!({"path": "gitops/*.yml"})), &files).outcome, Outcome::Pass);
        assert_eq!(judge(&file(json!({"path": "gitops/*.yaml"})), &files).outcome, Outcome::Fail);
    }

    #[test]
    fn absent_means_absent() {
        let files = tree(&[("old.yaml", "a: 1\n")]);
        let judgement = judge(&file(json!({"path": "old.yaml", "expect": "absent"})), &files);
        assert_eq!(messages(&judgement), ["`old.yaml` must not be there: delete it (git rm)"]);
        assert_eq!(judge(&file(json!({"path": "new.yaml", "expect": "absent"})), &files).outcome, Outcome::Pass);
    }

    #[test]
    fn changed_compares_with_the_start() {
        let (before, after) = (tree(&[("a", "1"), ("b", "1")]), tree(&[("a", "1"), ("b", "2")]));
        let check =
            |path: &str, files| judge_since(&file(json!({"path": path, "changed": true})), files, &before).outcome;
        assert_eq!(check("a", &after), Outcome::Fail);
        assert_eq!(check("b", &after), Outcome::Pass);
        assert_eq!(check("*", &after), Outcome::Pass);
        assert_eq!(check("*", &before), Outcome::Fail);
    }

    #[test]
    fn text_rules_point_at_what_must_go() {
        let files = tree(&[("run.sh", "set -e\nécho :latest\n")]);
        let rules = json!({"path": "run.sh", "text": {
            "contains": ["set -e", "set -u"], "lacks": [":latest"], "matches": ["^set"], "lacksMatch": ["^.cho"]
        }});
        let judgement = judge(&file(rules), &files);
        assert_eq!(
            messages(&judgement),
            [
                "`run.sh` does not contain `set -u`",
                "`:latest` must not be in `run.sh`",
                "`écho` must not be in `run.sh`"
            ]
        );
        let place = &judgement.evidence[1].place;
        assert_eq!((place.line, place.column, place.end_column), (Some(2), Some(6), Some(13)));
    }

    #[test]
    fn every_document_matches_and_satisfies_the_schema() {
        let files = tree(&[("a.yaml", "size: 1\n---\nsize: x\n---\n"), ("empty.yaml", "# nothing\n")]);
        let judgement = judge(&file(json!({"path": "a.yaml", "match": {"size": 1}})), &files);
        assert_eq!(messages(&judgement), ["`size` is `x`, must be 1"]);
        let schema =
            json!({"path": "a.yaml", "schema": {"properties": {"size": {"type": "integer"}}, "required": ["size"]}});
        let judgement = judge(&file(schema), &files);
        assert_eq!(messages(&judgement), ["`size` breaks the schema: \"x\" is not of type \"integer\""]);
        assert_eq!((judgement.evidence[0].place.line, judgement.evidence[0].place.column), (Some(3), Some(7)));
        assert_eq!(judge(&file(json!({"path": "empty.yaml", "match": {}})), &files).outcome, Outcome::Fail);
    }

    #[test]
    fn links_are_not_followed() {
        let mut files = tree(&[]);
        files.insert("a.yaml", Entry::Symlink("/etc/passwd".into()));
        let judgement = judge(&file(json!({"path": "a.yaml", "text": {"contains": ["root"]}})), &files);
        assert!(judgement.evidence[0].message.contains("symbolic link"), "{judgement:?}");
    }

    #[test]
    fn a_schema_never_leaves_the_process() {
        let check = file(json!({"path": "a", "schema": {"$ref": "http://127.0.0.1:1/x.json"}}));
        assert_eq!(check.lint(&BTreeMap::new()).len(), 1);
    }

    #[test]
    fn lint_points_at_the_flaw() {
        let check = file(json!({
            "path": "/etc/passwd", "expect": "absent", "text": {"matches": ["ok", "("]}, "match": {"a": null},
            "schema": {"type": "nonsense"}
        }));
        let at: Vec<_> = check.lint(&BTreeMap::new()).into_iter().map(|(at, _)| at).collect();
        assert_eq!(at, ["/path", "/text/matches/1", "/match/a", "/schema", "/expect"]);
    }
}
