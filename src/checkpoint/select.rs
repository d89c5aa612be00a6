//! Which objects of the learner's YAML a checkpoint is about. A selection that finds nothing fails, and says what came
//! nearest.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::evidence::{Evidence, Place};
use super::globs::{Globs, similarity};
use super::matching::{Difference, Pattern, clip, count};
use super::screen::Seen;
use super::{Context, Judgement, Trace};
use crate::submission::yaml::{Dialect, Document, File, Object, Problem, ProblemKind, Word, YamlFiles};

/// The objects a checkpoint is about; all given fields must fit, none means every document.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Select {
    /// As in `apps/v1`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_version: Option<String>,
    /// As in `Deployment`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// `metadata.name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// `metadata.namespace` as written in the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// `metadata.labels` that must be there with these values.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// A partial object, as in `match`.
    #[serde(default, rename = "where", skip_serializing_if = "Option::is_none")]
    pub matching: Option<Value>,
}

impl Select {
    /// Problems of the selection itself, as (JSON pointer below `select`, message).
    pub fn lint(&self) -> Vec<(String, String)> {
        let Some(Err(problems)) = self.matching.as_ref().map(Pattern::parse) else { return Vec::new() };
        problems.into_iter().map(|(at, message)| (format!("/where{at}"), message)).collect()
    }
}

/// Problems of the fields that [`Source`] is made of, as (JSON pointer below the kind's key, message).
pub fn lint(files: Option<&Globs>, select: &Select, min: u32) -> Vec<(String, String)> {
    let below = |field: &'static str| move |(at, message): (String, String)| (format!("{field}{at}"), message);
    let mut problems: Vec<_> = files.map(Globs::lint).unwrap_or_default().into_iter().map(below("/in")).collect();
    problems.extend(select.lint().into_iter().map(below("/select")));
    if min == 0 {
        problems.push(("/min".to_owned(), "a selection that finds nothing never passes: 1 is the least".to_owned()));
    }
    problems
}

/// The fields with which a kind names its objects.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// None: all YAML files of the task's directory, templates left out.
    pub files: Option<&'a Globs>,
    /// What is looked for in them.
    pub select: &'a Select,
    /// At least so many.
    pub min: u32,
    /// None: the task's.
    pub dialect: Option<Dialect>,
}

/// An object that was selected.
#[derive(Clone, Copy)]
pub struct Selected<'c> {
    /// Path below the task's directory.
    pub file: &'c str,
    /// The object.
    pub value: &'c Value,
    source: File<'c>,
    object: &'c Object,
}

impl<'c> Selected<'c> {
    /// An object of a file.
    pub fn new(source: File<'c>, object: &'c Object) -> Self {
        Self { file: source.path(), value: &object.value, source, object }
    }

    /// What screening found out about it for the checkpoint that is judged.
    pub fn seen(&self, context: &Context<'_>) -> Seen {
        context.screened.map(|screened| screened.of(self.object)).unwrap_or_default()
    }

    /// A JSON pointer of the object as one of its document.
    fn in_document(&self, pointer: &str) -> String {
        format!("{}{pointer}", self.object.pointer())
    }

    /// Where to point for the value at this JSON pointer of the object: at the value, at the key of a list or map of
    /// several lines, or at the key of the nearest existing ancestor. Never more than a few lines.
    pub fn place(&self, pointer: &str) -> Place {
        let place = self.with_file(pointer, Document::locate);
        let lines = |place: &Place| place.end_line.unwrap_or_default().saturating_sub(place.line.unwrap_or_default());
        let place = match self.value.pointer(pointer) {
            Some(Value::Array(_) | Value::Object(_)) if lines(&place) > 0 => self.place_of_key(pointer),
            _ => place,
        };
        // A long text, or the item of a list, is pointed at by its first line.
        let most = if self.value.pointer(pointer).is_some_and(Value::is_string) { 10 } else { 0 };
        match lines(&place) {
            lines if lines > most => Place { end_line: place.line, end_column: None, ..place },
            _ => place,
        }
    }

    /// Where the key of the entry at this JSON pointer of the object stands.
    pub fn place_of_key(&self, pointer: &str) -> Place {
        self.with_file(pointer, Document::locate_key)
    }

    fn with_file(&self, pointer: &str, find: fn(&Document, &str) -> Place) -> Place {
        let Some(document) = self.source.document(self.object) else { return Place::default() };
        Place { file: Some(self.file.to_owned()), ..find(document, &self.in_document(pointer)) }
    }

