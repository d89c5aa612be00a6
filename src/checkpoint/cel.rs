//! `cel`: A CEL rule holds for objects of YAML files.
//!
//! The engine is in `cel/`: [`parse`] reads, [`lower`] resolves names and types, [`machine`] evaluates on a step budget,
//! `explain` finds the reason and the line, `judge` puts them together. `docs/cel.md` is for authors.

mod ask;
#[cfg(test)]
mod conformance;
pub mod explain;
pub mod fault;
pub mod functions;
mod judge;
pub mod lexer;
pub mod limits;
pub mod lower;
pub mod machine;
pub mod node;
pub mod operators;
pub mod parse;
mod place;
pub mod program;
mod rules;
mod screen;
mod source;
pub mod tracing;
pub mod types;
pub mod value;
mod wording;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::globs::Globs;
use super::screen::Screen;
use super::select::{self, Select, Source};
use super::{Check, Context, Judgement, Trace};
use crate::submission::yaml::Dialect;
use place::At;
use rules::Rules;

/// A CEL rule holds for objects of YAML files.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Cel {
    /// Where to look, below the task's directory; all YAML files when left out.
    #[serde(default, rename = "in", skip_serializing_if = "Option::is_none")]
    pub files: Option<Globs>,
    /// Which objects; every one when left out.
    #[serde(default, skip_serializing_if = "is_default")]
    pub select: Select,
    /// How many must be found at least.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub min: u32,
    /// How scalars read; the task's dialect when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dialect: Option<Dialect>,
    /// Whether the rule runs per object or once for all of them.
    #[serde(default, skip_serializing_if = "is_default")]
    pub over: Over,
    /// CEL that gives a list: the rule runs for each `item` of it. At least one item must be found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub each: Option<String>,
    /// The rule runs for each `case`: situations to try, in place or in a hidden file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cases: Option<Cases>,
    /// Names for values that the rule and its message use, in order; each may use those above it, `item` and `case`.
    #[serde(default, rename = "let", skip_serializing_if = "Vec::is_empty")]
    pub lets: Vec<Let>,
    /// CEL that gives true when the work is right.
    pub rule: String,
    /// CEL that gives the sentence for the learner; a generated one when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The field whose line the evidence points at, as in `/spec/replicas` or `item.image`; found by itself when left
    /// out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
}

/// What the rule runs over.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Over {
    /// Each object, as `object`.
    #[default]
    Each,
    /// All objects at once, as `objects`.
    Set,
}

/// A name and the CEL expression that it stands for: a map with one key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "BTreeMap<String, String>", into = "BTreeMap<String, String>")]
pub struct Let {
    /// As the rule says it.
    pub name: String,
    /// CEL.
    pub is: String,
}

impl TryFrom<BTreeMap<String, String>> for Let {
    type Error = String;

    fn try_from(map: BTreeMap<String, String>) -> Result<Self, String> {
        match <[(String, String); 1]>::try_from(map.into_iter().collect::<Vec<_>>()) {
            Ok([(name, is)]) => Ok(Self { name, is }),
            Err(_) => Err("one name and its expression, as in `- containers: object.spec.containers`".to_owned()),
        }
    }
}

impl From<Let> for BTreeMap<String, String> {
    fn from(binding: Let) -> Self {
        BTreeMap::from([(binding.name, binding.is)])
    }
}

/// Situations to try.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Cases {
    /// In place. `describe` is shown to the learner, the rest is data for the rule.
    Inline(Vec<BTreeMap<String, Value>>),
    /// A YAML list of the same form in `hidden/`; only `describe` is ever shown.
    Hidden(String),
}

fn one() -> u32 {
    1
}

