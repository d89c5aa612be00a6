//! Identifiers that authors write: lower-case words joined by dashes, so that each is also a safe path segment,
//! branch name and label value.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Longest identifier in characters: that of a Kubernetes label value and DNS label.
pub const MAX_ID: usize = 63;

/// The text is not an identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an identifier: use 1 to 63 of a-z, 0-9 and `-`, starting and ending with a letter or digit")]
pub struct InvalidId(String);

fn is_id(text: &str) -> bool {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    (1..=MAX_ID).contains(&text.len())
        && text.starts_with(inner)
        && text.ends_with(inner)
        && text.chars().all(|c| inner(c) || c == '-')
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The identifier as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;
            fn try_from(text: String) -> Result<Self, InvalidId> {
                if is_id(&text) { Ok(Self(text)) } else { Err(InvalidId(text)) }
            }
        }

        impl std::str::FromStr for $name {
            type Err = InvalidId;
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                Self::try_from(text.to_owned())
            }
        }

        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string", "pattern": r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$" })
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}

impl TaskId {
    /// Its directory in the workspace: `tasks/TASK-ID`.
    pub fn dir(&self) -> String {
        format!("tasks/{self}")
    }
}

ids! {
    /// A course, and the name of its directory.
    CourseId;
    /// A module of a course, and the name of its directory.
    ModuleId;
    /// A domain of a course, as in `d2-gitops`.
    DomainId;
    /// A task; unique in its course, the name of its directory and of `tasks/TASK-ID/` in the workspace.
    TaskId;
    /// A checkpoint; unique in its task.
    CheckpointId;
    /// A learner: the numeric user id on a forge (a login can change hands), locally the name given to `--learner`.
    Learner;
    /// A forge in the configuration of `gradus serve`; part of its webhooks' address.
    ForgeName;
    /// A server of the operator's that tasks may ask.
    ServerName;
    /// A cluster that somebody else runs; also on the AppProject of the environment that holds it.
    ClusterName;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_a_safe_path_segment() {
        for good in ["a", "d2-04", "argocd-sync-windows-freeze", &"a".repeat(63)] {
            assert!(good.parse::<TaskId>().is_ok(), "{good}");
        }
        for bad in ["", "-a", "a-", "A", "a/b", "..", "a_b", &"a".repeat(64), "é"] {
            assert!(bad.parse::<TaskId>().is_err(), "{bad}");
        }
    }
}