    /// All differences between the object and a pattern, as evidence.
    pub fn differences(&self, pattern: &Pattern) -> Vec<Evidence> {
        pattern.differences(self.value).into_iter().map(|difference| self.evidence(difference)).collect()
    }

    fn evidence(&self, difference: Difference) -> Evidence {
        // What must go is pointed at by its key, so that the whole entry is meant.
        let place = match (&difference.misspelt, difference.operator) {
            (Some(misspelt), _) => self.place_of_key(misspelt),
            (None, "$absent") => self.place_of_key(&difference.pointer),
            (None, _) => self.place(&difference.pointer),
        };
        let mut message = difference.message;
        let document = self.source.document(self.object);
        let pointer = self.in_document(&difference.pointer);
        if let Some((key, first, last)) = document.and_then(|document| document.set_twice(&pointer)) {
            message += &format!("; `{key}` is set twice, in line {first} and in line {last}, and the last one counts");
        }
        let names_entry = difference.actual.is_none() && !matches!(difference.operator, "pairing" | "limit");
        if names_entry && document.is_some_and(|document| document.is_written(&pointer)) {
            let key = difference.pointer.rsplit('/').next().unwrap_or_default();
            message +=
                &format!("; the key `{}` is there, but without quotes it is read as another type: quote it", clip(key));
        }
        Evidence {
            message,
            place,
            expected: Some(difference.expected),
            actual: difference.actual,
            operator: Some(difference.operator.to_owned()),
            subject: Some(self.subject()),
        }
    }

    /// The object in words, as in `Deployment team-a/web`.
    pub fn subject(&self) -> String {
        subject(self.value)
    }
}

/// An object in words, as in `Deployment team-a/web`; a document that is no object has its kind or name missing.
pub fn subject(value: &Value) -> String {
    let text = |pointer: &str| value.pointer(pointer).and_then(Value::as_str);
    let kind = text("/kind").unwrap_or("document");
    match (text("/metadata/namespace"), text("/metadata/name").or_else(|| text("/metadata/generateName"))) {
        (Some(namespace), Some(name)) => format!("{kind} {namespace}/{name}"),
        (None, Some(name)) => format!("{kind} {name}"),
        (_, None) => kind.to_owned(),
    }
}

/// The objects that fit, in the order of paths and documents.
///
/// # Errors
/// `fail` when there are fewer than `min`, or when a file of the selection cannot be read: an object in it might be the
/// one that breaks the rule. `error` when the checkpoint itself is broken.
pub fn select<'c>(
    context: &Context<'c>,
    source: &Source<'_>,
    trace: &mut Trace,
) -> Result<Vec<Selected<'c>>, Judgement> {
    let matching = source.select.matching.as_ref().map(Pattern::parse).transpose();
    let matching = matching.map_err(|problems| Judgement::error(super::matching::words(&problems)))?;
    let dialect = source.dialect.unwrap_or(context.dialect);

    let survey = Survey::of(context, source, dialect, trace)?;
    if !survey.unreadable.is_empty() {
        return Err(Judgement::fail(survey.unreadable));
    }
    let filter = Filter::new(source.select, matching.as_ref(), context.yaml);
    let mut found = Vec::new();
    for candidate in survey.candidates(dialect) {
        let fits = match candidate.seen(context) {
            Seen::Open => filter.fits(&candidate),
            Seen::Unfit => false,
            Seen::Holds => true,
        };
        trace.say(|| {
            let line = candidate.place("").line.unwrap_or_default();
            let verdict = if fits { "fits".to_owned() } else { why_not(source.select, candidate.value).join(", ") };
            format!("{}:{line} {}: {verdict}", candidate.file, candidate.subject())
        });
        if fits {
            found.push(candidate);
        }
    }
    trace.say(|| format!("selected {} in {}", found.len(), count(survey.files.len(), "file")));
    if (found.len() as u64) < u64::from(source.min.max(1)) {
        return Err(Judgement::fail(vec![survey.nothing(context, source, dialect, &found)]));
    }
    Ok(found)
}

/// The first object of the learner's files of this kind and name. One in a cluster may have its namespace from elsewhere.
pub fn written<'c>(context: &Context<'c>, wanted: &Select) -> Option<Selected<'c>> {
    let by_name = Select { kind: wanted.kind.clone(), name: wanted.name.clone(), ..Select::default() };
    let source = Source { files: None, select: &by_name, min: 1, dialect: None };
    select(context, &source, &mut Trace::off()).ok()?.into_iter().next()
}

