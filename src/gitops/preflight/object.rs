//! One object: whether the environment allows it.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::text::Source;
use super::{MAX_OBJECT_BYTES, MAX_OBJECTS, Objections, Rule};
use crate::checkpoint::evidence::Place;
use crate::course::source::join;
use crate::gitops::allowed::{Allowed, Scope};
use crate::gitops::object::Object;

/// What of `metadata` is a learner's to write. The rest is written by the cluster, or keeps an object from being deleted.
const METADATA: [&str; 4] = ["name", "namespace", "labels", "annotations"];

/// Fields that some programs find whatever the case of their letters.
const FIELDS: [&str; 8] = ["apiVersion", "kind", "metadata", "items", "spec", "data", "stringData", "type"];

/// The objects so far.
pub(super) struct Applied<'a> {
    allowed: &'a Allowed,
    objects: BTreeMap<Object, Place>,
    order: Vec<Object>,
}

impl<'a> Applied<'a> {
    pub fn new(allowed: &'a Allowed) -> Self {
        Self { allowed, objects: BTreeMap::new(), order: Vec::new() }
    }

    pub fn finish(mut self) -> Vec<(Object, Place)> {
        let object = |object: Object| {
            let place = self.objects.remove(&object)?;
            Some((object, place))
        };
        self.order.into_iter().filter_map(object).collect()
    }

    /// Looks at one more.
    pub fn add(&mut self, source: &Source<'_>, pointer: &str, value: &Value, against: &mut Objections) {
        let Some(one) = One::read(source, pointer, value, against) else { return };
        let before = against.0.len();
        let namespace = self.kind_and_namespace(&one, against);
        one.fields(against);
        one.metadata(&self.allowed.annotations, against);
        one.token(against);
        one.size(against);
        let (Some(namespace), true) = (namespace, against.0.len() == before) else { return };
        let object =
            Object { group: one.group.to_owned(), kind: one.kind.to_owned(), namespace, name: one.name.to_owned() };
        let place = one.place("");
        if let Some(first) = self.objects.get(&object) {
            let file = first.file.as_deref().unwrap_or_default();
            let what = format!("{object} is in `{file}` line {} already", first.line.unwrap_or(1));
            return against.add(Rule::Duplicate, place, what, "keep one of the two");
        }
        if self.allowed.seeded.contains(&object) {
            let what = format!("{object} is the course's, and there already");
            return against.add(
                Rule::Seeded,
                one.place("/metadata/name"),
                what,
                "delete it, or give yours another name",
            );
        }
        if self.objects.len() == MAX_OBJECTS {
            let what = format!("the commit has more than {MAX_OBJECTS} objects");
            return against.add(Rule::Size, place, what, "take out what the task does not ask for");
        }
        self.order.push(object.clone());
        self.objects.insert(object, place);
    }

    /// The namespace that the object goes to, where both are allowed.
    fn kind_and_namespace(&self, one: &One<'_>, against: &mut Objections) -> Option<String> {
        let own = one.value.pointer("/metadata/namespace");
        // Even where an environment allows it: whoever has these has Argo CD.
        if one.group == "argoproj.io" && matches!(one.kind, "Application" | "ApplicationSet" | "AppProject") {
            let what = format!("Argo CD takes {} for its own", a(one.kind));
            against.add(Rule::ArgoCd, one.place("/kind"), what, "take it out of this directory");
            return None;
        }
        let Some(kind) = self.allowed.kind(one.group, one.kind) else {
            let (what, remedy) = self.refused_kind(one);
            against.add(Rule::Kind, one.place("/kind"), what, remedy);
            return None;
        };
        match (kind.scope, own) {
            (Scope::Cluster, None) => Some(String::new()),
            (Scope::Cluster, Some(_)) => {
                let what = format!("{} is in no namespace", a(one.kind));
                against.add(Rule::Namespace, one.key("/metadata/namespace"), what, "delete the line");
                None
            }
            (Scope::Namespace, None) => Some(self.allowed.namespace.clone()),
            (Scope::Namespace, Some(Value::String(namespace))) if self.allowed.may_stand_in(namespace) => {
                Some(namespace.clone())
            }
            (Scope::Namespace, Some(_)) => {
                let remedy = format!("delete the line, or write `{}`", self.allowed.namespace);
                let what = "this namespace is not the environment's";
                against.add(Rule::Namespace, one.place("/metadata/namespace"), what, remedy);
                None
            }
        }
    }

    fn refused_kind(&self, one: &One<'_>) -> (String, String) {
        let shown = if one.group.is_empty() { one.kind.to_owned() } else { format!("{} ({})", one.kind, one.group) };
        let near = self.allowed.kinds.iter().find(|allowed| allowed.kind.eq_ignore_ascii_case(one.kind));
        let remedy = match near {
            Some(near) if near.kind != one.kind => format!("write `kind: {}`", near.kind),
            Some(near) => format!("write the apiVersion of group `{}`", near.group),
            None => "take the object out: the brief says which kinds the environment takes".to_owned(),
        };
        (format!("the environment does not take the kind {shown}"), remedy)
    }
}

/// An object that can be told from others.
struct One<'a> {
    source: &'a Source<'a>,
    pointer: &'a str,
    value: &'a Value,
    group: &'a str,
    kind: &'a str,
    name: &'a str,
}

