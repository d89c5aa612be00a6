//! Objects of the course's in an environment, from a task's directory `seed/`: made before the learner's commit is offered,
//! restored whenever the environment is lent. Pure.

use serde_json::Value;

use super::check::OF_THE_CLUSTER;
use super::provision::{ACCOUNT, MANAGED};
use super::{Environment, Scope, Tier};
use crate::course::diagnostic::Diagnostic;
use crate::course::source::{Node, Scalars, Source, join};
use crate::gitops::object::Object;
use crate::gitops::preflight::speaks_to_argocd;
use crate::submission::tree::Tree;

/// Most objects of one task.
pub const MOST: usize = 50;

/// Most bytes of all files together.
pub const MOST_BYTES: usize = 1 << 20;

/// What of `metadata` is an author's to write.
const METADATA: [&str; 4] = ["name", "namespace", "labels", "annotations"];

/// Namespaces that every cluster has.
const EVERYWHERE: [&str; 4] = ["default", "kube-node-lease", "kube-public", "kube-system"];

/// Groups of Kubernetes itself besides the core and those that end in `.k8s.io`.
const BUILT_IN: [&str; 5] = ["", "apps", "autoscaling", "batch", "policy"];

/// The course's objects: definitions of kinds, then namespaces, then the others in the order of their files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seeds(Vec<Seed>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Seed {
    value: Value,
    /// As far as it can be known: without a namespace where the environment's own is meant.
    object: Object,
    scope: Scope,
}

/// An object as it was read.
struct Written {
    file: String,
    node: Node,
    value: Value,
}

impl Written {
    fn text(&self, pointer: &str) -> &str {
        self.value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }

    fn group(&self) -> &str {
        self.text("/apiVersion").split_once('/').map_or("", |(group, _)| group)
    }

    fn defines(&self) -> bool {
        is_definition(self.group(), self.text("/kind"))
    }

    fn is_namespace(&self) -> bool {
        self.group().is_empty() && self.text("/kind") == "Namespace"
    }

    /// As which versions a definition's kind is served.
    fn versions(&self) -> impl Iterator<Item = &str> {
        let versions = self.value.pointer("/spec/versions").and_then(Value::as_array).into_iter().flatten();
        versions.filter(|one| one["served"] == true).filter_map(|one| one["name"].as_str())
    }

    fn problem(&self, pointer: &str, message: impl Into<String>, help: impl Into<String>) -> Diagnostic {
        Diagnostic::new(&self.file, message).at(self.node.locate(pointer)).help(help)
    }
}

fn is_definition(group: &str, kind: &str) -> bool {
    group == "apiextensions.k8s.io" && kind == "CustomResourceDefinition"
}