/// All objects of one file, in order; empty documents are none.
///
/// # Errors
/// What makes the file, or a document of it, unreadable.
pub fn objects<'c>(context: &Context<'c>, path: &str, dialect: Dialect) -> Result<Vec<Selected<'c>>, Vec<Evidence>> {
    let mut survey = Survey::default();
    if let Some(file) = context.yaml.get(path) {
        survey.add(file, dialect);
    }
    if survey.unreadable.is_empty() { Ok(survey.candidates(dialect).collect()) } else { Err(survey.unreadable) }
}

fn unreadable(file: &str, problem: &Problem) -> Evidence {
    Evidence {
        message: format!("`{file}` cannot be read: {}", problem.message),
        place: Place { file: Some(file.to_owned()), ..problem.place.clone() },
        operator: Some("yaml".to_owned()),
        ..Evidence::default()
    }
}

/// A selection, ready to be asked of objects.
pub struct Filter<'s> {
    select: &'s Select,
    matching: Option<&'s Pattern>,
    wanted: Wanted,
}

impl<'s> Filter<'s> {
    /// To be made when all files whose objects it is asked of are read. `matching` is the selection's, compiled.
    pub fn new(select: &'s Select, matching: Option<&'s Pattern>, yaml: &YamlFiles<'_>) -> Self {
        Self { select, matching, wanted: Wanted::new(select, yaml) }
    }

    /// Whether an object is selected.
    pub fn fits(&self, candidate: &Selected<'_>) -> bool {
        self.wanted.fits(candidate) && fits(self.select, self.matching, candidate.value)
    }
}

/// The fields of a selection that are compared as numbers; none means that any will do.
struct Wanted {
    api_version: Option<Word>,
    kind: Option<Word>,
    name: Option<Word>,
    namespace: Option<Word>,
    /// A text that no object has.
    nowhere: bool,
}

impl Wanted {
    fn new(select: &Select, yaml: &YamlFiles<'_>) -> Self {
        let mut nowhere = false;
        let mut word = |text: &Option<String>| {
            let word = yaml.word(text.as_deref()?);
            nowhere |= word.is_none();
            word
        };
        let [api_version, kind, name, namespace] =
            [&select.api_version, &select.kind, &select.name, &select.namespace].map(&mut word);
        Self { api_version, kind, name, namespace, nowhere }
    }

    fn fits(&self, candidate: &Selected<'_>) -> bool {
        let is = |wanted: Option<Word>, found: Word| wanted.is_none_or(|wanted| wanted == found);
        let found = &candidate.object.identity;
        !self.nowhere
            && is(self.kind, found.kind)
            && is(self.name, found.name)
            && is(self.api_version, found.api_version)
            && is(self.namespace, found.namespace)
    }
}

/// Whether an object that stands in no file of the submission is selected.
pub fn fits_object(select: &Select, matching: Option<&Pattern>, value: &Value) -> bool {
    let is = |wanted: &Option<String>, pointer: &str| {
        wanted.as_deref().is_none_or(|wanted| value.pointer(pointer).and_then(Value::as_str) == Some(wanted))
    };
    is(&select.kind, "/kind")
        && is(&select.name, "/metadata/name")
        && is(&select.api_version, "/apiVersion")
        && is(&select.namespace, "/metadata/namespace")
        && fits(select, matching, value)
}

/// What [`Wanted`] does not compare.
fn fits(select: &Select, matching: Option<&Pattern>, value: &Value) -> bool {
    let label = |(key, wanted): (&String, &String)| {
        value.get("metadata").and_then(|m| m.get("labels")?.get(key)?.as_str()) == Some(wanted.as_str())
    };
    select.labels.iter().all(label) && matching.is_none_or(|pattern| pattern.matches(value))
}

