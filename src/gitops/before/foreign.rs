//! Somebody else's Application, as far as a change of global settings may break it.

use serde_json::Value;

use super::HERE;
use crate::environment::reap::TASK;
use crate::gitops::filter::{Filter, matches};
use crate::submission::sha::CommitId;

/// Characters that Argo CD refuses in an account's name.
const REFUSED: &[char] = &['!', '*', '[', ']', '{', '}', '\\', '/'];

/// An Application.
#[derive(Debug, Clone)]
pub struct Foreign {
    /// With its namespace.
    pub name: String,
    /// Its project.
    pub project: String,
    /// Whether it syncs only what is out of sync.
    pub applies_out_of_sync_only: bool,
    /// Whether it looks for a newer commit by itself.
    pub follows_a_branch: bool,
    server: Cluster,
    namespace: String,
    sources: Vec<Value>,
    types: Vec<String>,
    kinds: Vec<(String, String)>,
}

/// How an Application calls its cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Cluster {
    At(String),
    /// Which address that is stands in a Secret, which is not read.
    Named(String),
}

/// Namespace and name.
pub fn place(object: &Value) -> (&str, &str) {
    (text(object, "/metadata/namespace"), text(object, "/metadata/name"))
}

/// Whether an ApplicationSet has a generator that asks a forge, itself or in another one.
pub fn asks_a_forge(set: &Value) -> bool {
    match set {
        Value::Object(fields) => fields
            .iter()
            .any(|(key, value)| ["scmProvider", "pullRequest"].contains(&key.as_str()) || asks_a_forge(value)),
        Value::Array(items) => items.iter().any(asks_a_forge),
        _ => false,
    }
}

fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn list<'a>(object: &'a Value, pointer: &str) -> &'a [Value] {
    object.pointer(pointer).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

impl Foreign {
    /// None where it is one of ours.
    pub fn read(object: &Value) -> Option<Self> {
        if object.pointer("/metadata/labels").is_some_and(|labels| labels.get(TASK).is_some()) {
            return None;
        }
        let (namespace, name) = place(object);
        let single = object.pointer("/spec/source").into_iter();
        let sources: Vec<Value> = single.chain(list(object, "/spec/sources")).cloned().collect();
        let types = object.pointer("/status/sourceType").into_iter().chain(list(object, "/status/sourceTypes"));
        let server = match (text(object, "/spec/destination/server"), text(object, "/spec/destination/name")) {
            ("", "" | "in-cluster") => Cluster::At(HERE.to_owned()),
            ("", name) => Cluster::Named(name.to_owned()),
            (server, _) => Cluster::At(server.to_owned()),
        };
        let kind = |resource: &Value| (text(resource, "/group").to_owned(), text(resource, "/kind").to_owned());
        let project = match text(object, "/spec/project") {
            "" => "default",
            named => named,
        };
        let floats = |source: &Value| text(source, "/targetRevision").parse::<CommitId>().is_err();
        Some(Self {
            name: format!("{namespace}/{name}"),
            project: project.to_owned(),
            applies_out_of_sync_only: list(object, "/spec/syncPolicy/syncOptions")
                .iter()
                .any(|option| option == "ApplyOutOfSyncOnly=true"),
            follows_a_branch: sources.iter().any(floats),
            server,
            namespace: text(object, "/spec/destination/namespace").to_owned(),
            types: types.filter_map(Value::as_str).map(str::to_lowercase).collect(),
            kinds: list(object, "/status/resources").iter().map(kind).collect(),
            sources,
        })
    }

    /// Why no account applies it once accounts do; none where one does. As Argo CD looks: the first that matches.
    pub fn lacks_account(&self, projects: &[Value]) -> Option<String> {
        let Some(project) = projects.iter().find(|project| place(project).1 == self.project) else {
            return Some(format!("its project `{}` is not there", self.project));
        };
        let fits = |account: &&Value| {
            let server = text(account, "/server");
            matches(text(account, "/namespace"), &self.namespace)
                && match &self.server {
                    Cluster::At(address) => matches(server, address),
                    Cluster::Named(_) => server == "*",
                }
        };
        match list(project, "/spec/destinationServiceAccounts").iter().find(fits) {
            Some(account) => {
                let name = text(account, "/defaultServiceAccount");
                (name.trim().is_empty() || name.contains(REFUSED))
                    .then(|| format!("its project `{}` names the account `{name}`, which is none", self.project))
            }
            None => {
                let (Cluster::At(cluster) | Cluster::Named(cluster)) = &self.server;
                Some(format!(
                    "its project `{}` names no account for {cluster}, namespace `{}`",
                    self.project, self.namespace
                ))
            }
        }
    }

    /// Whether a tool makes its manifests.
    pub fn renders(&self, tool: &str) -> bool {
        let says = |source: &Value| match tool {
            "helm" => source.get("chart").is_some() || source.get("helm").is_some(),
            "jsonnet" => source
                .pointer("/directory/jsonnet")
                .and_then(Value::as_object)
                .is_some_and(|options| !options.is_empty()),
            other => source.get(other).is_some(),
        };
        self.types.iter().any(|known| known == tool) || self.sources.iter().any(says)
    }

    /// The kinds it has that would not be there for Argo CD any more.
    pub fn loses(&self, next: &Filter, now: &Filter) -> Option<String> {
        let Cluster::At(cluster) = &self.server else { return None };
        let lost = self
            .kinds
            .iter()
            .filter(|(group, kind)| next.leaves_out(group, kind, cluster) && !now.leaves_out(group, kind, cluster));
        let mut lost: Vec<&str> = lost.map(|(_, kind)| kind.as_str()).collect();
        lost.sort_unstable();
        lost.dedup();
        (!lost.is_empty()).then(|| format!("has {}, which Argo CD would not look at any more", lost.join(", ")))
    }
}