impl Seeds {
    /// From the files below `seed/`, rendered. `name` says what an author calls one of them. What is wrong is added to
    /// `problems`.
    pub fn read(
        files: &Tree,
        name: impl Fn(&str) -> String,
        environment: &Environment,
        problems: &mut Vec<Diagnostic>,
    ) -> Self {
        let before = problems.len();
        let written = written(files, name, problems);
        let known = Known { environment, all: &written };
        let mut seeds: Vec<Seed> = Vec::new();
        for one in &written {
            let Some(seed) = known.seed(one, problems) else { continue };
            if seeds.iter().any(|seed_before| seed_before.object == seed.object) {
                problems.push(one.problem("", format!("{} is there twice", seed.object), "keep one of the two"));
            }
            seeds.push(seed);
        }
        if let Some(one) = written.get(MOST) {
            let message = format!("the task has more than {MOST} objects of its own");
            problems.push(one.problem("", message, "keep what the task needs"));
        }
        seeds.sort_by_key(|seed| match (seed.object.group.as_str(), seed.object.kind.as_str()) {
            (group, kind) if is_definition(group, kind) => 0,
            ("", "Namespace") => 1,
            _ => 2,
        });
        if problems.len() == before { Self(seeds) } else { Self::default() }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Which ones, in an environment whose own namespace is this.
    pub fn objects(&self, namespace: &str) -> Vec<Object> {
        self.0.iter().map(|seed| seed.placed(namespace)).collect()
    }

    /// Names of the namespaces among them.
    pub fn namespaces(&self) -> impl Iterator<Item = &str> {
        let is = |seed: &&Seed| seed.object.group.is_empty() && seed.object.kind == "Namespace";
        self.0.iter().filter(is).map(|seed| seed.object.name.as_str())
    }

    /// What is to be made of them there, in this order.
    pub fn made(&self, namespace: &str) -> Vec<Value> {
        let one = |seed: &Seed| {
            let mut value = seed.value.clone();
            value["metadata"]["labels"][MANAGED.0] = MANAGED.1.into();
            if seed.scope == Scope::Namespace {
                value["metadata"]["namespace"] = seed.placed(namespace).namespace.into();
            }
            value
        };
        self.0.iter().map(one).collect()
    }
}

impl Seed {
    fn placed(&self, namespace: &str) -> Object {
        let own = self.scope == Scope::Namespace && self.object.namespace.is_empty();
        let place = if own { namespace.to_owned() } else { self.object.namespace.clone() };
        Object { namespace: place, ..self.object.clone() }
    }
}

fn written(files: &Tree, name: impl Fn(&str) -> String, problems: &mut Vec<Diagnostic>) -> Vec<Written> {
    let (mut all, mut bytes) = (Vec::new(), 0);
    for path in files.paths() {
        let file = name(path);
        let Some(content) = files.file(path).filter(|_| path.ends_with(".yaml")) else {
            let problem = Diagnostic::new(file, "nothing reads this");
            problems.push(problem.help("the course's objects are in `*.yaml` and `*.yaml.hbs`"));
            continue;
        };
        bytes += content.len();
        if bytes > MOST_BYTES {
            let problem = Diagnostic::new(file, format!("`seed/` holds more than {} MiB", MOST_BYTES >> 20));
            problems.push(problem.help("keep what the task needs"));
            break;
        }
        let read = std::str::from_utf8(content).map_err(|_| Diagnostic::new(&file, "not UTF-8 text"));
        let read = read.and_then(|text| {
            Source::parse(text, Scalars::Unambiguous).map_err(|error| {
                let problem = Diagnostic::new(&file, error.message).at(error.spot);
                error.help.into_iter().fold(problem, Diagnostic::help)
            })
        });
        match read {
            Ok(source) => all.extend(source.documents.into_iter().filter_map(|node| {
                let value = node.to_value();
                (!value.is_null()).then(|| Written { file: file.clone(), node, value })
            })),
            Err(problem) => problems.push(problem),
        }
    }
    all
}

/// What one object is held to.
struct Known<'a> {
    environment: &'a Environment,
    all: &'a [Written],
}