/// What keeps an object from being selected, each as half a sentence about it.
fn why_not(select: &Select, value: &Value) -> Vec<String> {
    let mut reasons = Vec::new();
    let mut compare = |what: &str, wanted: Option<&String>, pointer: &str| {
        let Some(wanted) = wanted else { return };
        match value.pointer(pointer) {
            Some(Value::String(found)) if found == wanted => {}
            Some(Value::String(found)) if found.to_lowercase() == wanted.to_lowercase() => {
                reasons.push(format!("its {what} `{found}` differs in upper and lower case"));
            }
            Some(Value::String(found)) => reasons.push(format!("its {what} is `{found}`")),
            Some(Value::Null) | None => reasons.push(format!("it has no {what}")),
            Some(_) => reasons.push(format!("its {what} is no text: quote it")),
        }
    };
    compare("kind", select.kind.as_ref(), "/kind");
    compare("name", select.name.as_ref(), "/metadata/name");
    compare("namespace", select.namespace.as_ref(), "/metadata/namespace");
    compare("apiVersion", select.api_version.as_ref(), "/apiVersion");
    for (key, wanted) in &select.labels {
        let pointer = format!("/metadata/labels/{}", super::matching::escape(key));
        compare(&format!("label `{key}`"), Some(wanted), &pointer);
    }
    if reasons.is_empty() && select.matching.is_some() {
        reasons.push("it does not match `where`".to_owned());
    }
    reasons
}

/// The first file of the task that holds what is looked for, whatever it is called.
fn elsewhere<'c>(context: &Context<'c>, select: &Select, dialect: Dialect) -> Option<&'c str> {
    select.kind.as_ref()?;
    let holds = |file: &File<'c>| {
        let mut objects = file.objects(dialect).objects.iter().map(|object| Selected::new(*file, object));
        objects.any(|object| fits_object(select, None, object.value))
    };
    context.yaml.all().find(holds).map(|file| file.path())
}

/// The files of a selection.
#[derive(Default)]
struct Survey<'c> {
    files: Vec<File<'c>>,
    /// Files left out because they are templates.
    templates: usize,
    unreadable: Vec<Evidence>,
}

impl<'c> Survey<'c> {
    fn of(context: &Context<'c>, source: &Source<'_>, dialect: Dialect, trace: &mut Trace) -> Result<Self, Judgement> {
        let mut survey = Survey::default();
        if let Some(globs) = source.files {
            let set = globs.compile().map_err(|(_, message)| Judgement::error(message))?;
            let files = context.files.paths().filter(|path| set.is_match(path));
            files.filter_map(|path| context.yaml.get(path)).for_each(|file| survey.add(file, dialect));
            return Ok(survey);
        }
        for file in context.yaml.all() {
            if file.yaml().problems.iter().any(|problem| problem.kind == ProblemKind::Template) {
                survey.templates += 1;
                trace.say(|| format!("{}: a template, not read", file.path()));
            } else {
                survey.add(file, dialect);
            }
        }
        Ok(survey)
    }

    fn add(&mut self, file: File<'c>, dialect: Dialect) {
        let fatal = file.yaml().problems.iter().filter(|problem| problem.kind.is_fatal());
        let refused = &file.objects(dialect).refused;
        self.unreadable.extend(fatal.chain(refused).map(|problem| unreadable(file.path(), problem)));
        self.files.push(file);
    }