impl<'a> One<'a> {
    fn read(source: &'a Source<'a>, pointer: &'a str, value: &'a Value, against: &mut Objections) -> Option<Self> {
        let text = |field: &str| value.pointer(field).and_then(Value::as_str).filter(|text| !text.is_empty());
        let place = |field: &str| source.place(&format!("{pointer}{field}"));
        let (Some(version), Some(kind)) = (text("/apiVersion"), text("/kind")) else {
            let what = "this is not a Kubernetes object: it has no `apiVersion` and `kind`";
            let remedy = "add them, or move the file out of the directory that Argo CD reads";
            against.add(Rule::NoObject, place(""), what, remedy);
            return None;
        };
        let metadata = value.get("metadata").and_then(Value::as_object);
        if metadata.is_some_and(|metadata| metadata.contains_key("generateName")) {
            let what = "`generateName` makes another object with every sync";
            against.add(
                Rule::GenerateName,
                source.key(&format!("{pointer}/metadata/generateName")),
                what,
                "write `name`",
            );
            return None;
        }
        let Some(name) = text("/metadata/name") else {
            against.add(Rule::NoObject, place("/metadata"), "this object has no name", "add `metadata.name`");
            return None;
        };
        let group = version.split_once('/').map_or("", |(group, _)| group);
        Some(Self { source, pointer, value, group, kind, name })
    }

    fn place(&self, field: &str) -> Place {
        self.source.place(&format!("{}{field}", self.pointer))
    }

    fn key(&self, field: &str) -> Place {
        self.source.key(&format!("{}{field}", self.pointer))
    }

    fn fields(&self, against: &mut Objections) {
        let Some(fields) = self.value.as_object() else { return };
        for key in fields.keys() {
            let meant = FIELDS.iter().find(|field| field.eq_ignore_ascii_case(key) && *field != key);
            if let Some(meant) = meant {
                let what = format!("`{key}` is `{meant}` to some programs");
                against.add(Rule::Reading, self.key(&join("", key)), what, format!("write `{meant}`"));
            }
        }
    }

    fn metadata(&self, allowed: &[String], against: &mut Objections) {
        let Some(metadata) = self.value.get("metadata").and_then(Value::as_object) else { return };
        for (key, value) in metadata {
            let harmless = METADATA.contains(&key.as_str()) || (key == "creationTimestamp" && value.is_null());
            if !harmless {
                let what = format!("`metadata.{key}` is not yours to set");
                against.add(Rule::Metadata, self.key(&join("/metadata", key)), what, "delete it");
            }
        }
        for field in ["labels", "annotations"] {
            match metadata.get(field) {
                None | Some(Value::Null) => {}
                Some(Value::Object(entries)) => self.words(field, entries, allowed, against),
                Some(_) => {
                    let what = format!("`{field}` has to be a map");
                    against.add(Rule::NoObject, self.place(&format!("/metadata/{field}")), what, "write `key: value`");
                }
            }
        }
    }

    fn words(&self, field: &str, entries: &Map<String, Value>, allowed: &[String], against: &mut Objections) {
        for (key, value) in entries {
            let place = || self.key(&join(&format!("/metadata/{field}"), key));
            if speaks_to_argocd(key) && !allowed.contains(key) {
                let what = format!("`{key}` tells Argo CD what to do with the object");
                against.add(Rule::Annotation, place(), what, "delete the line");
            } else if !value.is_string() {
                against.add(Rule::NoObject, place(), format!("the value of `{key}` is no text"), "put it in quotes");
            }
        }
    }

    fn token(&self, against: &mut Objections) {
        const OF_ACCOUNTS: [&str; 2] = ["kubernetes.io/service-account-token", "bootstrap.kubernetes.io/token"];
        let kind = self.value.get("type").and_then(Value::as_str).unwrap_or_default();
        if self.group.is_empty() && self.kind == "Secret" && OF_ACCOUNTS.contains(&kind) {
            let what = format!("a Secret of type `{kind}` hands out the rights of an account");
            against.add(Rule::Token, self.place("/type"), what, "take the object out");
        }
    }

    fn size(&self, against: &mut Objections) {
        let bytes = self.value.to_string().len();
        if bytes > MAX_OBJECT_BYTES {
            let what =
                format!("the object has {} KiB, at most {} KiB are applied", bytes >> 10, MAX_OBJECT_BYTES >> 10);
            against.add(Rule::Size, self.place(""), what, "make it smaller");
        }
    }
}

/// Whether an annotation or label is an instruction to Argo CD, or takes part in what it does. Helm's words are: it runs
/// Helm's hooks as its own and keeps what Helm would keep.
pub fn speaks_to_argocd(key: &str) -> bool {
    let lower = key.to_ascii_lowercase();
    let domain = lower.split('/').next().unwrap_or_default();
    let of = |owner: &str| domain == owner || domain.strip_suffix(owner).is_some_and(|more| more.ends_with('.'));
    of("argoproj.io")
        || (of("helm.sh") && lower != "helm.sh/chart")
        || lower == "kubectl.kubernetes.io/last-applied-configuration"
}

fn a(kind: &str) -> String {
    let article = if kind.starts_with(['A', 'E', 'I', 'O', 'U']) { "an" } else { "a" };
    format!("{article} {kind}")
}
