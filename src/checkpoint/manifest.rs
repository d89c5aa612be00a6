//! `manifest`: Objects of YAML files match a partial object.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::evidence::Evidence;
use super::globs::Globs;
use super::matching::{self, Nearness, Pattern, count};
use super::screen::{Rule, Screen, Seen};
use super::select::{self, Select, Selected, Source};
use super::{Check, Context, Judgement, Trace};
use crate::submission::yaml::Dialect;

/// Objects of YAML files match a partial object.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Manifest {
    /// Where to look, below the task's directory; all YAML files when left out.
    #[serde(default, rename = "in", skip_serializing_if = "Option::is_none")]
    pub files: Option<Globs>,
    /// Which objects; every one when left out.
    #[serde(default, skip_serializing_if = "is_default")]
    pub select: Select,
    /// How many must be found at least.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub min: u32,
    /// How many of those found must match.
    #[serde(default, skip_serializing_if = "is_default")]
    pub quantify: Quantify,
    /// The partial object (`docs/matching.md`).
    #[serde(rename = "match")]
    pub matching: Value,
    /// How scalars read; the task's dialect when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dialect: Option<Dialect>,
}

/// How many of the objects must match.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Quantify {
    /// Every one.
    #[default]
    All,
    /// At least one.
    Any,
    /// This many, neither more nor fewer.
    Exactly(u32),
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

/// Pieces of evidence of one checkpoint; more help nobody.
const MOST: usize = 50;

impl Check for Manifest {
    fn lint(&self, _params: &BTreeMap<String, Value>) -> Vec<(String, String)> {
        let mut problems = select::lint(self.files.as_ref(), &self.select, self.min);
        if let Err(flaws) = Pattern::parse(&self.matching) {
            problems.extend(flaws.into_iter().map(|(at, message)| (format!("/match{at}"), message)));
        }
        problems
    }

    fn judge(&self, context: &Context<'_>, trace: &mut Trace) -> Judgement {
        let pattern = match Pattern::parse(&self.matching) {
            Ok(pattern) => pattern,
            Err(flaws) => return Judgement::error(matching::words(&flaws)),
        };
        let objects = match select::select(context, &self.source(), trace) {
            Ok(objects) => objects,
            Err(judgement) => return judgement,
        };
        let (good, bad): (Vec<&Selected<'_>>, Vec<_>) =
            objects.iter().partition(|object| object.seen(context) == Seen::Holds || pattern.matches(object.value));
        if trace.is_on() {
            trace_candidates(&pattern, &objects, trace);
        }
        let evidence = match self.quantify {
            Quantify::All => bad.iter().flat_map(|object| object.differences(&pattern)).collect(),
            Quantify::Any if !good.is_empty() => Vec::new(),
            Quantify::Any => nearest(&pattern, &bad, 1),
            Quantify::Exactly(n) => exactly(n as usize, &pattern, &good, &bad),
        };
        if evidence.is_empty() { Judgement::pass() } else { Judgement::fail(limited(evidence)) }
    }

    fn screen<'c>(&'c self, _context: &Context<'c>) -> Option<Screen<'c>> {
        Some(Screen { source: self.source(), rule: Box::new(Pattern::parse(&self.matching).ok()?) })
    }
}

impl Manifest {
    fn source(&self) -> Source<'_> {
        Source { files: self.files.as_ref(), select: &self.select, min: self.min, dialect: self.dialect }
    }
}

impl Rule for Pattern {
    fn ask<'r>(&'r self) -> Box<dyn FnMut(&'r Value) -> Option<u64> + 'r> {
        Box::new(|value| self.matches(value).then_some(0))
    }
}