    /// All objects; empty documents are none.
    fn candidates(&self, dialect: Dialect) -> impl Iterator<Item = Selected<'c>> {
        let of_file =
            move |file: File<'c>| file.objects(dialect).objects.iter().map(move |object| Selected::new(file, object));
        self.files.iter().copied().flat_map(of_file)
    }

    /// The evidence for a selection that found too little.
    fn nothing(
        &self,
        context: &Context<'_>,
        source: &Source<'_>,
        dialect: Dialect,
        found: &[Selected<'_>],
    ) -> Evidence {
        let default = Globs::yaml();
        let globs = source.files.unwrap_or(&default);
        let (wanted, within) = (wanted(source.select), globs.words());
        let mut evidence = Evidence {
            expected: Some(Value::from(wanted.clone())),
            operator: Some("select".to_owned()),
            ..Evidence::default()
        };
        if self.files.is_empty() {
            evidence.message = format!("no file matches {within}, where {wanted} is looked for");
            if self.templates > 0 {
                evidence.message += &format!(" but {}, not read", count(self.templates, "template"));
            } else if let Some((path, why)) = globs.nearest(context.files) {
                evidence.message += &format!("; nearest is `{path}`: {why}");
                evidence.place = top_of(path);
            } else if let Some(path) = elsewhere(context, source.select, dialect) {
                evidence.message += &format!("; there is one in `{path}`");
            }
            return evidence;
        }
        if let Some(first) = found.first() {
            evidence.message = format!("found {} {wanted} in {within}, need at least {}", found.len(), source.min);
            evidence.place = first.place("");
            evidence.actual = Some(Value::from(found.len()));
            return evidence;
        }
        let objects = self.candidates(dialect).count();
        evidence.message = format!(
            "found no {wanted} in {within} ({}, {})",
            count(self.files.len(), "file"),
            count(objects, "object")
        );
        let mut nearest: Option<(u32, Selected<'_>)> = None;
        for candidate in self.candidates(dialect) {
            let near = closeness(source.select, candidate.value);
            if near > nearest.as_ref().map_or(0, |(best, _)| *best) {
                nearest = Some((near, candidate));
            }
        }
        if let Some((_, nearest)) = nearest {
            let reasons = why_not(source.select, nearest.value).join(", ");
            evidence.message += &format!("; nearest is {}: {reasons}", nearest.subject());
            evidence.place = nearest.place(first_difference(source.select, nearest.value));
            evidence.subject = Some(nearest.subject());
            evidence.actual = Some(Value::from(nearest.subject()));
        } else if let Some(file) = self.files.iter().find(|file| file.objects(dialect).objects.is_empty()) {
            evidence.message += &format!("; `{}` holds no object", file.path());
            evidence.place = top_of(file.path());
        } else if let [only] = self.files.as_slice() {
            evidence.place = top_of(only.path());
        }
        evidence
    }
}

/// The first line of a file, where nothing in it is meant.
pub fn top_of(path: &str) -> Place {
    Place { file: Some(path.to_owned()), line: Some(1), ..Place::default() }
}

/// What is looked for, in words: Deployment `web` in namespace `team-a` with label `app: web`.
pub fn wanted(select: &Select) -> String {
    let mut words = select.kind.clone().unwrap_or_else(|| "object".to_owned());
    if let Some(name) = &select.name {
        words += &format!(" `{name}`");
    }
    if let Some(namespace) = &select.namespace {
        words += &format!(" in namespace `{namespace}`");
    }
    if let Some(version) = &select.api_version {
        words += &format!(" of `{version}`");
    }
    for (key, value) in &select.labels {
        words += &format!(" with label `{key}: {value}`");
    }
    if select.matching.is_some() {
        words += " that matches `where`";
    }
    words
}

/// How near an object is to what is selected; 0 means not at all.
fn closeness(select: &Select, value: &Value) -> u32 {
    let score = |wanted: Option<&String>, pointer: &str, weight: u32| {
        let (Some(wanted), Some(found)) = (wanted, value.pointer(pointer).and_then(Value::as_str)) else { return 0 };
        if wanted == found {
            return weight * 10;
        }
        let (wanted, found) = (wanted.to_lowercase(), found.to_lowercase());
        match similarity(&wanted, &found) {
            _ if wanted == found => weight * 9,
            alike if alike > 0.5 => (alike * 7.0) as u32 * weight,
            _ => 0,
        }
    };
    let named = score(select.kind.as_ref(), "/kind", 5) + score(select.name.as_ref(), "/metadata/name", 6);
    let rest = score(select.api_version.as_ref(), "/apiVersion", 1)
        + score(select.namespace.as_ref(), "/metadata/namespace", 1)
        + select
            .labels
            .iter()
            .map(|(key, wanted)| score(Some(wanted), &format!("/metadata/labels/{}", super::matching::escape(key)), 1))
            .sum::<u32>();
    // With neither kind nor name asked for, any object is something to start from.
    if named > 0 || (select.kind.is_none() && select.name.is_none()) { 1 + named + rest } else { 0 }
}

/// The pointer of the first field that keeps the object from being selected.
fn first_difference(select: &Select, value: &Value) -> &'static str {
    let differs = |wanted: &Option<String>, pointer: &str| {
        wanted.as_ref().is_some_and(|wanted| value.pointer(pointer).and_then(Value::as_str) != Some(wanted))
    };
    if differs(&select.kind, "/kind") {
        "/kind"
    } else if differs(&select.name, "/metadata/name") {
        "/metadata/name"
    } else if differs(&select.namespace, "/metadata/namespace") {
        "/metadata/namespace"
    } else if differs(&select.api_version, "/apiVersion") {
        "/apiVersion"
    } else if select.labels.is_empty() {
        ""
    } else {
        "/metadata/labels"
    }
}
