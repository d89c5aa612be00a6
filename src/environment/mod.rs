//! Where a task's live checkpoints look (design §8): what an author writes in task.yaml, and what follows from it.
//! A task without an environment is judged by its files alone.

pub mod act;
pub mod address;
mod ask;
mod check;
mod clear;
pub mod client;
pub mod external;
pub mod follow;
pub mod lender;
pub mod look;
pub mod planes;
pub mod provision;
pub(crate) mod proxy;
pub mod reap;
pub mod reset;
pub mod seed;
mod sow;
pub mod undo;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use seed::Seeds;

use crate::course::id::TaskId;
pub use crate::gitops::allowed::Scope;
use crate::gitops::allowed::{Allowed, AllowedKind};
use crate::gitops::preflight::Origin;

/// Where a task's live checkpoints look, and what its learner may apply there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Environment {
    /// What it is.
    pub tier: Tier,
    /// The directory of plain manifests that Argo CD applies, below the task's. Either this or `application`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The file with the learner's own Application, below the task's directory. It is not applied: its path, which counts from
    /// the task's directory, and its sync policy are taken over into the environment's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub application: Option<String>,
    /// What the learner may apply. Everything else is refused before it is offered to Argo CD.
    pub allow: Allow,
    /// What the course has in it: the objects of the task's directory `seed/`.
    #[serde(skip)]
    pub seeds: Seeds,
}

/// What an environment is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Tier {
    /// A namespace of the learner's own in a shared cluster.
    Namespace,
    /// An API server of the learner's own.
    ControlPlane,
    /// A cluster that somebody else runs, by a kubeconfig of the operator's.
    External,
}

/// What a learner may apply.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Allow {
    /// Of which kinds, of any version.
    pub kinds: Vec<Kind>,
    /// Namespaces besides the environment's own; never in a shared cluster.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub namespaces: Vec<String>,
    /// Annotations and labels that speak to Argo CD and may be set all the same, as in `argocd.argoproj.io/sync-wave`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub annotations: Vec<String>,
}

/// A kind that may be applied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "AllowedKind")]
pub struct Kind {
    /// Its API group, as in `apps`; none for the core's.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub group: String,
    /// As in `Deployment`.
    pub kind: String,
    /// `cluster` where its objects are in no namespace; never in a shared cluster.
    #[serde(default)]
    pub scope: Scope,
}

impl Environment {
    /// What may be applied where objects that name no namespace go to this one.
    pub fn allowed(&self, namespace: &str) -> Allowed {
        let kind = |kind: &Kind| AllowedKind { group: kind.group.clone(), kind: kind.kind.clone(), scope: kind.scope };
        Allowed {
            kinds: self.allow.kinds.iter().map(kind).collect(),
            namespace: namespace.to_owned(),
            more_namespaces: self.allow.namespaces.clone(),
            annotations: self.allow.annotations.clone(),
            seeded: self.seeds.objects(namespace),
        }
    }

    /// What says which directory Argo CD applies, from the top of the workspace.
    pub fn origin(&self, task: &TaskId) -> Origin {
        let root = task.dir();
        match (&self.application, &self.path) {
            (Some(file), _) => Origin::Application { file: format!("{root}/{file}"), root },
            (None, path) => Origin::Directory(format!("{root}/{}", path.as_deref().unwrap_or_default())),
        }
    }
}
