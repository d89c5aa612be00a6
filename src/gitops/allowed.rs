//! What an environment lets its learner apply.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::object::Object;

/// What an environment lets its learner apply. Nothing else is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Allowed {
    /// Of which kinds.
    pub kinds: Vec<AllowedKind>,
    /// Where objects go that name no namespace.
    pub namespace: String,
    /// Where else they may go.
    pub more_namespaces: Vec<String>,
    /// Annotations and labels that speak to Argo CD and may be set all the same.
    pub annotations: Vec<String>,
    /// Objects that are there already and stay as they are: the course's.
    pub seeded: Vec<Object>,
}

/// A kind that may be applied, of any version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowedKind {
    /// Its API group; empty for the core.
    pub group: String,
    /// Its name.
    pub kind: String,
    /// Where its objects are.
    pub scope: Scope,
}

/// Where objects of a kind are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Scope {
    /// In a namespace.
    #[default]
    Namespace,
    /// In none: they are of the whole cluster.
    Cluster,
}

impl Allowed {
    /// The entry for a kind.
    pub fn kind(&self, group: &str, kind: &str) -> Option<&AllowedKind> {
        self.kinds.iter().find(|allowed| allowed.group == group && allowed.kind == kind)
    }

    /// Whether objects may stand in this namespace.
    pub fn may_stand_in(&self, namespace: &str) -> bool {
        namespace == self.namespace || self.more_namespaces.iter().any(|more| more == namespace)
    }

    /// Whether this object may be applied. An empty namespace is the environment's own.
    pub fn holds(&self, object: &Object) -> bool {
        self.kind(&object.group, &object.kind).is_some_and(|kind| match kind.scope {
            Scope::Cluster => true,
            Scope::Namespace => object.namespace.is_empty() || self.may_stand_in(&object.namespace),
        })
    }
}