fn is_one(n: &u32) -> bool {
    *n == 1
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl Check for Cel {
    fn lint(&self, params: &BTreeMap<String, Value>) -> Vec<(String, String)> {
        let mut problems = select::lint(self.files.as_ref(), &self.select, self.min);
        let mut below = |field: &str, found: Vec<(String, String)>| {
            problems.extend(found.into_iter().map(|(at, message)| (format!("/{field}{at}"), message)));
        };
        match &self.cases {
            Some(Cases::Inline(cases)) if cases.is_empty() => {
                below(
                    "cases",
                    vec![(String::new(), "there are no cases: write one, or leave the field out".to_owned())],
                );
            }
            Some(Cases::Hidden(path)) if !path.starts_with("hidden/") => {
                let message = format!("`{path}` is not below `hidden/`: move it there, or write the cases in place");
                below("cases", vec![(String::new(), message)]);
            }
            _ => {}
        }
        if let Some(Err(message)) = self.at.as_deref().map(At::parse) {
            below("at", vec![(String::new(), message)]);
        }
        if let Err(found) = Rules::compile(self, params) {
            problems.extend(found);
        }
        problems
    }

    fn judge(&self, context: &Context<'_>, trace: &mut Trace) -> Judgement {
        judge::judge(self, context, trace)
    }

    fn screen<'c>(&'c self, context: &Context<'c>) -> Option<Screen<'c>> {
        Some(Screen { source: self.source(), rule: Box::new(screen::Single::of(self, context)?) })
    }
}

impl Cel {
    fn source(&self) -> Source<'_> {
        Source { files: self.files.as_ref(), select: &self.select, min: self.min, dialect: self.dialect }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lint(yaml: &str) -> Vec<(String, String)> {
        let cel: Cel = serde_yaml::from_str(yaml).unwrap();
        cel.lint(&BTreeMap::from([("team".to_owned(), Value::from("aurora"))]))
    }

    #[test]
    fn a_sound_checkpoint_has_no_problems() {
        let yaml = "in: '*.yaml'\nselect: {kind: Pod}\neach: object.spec.containers\n\
                    rule: item.image.startsWith(params.team) && index >= 0\nmessage: \"'no ' + item.name\"\nat: item.image";
        assert_eq!(lint(yaml), []);
    }

    #[test]
    fn each_problem_names_its_field_and_the_remedy() {
        for (yaml, pointer, words) in [
            ("rule: object.a ==", "/rule", "ends where a value"),
            ("rule: item == 1", "/rule", "`each`"),
            ("rule: case.x == 1", "/rule", "`cases`"),
            ("{over: set, rule: object.a == 1}", "/rule", "`objects`"),
            ("rule: object.name", "/rule", ""),
            ("rule: size(object.name)", "/rule", "bool"),
            ("{rule: 'true', message: size(object.name)}", "/message", "string"),
            ("{rule: 'true', each: size(object.name)}", "/each", "list"),
            ("rule: object.a == params.teem", "/rule", "`team`"),
            ("rule: object.a.startWith('x')", "/rule", "`startsWith`"),
            ("rule: quantity('1,5').isLessThan(quantity('2'))", "/rule", "not a quantity"),
            ("{rule: 'true', cases: []}", "/cases", "no cases"),
            ("{rule: 'true', cases: cases.yaml}", "/cases", "hidden/"),
            ("{rule: 'true', at: 'spec.containers[x]'}", "/at", "number"),
            ("{rule: 'true', in: hidden/a.yaml}", "/in", "hidden"),
            ("{rule: 'true', min: 0}", "/min", "1 is the least"),
            ("{let: [{a: object.x}, {b: a ==}], rule: b}", "/let/1/b", "a value is expected"),
            ("{let: [{a: b}, {b: '1'}], rule: a == b}", "/let/0/a", "undeclared variable `b`"),
            ("{let: [{object: '1'}], rule: 'true'}", "/let/0/object", "another"),
            ("{let: [{a: '1'}, {a: '2'}], rule: a == 1}", "/let/1/a", "another"),
            ("{let: [{a: \"'x'\"}], rule: a}", "/rule", "bool"),
        ] {
            let problems = lint(yaml);
            if words.is_empty() {
                assert_eq!(problems, [], "{yaml}");
            } else {
                assert!(
                    problems.iter().any(|(at, text)| at == pointer && text.contains(words)),
                    "{yaml}: {problems:?}"
                );
            }
        }
    }
}