impl Known<'_> {
    fn seed(&self, one: &Written, problems: &mut Vec<Diagnostic>) -> Option<Seed> {
        let before = problems.len();
        let (group, kind, name) = (one.group(), one.text("/kind"), one.text("/metadata/name"));
        if one.text("/apiVersion").is_empty() || kind.is_empty() || kind == "List" || name.is_empty() {
            let help = "write `apiVersion`, `kind` and `metadata.name`, one object in each document";
            problems.push(one.problem("", "this is not one Kubernetes object", help));
            return None;
        }
        self.metadata(one, problems);
        self.kind(one, problems);
        let scope = self.scope(group, kind);
        self.namespace(one, scope, problems);
        let object = Object {
            group: group.to_owned(),
            kind: kind.to_owned(),
            namespace: one.text("/metadata/namespace").to_owned(),
            name: name.to_owned(),
        };
        (problems.len() == before).then(|| Seed { value: one.value.clone(), object, scope })
    }

    fn metadata(&self, one: &Written, problems: &mut Vec<Diagnostic>) {
        let metadata = one.value["metadata"].as_object().into_iter().flatten();
        for (key, _) in metadata.filter(|(key, _)| !METADATA.contains(&key.as_str())) {
            let message = format!("`metadata.{key}` is the cluster's to write");
            problems.push(one.problem(&join("/metadata", key), message, "delete it"));
        }
        if one.text("/metadata/name") == ACCOUNT {
            let message = format!("`{ACCOUNT}` is what Gradus calls its own objects");
            problems.push(one.problem("/metadata/name", message, "choose another name"));
        }
        for field in ["labels", "annotations"] {
            let pointer = format!("/metadata/{field}");
            match one.value.pointer(&pointer) {
                None => {}
                Some(Value::Object(words)) => {
                    for (key, value) in words {
                        let at = join(&pointer, key);
                        if speaks_to_argocd(key) {
                            let message = format!("`{key}` speaks to Argo CD, whose object this is not");
                            problems.push(one.problem(&at, message, "delete it"));
                        } else if key == MANAGED.0 {
                            problems.push(one.problem(&at, "this label is Gradus's own", "delete it"));
                        } else if !value.is_string() {
                            let message = format!("the value of `{key}` is no text");
                            problems.push(one.problem(&at, message, "put it in quotes"));
                        }
                    }
                }
                Some(_) => {
                    problems.push(one.problem(&pointer, format!("`{field}` has to be a map"), "write `key: value`"));
                }
            }
        }
    }

    /// Whether it can be made there at all.
    fn kind(&self, one: &Written, problems: &mut Vec<Diagnostic>) {
        let (group, kind) = (one.group(), one.text("/kind"));
        if self.environment.tier == Tier::Namespace {
            let allowed = self.environment.allow.kinds.iter().any(|known| known.group == group && known.kind == kind);
            if group == "rbac.authorization.k8s.io" {
                let message = format!("{kind} says who may do what in a cluster that is shared");
                problems.push(one.problem("/kind", message, "use `tier: controlPlane`"));
            } else if !allowed {
                let message =
                    format!("the environment's account, which makes this in a shared cluster, may not make a {kind}");
                problems.push(one.problem("/kind", message, "name the kind in `allow.kinds`"));
            }
            return;
        }
        if one.defines() {
            let name = format!("{}.{}", one.text("/spec/names/plural"), one.text("/spec/group"));
            if one.text("/metadata/name") != name {
                let message = format!("a definition of this kind is called `{name}`");
                problems.push(one.problem("/metadata/name", message, format!("write `name: {name}`")));
            }
        }
        let version = one.text("/apiVersion").rsplit('/').next().unwrap_or_default();
        match self.definition(group, kind) {
            Some(definition) if !definition.versions().any(|served| served == version) => {
                let message = format!("the definition of {kind} serves no version `{version}`");
                problems.push(one.problem("/apiVersion", message, "write one of `spec.versions` with `served: true`"));
            }
            None if !BUILT_IN.contains(&group) && !group.ends_with(".k8s.io") => {
                let message = format!("nothing brings the kind {kind} of `{group}`");
                problems.push(one.problem("/kind", message, "add its CustomResourceDefinition to `seed/`"));
            }
            _ => {}
        }
    }

    fn definition(&self, group: &str, kind: &str) -> Option<&Written> {
        let of =
            |one: &&Written| one.defines() && one.text("/spec/group") == group && one.text("/spec/names/kind") == kind;
        self.all.iter().find(of)
    }

    fn scope(&self, group: &str, kind: &str) -> Scope {
        if let Some(definition) = self.definition(group, kind) {
            return if definition.text("/spec/scope") == "Cluster" { Scope::Cluster } else { Scope::Namespace };
        }
        let allowed = self.environment.allow.kinds.iter().find(|known| known.group == group && known.kind == kind);
        match allowed {
            _ if OF_THE_CLUSTER.contains(&(group, kind)) => Scope::Cluster,
            Some(allowed) => allowed.scope,
            None => Scope::Namespace,
        }
    }

    fn namespace(&self, one: &Written, scope: Scope, problems: &mut Vec<Diagnostic>) {
        let allow = &self.environment.allow;
        let Some(written) = one.value.pointer("/metadata/namespace") else { return };
        let Some(namespace) = written.as_str().filter(|text| !text.is_empty()) else {
            return problems.push(one.problem("/metadata/namespace", "this is no namespace", "delete the line"));
        };
        let seeded = || self.all.iter().any(|other| other.is_namespace() && other.text("/metadata/name") == namespace);
        // Those that the learner makes are not there yet.
        let learners = allow.kinds.iter().any(|kind| kind.group.is_empty() && kind.kind == "Namespace");
        let made = || !learners && allow.namespaces.iter().any(|known| known == namespace);
        let (message, help) = match scope {
            Scope::Cluster => (format!("{} is in no namespace", one.text("/kind")), "delete the line"),
            Scope::Namespace if self.environment.tier == Tier::Namespace => {
                ("in a shared cluster a learner has one namespace".to_owned(), "delete the line: it goes there")
            }
            Scope::Namespace if seeded() || made() => return,
            // In somebody else's cluster these are somebody else's.
            Scope::Namespace if self.environment.tier != Tier::External && EVERYWHERE.contains(&namespace) => return,
            Scope::Namespace => {
                let help = "delete the line, or add the Namespace to `seed/` or `allow.namespaces`";
                (format!("nothing makes the namespace `{namespace}` before"), help)
            }
        };
        problems.push(one.problem("/metadata/namespace", message, help));
    }
}

#[cfg(test)]
mod tests;
