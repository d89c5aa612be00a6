//! Which object of a cluster.

use std::fmt;

use serde::Deserialize;

/// Which object; of any version.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(default)]
pub struct Object {
    /// The API group; empty for the core.
    pub group: String,
    /// The kind.
    pub kind: String,
    /// Empty where it is of the whole cluster.
    pub namespace: String,
    /// The name.
    pub name: String,
}

/// As in `Deployment team-a/web`.
impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.namespace.as_str() {
            "" => write!(f, "{} {}", self.kind, self.name),
            namespace => write!(f, "{} {namespace}/{}", self.kind, self.name),
        }
    }
}
