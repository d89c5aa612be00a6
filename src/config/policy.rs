//! Policy as operators write it, and as reconcile takes it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::span::{InvalidSpan, Span};
use crate::reconcile::policy::{Labels, Learners, Policy, Verdicts};

/// How workspaces are run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(rename = "Policy")]
pub struct PolicyConfig {
    /// Who is graded; others get one polite refusal.
    pub learners: LearnersConfig,
    /// Whether a review decides anything on the forge.
    pub reviews: Reviews,
    /// How long a passed pull request stays open. Those in learners' own forks are theirs to merge or close.
    pub close_after: CloseAfter,
    /// Whether pull requests are labelled.
    pub labels: LabelsConfig,
    /// Where pull requests go.
    pub pull_requests: PullRequests,
}

impl Default for PolicyConfig {
    fn default() -> Self {
        Self {
            learners: LearnersConfig::Anyone,
            reviews: Reviews::Comment,
            close_after: CloseAfter(Some(Span::days(3))),
            labels: LabelsConfig::Written,
            pull_requests: PullRequests::Upstream,
        }
    }
}

/// What is different in one workspace.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct PolicyOverrides {
    /// Who is graded.
    pub learners: Option<LearnersConfig>,
    /// Whether a review decides anything on the forge.
    pub reviews: Option<Reviews>,
    /// How long a passed pull request stays open.
    pub close_after: Option<CloseAfter>,
    /// Whether pull requests are labelled.
    pub labels: Option<LabelsConfig>,
    /// Where pull requests go.
    pub pull_requests: Option<PullRequests>,
}

impl PolicyConfig {
    /// With what a workspace says otherwise.
    pub fn with(&self, overrides: &PolicyOverrides) -> Self {
        Self {
            learners: overrides.learners.clone().unwrap_or_else(|| self.learners.clone()),
            reviews: overrides.reviews.unwrap_or(self.reviews),
            close_after: overrides.close_after.unwrap_or(self.close_after),
            labels: overrides.labels.unwrap_or(self.labels),
            pull_requests: overrides.pull_requests.unwrap_or(self.pull_requests),
        }
    }
}

impl PolicyConfig {
    /// As reconcile takes it. `upstream` is what learners give to `git fetch`; `names` holds the learners' files that were
    /// read with the configuration.
    pub fn policy(&self, upstream: String, names: &BTreeMap<PathBuf, Names>) -> Policy {
        Policy {
            learners: match &self.learners {
                LearnersConfig::Anyone => Learners::Anyone,
                LearnersConfig::Collaborators => Learners::Collaborators,
                LearnersConfig::File(path) => Learners::Listed(names.get(path).cloned().unwrap_or_default()),
            },
            verdicts: match self.reviews {
                Reviews::Comment => Verdicts::Comment,
                Reviews::RequestChanges => Verdicts::Decide,
            },
            close_after: self.close_after.0.map(|span| span.0),
            labels: match self.labels {
                LabelsConfig::Written => Labels::Written,
                LabelsConfig::None => Labels::None,
            },
            ..Policy::forge(upstream)
        }
    }
}

/// Who is graded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum LearnersConfig {
    /// Everybody who opens a pull request.
    Anyone,
    /// Whom the repository's owner invited.
    Collaborators,
    /// Those in a file: one login or numeric id a line, `#` begins a remark. Relative to this file; read again when it
    /// changes.
    File(PathBuf),
}

/// Whether a review decides anything on the forge.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Reviews {
    /// A comment; the verdict is in the commit status.
    #[default]
    Comment,
    /// Approves what passed and requests changes of what did not.
    RequestChanges,
}

/// Whether pull requests are labelled.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum LabelsConfig {
    /// When something changed.
    #[default]
    Written,
    /// Never.
    None,
}

/// Where pull requests go.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum PullRequests {
    /// From forks to the workspace, where learners can read each other's work.
    #[default]
    Upstream,
    /// Inside of each learner's own fork of the workspace, where merging is the learner's deploy; those to the workspace
    /// are graded too.
    Fork,
}

/// How long a passed pull request stays open: a length of time, or `never` to leave it open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CloseAfter(pub Option<Span>);

const NEVER: &str = "never";

impl TryFrom<String> for CloseAfter {
    type Error = InvalidSpan;
    fn try_from(text: String) -> Result<Self, InvalidSpan> {
        if text == NEVER { Ok(Self(None)) } else { Span::try_from(text).map(|span| Self(Some(span))) }
    }
}

impl From<CloseAfter> for String {
    fn from(close: CloseAfter) -> String {
        close.0.map_or_else(|| NEVER.to_owned(), |span| span.to_string())
    }
}

impl JsonSchema for CloseAfter {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "CloseAfter".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A length of time, as in `3d`, or `never`.",
            "type": "string",
            "pattern": "^([0-9]+(ms|s|m|h|d)|never)$",
        })
    }
}

/// Logins in lower case and numeric ids.
pub type Names = Arc<BTreeSet<String>>;

/// A line of the learners' file that names nobody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OddLine {
    /// From 1.
    pub line: usize,
    /// What stands there.
    pub text: String,
}

impl fmt::Display for OddLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "line {}: `{}` is no login: write one login or numeric id a line",
            self.line,
            self.text.escape_debug()
        )
    }
}

/// Reads a learners' file. A line that names nobody is refused: it may be somebody who would not be graded.
pub fn names(text: &str) -> Result<BTreeSet<String>, OddLine> {
    let mut names = BTreeSet::new();
    for (index, line) in text.lines().enumerate() {
        let name = line.split('#').next().unwrap_or_default().trim();
        if name.is_empty() {
            continue;
        }
        let plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
        if name.len() > 100 || !name.chars().all(plain) {
            return Err(OddLine { line: index + 1, text: name.chars().take(40).collect() });
        }
        names.insert(name.to_lowercase());
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workspace_changes_only_what_it_names() {
        let overrides: PolicyOverrides =
            serde_json::from_str(r#"{"reviews": "requestChanges", "closeAfter": "never"}"#).unwrap();
        let policy = PolicyConfig::default().with(&overrides);
        let expected =
            PolicyConfig { reviews: Reviews::RequestChanges, close_after: CloseAfter(None), ..PolicyConfig::default() };
        assert_eq!(policy, expected);
    }

    #[test]
    fn defaults_are_those_of_a_workspace_on_a_forge() {
        let upstream = "https://git.example.org/acme/hello.git".to_owned();
        assert_eq!(PolicyConfig::default().policy(upstream.clone(), &BTreeMap::new()), Policy::forge(upstream));
    }

    #[test]
    fn nobody_is_graded_by_a_list_that_was_not_read() {
        let config = PolicyConfig { learners: LearnersConfig::File("gone".into()), ..PolicyConfig::default() };
        let policy = config.policy(String::new(), &BTreeMap::new());
        assert_eq!(policy.learners, Learners::Listed(Names::default()));
    }

    #[test]
    fn learners_are_one_a_line_in_any_case_with_remarks() {
        let read = names("Ada\n\n# the second group\nbob-2 # late\n  4711\r\n").unwrap();
        assert_eq!(read.into_iter().collect::<Vec<_>>(), ["4711", "ada", "bob-2"]);
        let odd = names("ada\nbob, eve\n").unwrap_err();
        assert_eq!(odd, OddLine { line: 2, text: "bob, eve".into() });
        assert_eq!(names("").unwrap(), BTreeSet::new());
    }
}
