//! The kinds as instructors write them, by command or by hand. JSON Schemas come from these types.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use super::when::{Moment, Span};
use crate::course::id::{CheckpointId, CourseId, Learner, TaskId};
use crate::course::kinds::ApiVersion;
use crate::forge::pull::Login;
use crate::review::safe::is_invisible;

macro_rules! files {
    ($($(#[$doc:meta])* $file:ident, $title:literal, $kind:ident = $word:ident, $spec:ident;)*) => {$(
        /// The name of the kind.
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
        pub enum $kind {
            /// The only one.
            #[default]
            $word,
        }

        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
        #[serde(rename_all = "camelCase", deny_unknown_fields)]
        #[schemars(rename = $title)]
        pub struct $file {
            /// `gradus.dev/v1alpha1`.
            pub api_version: ApiVersion,
            /// The name of the kind.
            pub kind: $kind,
            /// Who decided, and when.
            pub metadata: Metadata,
            /// What was decided.
            pub spec: $spec,
        }

        impl $file {
            /// A decision of now.
            pub fn new(metadata: Metadata, spec: $spec) -> Self {
                Self { api_version: ApiVersion::default(), kind: $kind::default(), metadata, spec }
            }
        }
    )*};
}

files! {
    /// A checkpoint counts as passed for one learner.
    WaiverFile, "Waiver", WaiverKind = Waiver, WaiverSpec;
    /// A learner has more time for a task.
    ExtensionFile, "Extension", ExtensionKind = Extension, ExtensionSpec;
    /// The points of a learner's task are set by an instructor.
    OverrideFile, "Override", OverrideKind = Override, OverrideSpec;
    /// A checkpoint is not trusted for a while, for anybody.
    QuarantineFile, "Quarantine", QuarantineKind = Quarantine, QuarantineSpec;
}

/// Who decided, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Metadata {
    /// Who decided.
    pub author: Instructor,
    /// When: the newest decision counts.
    pub at: Moment,
    /// The pull request where it was said, as in `github.com/acme/cnpe#12`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pull: Option<String>,
}

/// Who decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Instructor {
    /// The numeric user id on the forge.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "some_id")]
    #[schemars(schema_with = "id_schema")]
    pub id: Option<Learner>,
    /// What they are called.
    #[schemars(with = "String")]
    pub login: Login,
}

/// About whom.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Concerned {
    /// The numeric user id on the forge, which is also the name of the learner's file; locally the name.
    #[serde(deserialize_with = "id")]
    #[schemars(schema_with = "id_schema")]
    pub id: Learner,
    /// What they are called: for people to read, not looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub login: Option<Login>,
}

impl Concerned {
    /// As people call them.
    pub fn name(&self) -> &str {
        self.login.as_ref().map_or(self.id.as_str(), |login| &login.0)
    }
}

/// A checkpoint counts as passed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WaiverSpec {
    /// For whom.
    pub learner: Concerned,
    /// Of which course.
    pub course: CourseId,
    /// Of which task.
    pub task: TaskId,
    /// Which checkpoint.
    pub checkpoint: CheckpointId,
    /// Why.
    pub reason: Reason,
}

/// More time; exactly one of `by` and `until`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExtensionSpec {
    /// For whom.
    pub learner: Concerned,
    /// Of which course.
    pub course: CourseId,
    /// For which task.
    pub task: TaskId,
    /// So much later than the due date.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Span>,
    /// Until then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Moment>,
    /// Why.
    pub reason: Reason,
}

/// The points of a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OverrideSpec {
    /// For whom.
    pub learner: Concerned,
    /// Of which course.
    pub course: CourseId,
    /// Of which task.
    pub task: TaskId,
    /// Points that count, whatever was judged and hinted.
    pub points: u32,
    /// Points that the task has: with these it is passed.
    pub of: u32,
    /// How long they count.
    #[serde(default, skip_serializing_if = "Holds::is_default")]
    pub holds: Holds,
    /// Why.
    pub reason: Reason,
}

/// How long the points of an override count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Holds {
    /// Until a later override.
    #[default]
    UntilOverride,
    /// Until a later override, or a later verdict with more points.
    UntilBetter,
}

impl Holds {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// A checkpoint that is not trusted: whatever does not pass it is our `error`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct QuarantineSpec {
    /// Of which course.
    pub course: CourseId,
    /// Of which task.
    pub task: TaskId,
    /// Which checkpoint.
    pub checkpoint: CheckpointId,
    /// Until then.
    pub until: Moment,
    /// Why; learners read it.
    pub reason: Reason,
    /// Ended before its time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifted: Option<Lifted>,
}

/// Who ended a quarantine, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Lifted {
    /// Who.
    pub author: Instructor,
    /// When.
    pub at: Moment,
}

/// Most characters of a reason.
pub const MAX_REASON: usize = 2000;

/// Why something was decided: not empty, one line, without characters that hide or reorder others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct Reason(String);

/// There is no reason.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidReason {
    /// Nothing to read.
    #[error("a decision needs a reason: say in a few words why")]
    Empty,
    /// Too much to read.
    #[error("the reason is longer than {MAX_REASON} characters")]
    Long,
}

impl Reason {
    /// The text; hostile like any text of users where it is shown.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Reason {
    type Error = InvalidReason;
    fn try_from(text: String) -> Result<Self, InvalidReason> {
        let visible: String = text.chars().map(|c| if is_invisible(c) { ' ' } else { c }).collect();
        let text = visible.split_whitespace().collect::<Vec<_>>().join(" ");
        match text.chars().count() {
            0 => Err(InvalidReason::Empty),
            1..=MAX_REASON => Ok(Self(text)),
            _ => Err(InvalidReason::Long),
        }
    }
}

impl std::str::FromStr for Reason {
    type Err = InvalidReason;
    fn from_str(text: &str) -> Result<Self, InvalidReason> {
        Self::try_from(text.to_owned())
    }
}

impl From<Reason> for String {
    fn from(reason: Reason) -> String {
        reason.0
    }
}

/// A user id may be written as the number that it is on a forge.
#[derive(Deserialize)]
#[serde(untagged, expecting = "`id` must be the numeric user id on the forge, or a name")]
enum Id {
    Number(u64),
    Text(String),
}

fn id<'de, D: Deserializer<'de>>(input: D) -> Result<Learner, D::Error> {
    let text = match Id::deserialize(input)? {
        Id::Number(number) => number.to_string(),
        Id::Text(text) => text,
    };
    text.parse().map_err(serde::de::Error::custom)
}

fn some_id<'de, D: Deserializer<'de>>(input: D) -> Result<Option<Learner>, D::Error> {
    id(input).map(Some)
}

fn id_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "description": "The numeric user id on the forge; locally the name.",
        "anyOf": [
            { "type": "integer", "minimum": 0 },
            { "type": "string", "pattern": r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$" },
        ],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_says_something_in_one_line() {
        assert_eq!("  a\n b\u{202e}c ".parse::<Reason>().unwrap().as_str(), "a b c");
        assert_eq!(" \u{200b}\n".parse::<Reason>(), Err(InvalidReason::Empty));
        assert_eq!("x".repeat(MAX_REASON + 1).parse::<Reason>(), Err(InvalidReason::Long));
    }
}