fn exactly(wanted: usize, pattern: &Pattern, good: &[&Selected<'_>], bad: &[&Selected<'_>]) -> Vec<Evidence> {
    if good.len() == wanted {
        return Vec::new();
    }
    let (are, objects) = if good.len() == 1 { ("is", "object") } else { ("are", "objects") };
    let number = |place| Evidence {
        message: format!("{} {objects} {are} as described, must be exactly {wanted}", good.len()),
        place,
        expected: Some(Value::from(wanted)),
        actual: Some(Value::from(good.len())),
        operator: Some("exactly".to_owned()),
        subject: None,
    };
    if good.len() < wanted {
        let mut evidence = nearest(pattern, bad, wanted - good.len());
        let place = evidence.first().map(|first| first.place.clone()).unwrap_or_default();
        evidence.insert(0, number(place));
        return evidence;
    }
    // Which of them is one too many, only the learner knows: all are shown.
    good.iter().map(|object| Evidence { subject: Some(object.subject()), ..number(object.place("")) }).collect()
}

/// The differences of the `n` objects that come nearest.
fn nearest(pattern: &Pattern, bad: &[&Selected<'_>], n: usize) -> Vec<Evidence> {
    let mut ranked: Vec<_> = bad.iter().map(|object| (pattern.nearness(object.value), *object)).collect();
    // Stable: of equally near ones the first in the files.
    ranked.sort_by_key(|(Nearness { good, bad }, _)| (std::cmp::Reverse(*good), *bad));
    ranked.into_iter().take(n).flat_map(|(_, object)| object.differences(pattern)).collect()
}

fn limited(mut evidence: Vec<Evidence>) -> Vec<Evidence> {
    if evidence.len() > MOST {
        let more = evidence.len() - MOST;
        evidence.truncate(MOST);
        evidence.push(Evidence { message: format!("and {more} more differences"), ..Evidence::default() });
    }
    evidence
}

fn trace_candidates(pattern: &Pattern, objects: &[Selected<'_>], trace: &mut Trace) {
    for object in objects {
        let Nearness { good, bad } = pattern.nearness(object.value);
        let differences = if trace.is_on() { pattern.differences(object.value) } else { Vec::new() };
        trace.say(|| {
            // What is missing as a whole is one difference, and weighs as much as all that was asked for in it.
            let weight = if bad as usize == differences.len() { String::new() } else { format!(" that weigh {bad}") };
            let (agreed, differs) = (count(good as usize, "point"), count(differences.len(), "difference"));
            format!("{} in {}: {agreed} of agreement, {differs}{weight}", object.subject(), object.file)
        });
        trace.indented(|trace| {
            for difference in differences {
                trace.say(|| format!("{}: {} ({})", difference.pointer, difference.message, difference.operator));
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::testing::{in_context, judge, tree};
    use super::*;
    use crate::checkpoint::outcome::Outcome;

    const TWO: &str = "apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  replicas: 1
  template:
    spec:
      containers:
        - name: web
          image: nginx:latest
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: api
spec:
  replicas: 3
";

    fn manifest(value: Value) -> Manifest {
        serde_json::from_value(value).unwrap()
    }

    fn messages(judgement: &Judgement) -> Vec<&str> {
        judgement.evidence.iter().map(|evidence| evidence.message.as_str()).collect()
    }

    #[test]
    fn a_trace_counts_the_differences_that_it_lists() {
        let files = tree(&[("web.yaml", TWO)]);
        let pattern = json!({"spec": {"replicas": 7, "strategy": {"type": "Recreate", "a": 1}}});
        let check = manifest(json!({"select": {"kind": "Deployment", "name": "web"}, "match": pattern}));
        let mut trace = Trace::on();
        in_context(&files, |context| check.judge(context, &mut trace));
        let lines: Vec<_> = trace.into_lines().into_iter().map(|(_, line)| line).collect();
        let told = lines.iter().position(|line| line.contains("of agreement")).unwrap();
        assert_eq!(lines[told], "Deployment web in web.yaml: 0 points of agreement, 2 differences that weigh 3");
        assert_eq!(lines.len() - told - 1, 2, "{lines:?}");
    }

    #[test]
    fn a_difference_names_field_value_wish_and_place() {
        let files = tree(&[("web.yaml", TWO)]);
        let judgement = judge(
            &manifest(
                json!({"select": {"kind": "Deployment", "name": "web"}, "match": {"spec": {"replicas": {"$gte": 2}}}}),
            ),
            &files,
        );
        let [evidence] = judgement.evidence.as_slice() else { panic!("{judgement:?}") };
        assert_eq!(evidence.message, "`replicas` is 1, must be at least 2");
        assert_eq!((evidence.place.line, evidence.place.column), (Some(6), Some(13)));
        assert_eq!(evidence.place.file.as_deref(), Some("web.yaml"));
        assert_eq!(evidence.place.pointer.as_deref(), Some("/spec/replicas"));
        assert_eq!(evidence.subject.as_deref(), Some("Deployment web"));
        assert_eq!((&evidence.expected, &evidence.actual), (&Some(json!({"$gte": 2})), &Some(json!(1))));
        assert_eq!(evidence.operator.as_deref(), Some("$gte"));
    }

    #[test]
    fn a_misspelt_field_is_named_at_its_line() {
        let told = |text: &str, pattern: Value| {
            let check = manifest(json!({"select": {"name": "web"}, "match": pattern}));
            let judgement = judge(&check, &tree(&[("web.yaml", text)]));
            let [evidence] = judgement.evidence.as_slice() else { panic!("{judgement:?}") };
            let at = (evidence.place.line.unwrap(), evidence.place.column.unwrap());
            (at, evidence.message.clone(), evidence.place.pointer.clone().unwrap())
        };
        let slip = TWO.split("---").next().unwrap().replace("replicas: 1", "replica: 1");
        assert_eq!(
            told(&slip, json!({"spec": {"replicas": {"$gte": 2}}})),
            (
                (6, 3),
                "`replicas` is not set, must be at least 2; there is `replica`, probably misspelt".to_owned(),
                "/spec/replica".to_owned()
            )
        );
        // Of several lines, and below what the learner wrote otherwise.
        let slip = TWO.split("---").next().unwrap().replace("template:", "Template:");
        let (at, message, _) = told(&slip, json!({"spec": {"template": {"spec": {"containers": {"$present": true}}}}}));
        assert_eq!((at, message.ends_with("there is `Template`, probably misspelt")), ((7, 3), true), "{message}");
        // Both are asked for: neither is a slip for the other.
        let plain = TWO.split("---").next().unwrap().replace("replicas: 1", "replica: 1");
        let (at, message, _) = told(&plain, json!({"spec": {"replicas": 1, "replica": 1}}));
        assert_eq!((at, message.as_str()), ((5, 1), "`replicas` is not set, must be 1"));
        let secret = "kind: Secret\nmetadata: {name: web}\ndata: {passwort: eA==}\n";
        let (_, message, _) = told(secret, json!({"data": {"password": {"$present": true}}}));
        assert!(!message.contains("passwort"), "{message}");
    }

    #[test]
    fn all_any_and_exactly_count_different_things() {
        let files = tree(&[("web.yaml", TWO)]);
        let outcome = |quantify: Value| {
            let check =
                json!({"select": {"kind": "Deployment"}, "quantify": quantify, "match": {"spec": {"replicas": 3}}});
            judge(&manifest(check), &files).outcome
        };
        assert_eq!(outcome(json!("all")), Outcome::Fail);
        assert_eq!(outcome(json!("any")), Outcome::Pass);
        assert_eq!(outcome(json!({"exactly": 1})), Outcome::Pass);
        assert_eq!(outcome(json!({"exactly": 2})), Outcome::Fail);
        assert_eq!(outcome(json!({"exactly": 0})), Outcome::Fail);
    }

    #[test]
    fn any_explains_the_nearest_object_only() {
        let files = tree(&[("web.yaml", TWO)]);
        let check = json!({"quantify": "any", "match": {"metadata": {"name": "api"}, "spec": {"replicas": 4}}});
        let judgement = judge(&manifest(check), &files);
        assert_eq!(messages(&judgement), ["`replicas` is 3, must be 4"]);
        assert_eq!(judgement.evidence[0].place.line, Some(18));
    }

    #[test]
    fn a_missing_key_stands_at_its_parent() {
        let files = tree(&[("web.yaml", TWO)]);
        let check = json!({
            "select": {"name": "web"},
            "match": {"spec": {"template": {"spec": {"containers": [{"name": "web", "resources": {"limits": {"memory": {"$present": true}}}}]}}}}
        });
        let judgement = judge(&manifest(check), &files);
        let evidence = &judgement.evidence[0];
        assert_eq!(evidence.place.pointer.as_deref(), Some("/spec/template/spec/containers/0/resources"));
        assert_eq!((evidence.place.line, evidence.place.end_line), (Some(10), Some(10)));
        assert!(evidence.message.starts_with("`containers[web].resources` is not set"), "{}", evidence.message);
    }

    #[test]
    fn a_selection_that_finds_nothing_fails_and_names_the_nearest() {
        let files = tree(&[("web.yaml", TWO)]);
        let said = |select: Value| {
            let judgement = judge(&manifest(json!({"select": select, "match": {}})), &files);
            assert_eq!(judgement.outcome, Outcome::Fail);
            judgement.evidence[0].message.clone()
        };
        assert_eq!(
            said(json!({"kind": "Deployment", "name": "Web"})),
            "found no Deployment `Web` in `**/*.{yaml,yml}` (1 file, 2 objects); nearest is Deployment web: its name `web` differs in upper and lower case"
        );
        assert!(
            said(json!({"kind": "StatefulSet", "name": "web"})).ends_with("Deployment web: its kind is `Deployment`")
        );
        assert!(said(json!({"name": "web", "namespace": "a"})).ends_with("Deployment web: it has no namespace"));
        assert!(said(json!({"kind": "Pod", "name": "x"})).ends_with("(1 file, 2 objects)"));
    }

    #[test]
    fn an_empty_file_and_one_with_another_ending_are_a_place_and_what_is_looked_for_is_said_in_words() {
        let check = manifest(json!({"in": "web.yaml", "select": {"kind": "Deployment", "name": "web"}, "match": {}}));
        let said = |files: &[(&str, &str)]| {
            let Evidence { message, place, expected, .. } = judge(&check, &tree(files)).evidence.remove(0);
            let file = place.file.unwrap_or_default();
            assert_eq!(expected, Some(json!("Deployment `web`")), "{message}");
            assert!(message.contains("Deployment `web`"), "{message}");
            (message, format!("{file}:{}", place.line.unwrap_or_default()))
        };
        let (message, place) = said(&[("web.yaml", "")]);
        assert_eq!(message, "found no Deployment `web` in `web.yaml` (1 file, 0 objects); `web.yaml` holds no object");
        assert_eq!(place, "web.yaml:1");
        let (message, place) = said(&[("web.yml", TWO)]);
        assert_eq!(
            message,
            "no file matches `web.yaml`, where Deployment `web` is looked for; nearest is `web.yml`: its extension differs"
        );
        assert_eq!(place, "web.yml:1");
        let (message, _) = said(&[("other.yaml", "kind: Job\nmetadata: {name: web}\n"), ("renamed.yaml", TWO)]);
        assert!(message.ends_with("is looked for; there is one in `renamed.yaml`"), "{message}");
        let (message, _) = said(&[("other.yaml", "kind: Job\nmetadata: {name: web}\n")]);
        assert!(message.ends_with("is looked for"), "{message}");
        assert_eq!(said(&[("web.yaml", "kind: Job\nmetadata: {name: x}\n")]).1, "web.yaml:1");
        let nearest = judge(&check, &tree(&[("web.yaml", "kind: Deployment\nmetadata: {name: wep}\n")]));
        assert_eq!(nearest.evidence[0].actual, Some(json!("Deployment wep")));
    }

    #[test]
    fn a_file_that_cannot_be_read_fails_what_selects_from_it() {
        let files = tree(&[("web.yaml", TWO), ("broken.yaml", "a:\n\tb: 1\n")]);
        let judgement = judge(&manifest(json!({"match": {"kind": "Deployment"}})), &files);
        assert_eq!(judgement.outcome, Outcome::Fail);
        assert_eq!(judgement.evidence[0].place.file.as_deref(), Some("broken.yaml"));
        assert!(judgement.evidence[0].message.contains("indent with spaces"), "{judgement:?}");
        let elsewhere = manifest(json!({"in": "web.yaml", "match": {"kind": "Deployment"}}));
        assert_eq!(judge(&elsewhere, &files).outcome, Outcome::Pass);
    }

    #[test]
    fn templates_count_only_where_they_are_named() {
        let files = tree(&[("web.yaml", TWO), ("chart/t.yaml", "a: {{ .Values.x }}\n")]);
        let check = |extra: Value| {
            let mut check = json!({"match": {"kind": "Deployment"}});
            check.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
            judge(&manifest(check), &files).outcome
        };
        assert_eq!(check(json!({})), Outcome::Pass);
        assert_eq!(check(json!({"in": "**/*.yaml"})), Outcome::Fail);
    }

    #[test]
    fn the_items_of_a_list_are_objects() {
        let list =
            "apiVersion: v1\nkind: List\nitems:\n  - kind: ConfigMap\n    metadata: {name: a}\n    data: {x: \"1\"}\n";
        let files = tree(&[("list.yaml", list)]);
        let check = json!({"select": {"kind": "ConfigMap"}, "match": {"data": {"x": "2"}}});
        let judgement = judge(&manifest(check), &files);
        assert_eq!(judgement.evidence[0].place.pointer.as_deref(), Some("/items/0/data/x"));
        assert_eq!(judgement.evidence[0].place.line, Some(6));
    }

    #[test]
    fn a_key_that_is_set_twice_is_mentioned_where_it_matters() {
        let files = tree(&[("a.yaml", "kind: X\nspec:\n  count: 3\n  m: 1\n  count: 1\n")]);
        let judgement = judge(&manifest(json!({"match": {"spec": {"count": 3}}})), &files);
        assert_eq!(
            messages(&judgement),
            ["`count` is 1, must be 3; `count` is set twice, in line 3 and in line 5, and the last one counts"]
        );
    }

    #[test]
    fn a_key_that_reads_as_a_bool_is_said_to_need_quotes() {
        let files = tree(&[("a.yaml", "kind: X\nspec:\n  on: push\n")]);
        let judgement = judge(&manifest(json!({"match": {"spec": {"on": "push"}}})), &files);
        assert!(messages(&judgement)[0].ends_with("read as another type: quote it"), "{judgement:?}");
        assert_eq!(judgement.evidence[0].place.line, Some(3));
    }

    #[test]
    fn values_of_secrets_are_not_shown() {
        let files = tree(&[("s.yaml", "kind: Secret\nmetadata: {name: s}\nstringData:\n  password: hunter2\n")]);
        for pattern in [
            json!({"stringData": {"password": "x"}}),
            json!({"stringData": {"password": {"$len": 3}}}),
            json!({"stringData": {"$exact": {}}}),
            json!({"stringData": "x"}),
            json!({"$len": 1}),
            json!({"stringData": {"password": {"$anyOf": ["a", {"$regex": "^b"}]}}}),
        ] {
            let judgement = judge(&manifest(json!({"match": pattern})), &files);
            assert_eq!(judgement.outcome, Outcome::Fail);
            let shown = serde_json::to_string(&judgement).unwrap();
            assert!(!shown.contains("hunter2"), "{shown}");
        }
    }

    #[test]
    fn lint_points_at_the_flaw() {
        let check = manifest(json!({
            "in": "../x.yaml", "min": 0, "select": {"where": {"a": null}}, "match": {"b": {"$gtee": 1}}
        }));
        let problems = check.lint(&BTreeMap::new());
        let at: Vec<_> = problems.iter().map(|(at, _)| at.as_str()).collect();
        assert_eq!(at, ["/in", "/select/where/a", "/min", "/match/b/$gtee"]);
        assert!(problems[3].1.contains("did you mean `$gte`"), "{problems:?}");
    }
}
