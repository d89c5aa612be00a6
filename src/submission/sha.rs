//! Git object ids as types that cannot be mixed up.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The text is not a full object id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a full Git object id (40 hexadecimal digits)")]
pub struct InvalidSha(String);

macro_rules! shas {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// All 40 digits.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// The first seven digits, for people.
            pub fn short(&self) -> &str {
                &self.0[..7]
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidSha;
            fn try_from(text: String) -> Result<Self, InvalidSha> {
                let full = text.len() == 40 && text.bytes().all(|b| b.is_ascii_hexdigit());
                if full { Ok(Self(text.to_ascii_lowercase())) } else { Err(InvalidSha(text)) }
            }
        }

        impl std::str::FromStr for $name {
            type Err = InvalidSha;
            fn from_str(text: &str) -> Result<Self, InvalidSha> {
                Self::try_from(text.to_owned())
            }
        }

        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string", "pattern": r"^[0-9a-f]{40}$" })
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }

        impl From<git2::Oid> for $name {
            fn from(id: git2::Oid) -> Self {
                Self(id.to_string())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}

shas! {
    /// A commit.
    CommitId;
    /// A tree; the revision of a course is one.
    TreeId;
}
