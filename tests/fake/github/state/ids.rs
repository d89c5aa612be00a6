//! Ids as types that cannot be mixed up, and the node ids of GraphQL.

use std::fmt;

/// A user's or a bot's numeric id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserId(pub u64);

/// A repository's numeric id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RepoId(pub u64);

/// A pull request or an issue: its number within a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IssueRef {
    /// Where.
    pub repo: RepoId,
    /// As people write it, `#7`.
    pub number: u64,
}

impl fmt::Display for IssueRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.number)
    }
}

/// What a node id names. The prefixes are GitHub's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NodeKind {
    /// `U_`
    User,
    /// `BOT_`
    Bot,
    /// `R_`
    Repository,
    /// `PR_`
    Pull,
    /// `I_`
    Issue,
    /// `PRR_`
    Review,
    /// `PRRT_`
    Thread,
    /// `PRRC_`
    ReviewComment,
    /// `IC_`
    IssueComment,
    /// `LA_`
    Label,
    /// `SC_`
    Status,
    /// `A_`
    App,
}

impl NodeKind {
    const ALL: [(NodeKind, &'static str); 12] = [
        (NodeKind::User, "U_"),
        (NodeKind::Bot, "BOT_"),
        (NodeKind::Repository, "R_"),
        (NodeKind::Pull, "PR_"),
        (NodeKind::Issue, "I_"),
        (NodeKind::Review, "PRR_"),
        (NodeKind::Thread, "PRRT_"),
        (NodeKind::ReviewComment, "PRRC_"),
        (NodeKind::IssueComment, "IC_"),
        (NodeKind::Label, "LA_"),
        (NodeKind::Status, "SC_"),
        (NodeKind::App, "A_"),
    ];

    /// The node id of the object with this numeric id.
    pub fn node(self, id: u64) -> String {
        let prefix = Self::ALL.iter().find(|(kind, _)| *kind == self).map_or("", |(_, prefix)| prefix);
        format!("{prefix}kwDO{id:010}")
    }

    /// What a node id names.
    pub fn parse(node: &str) -> Option<(NodeKind, u64)> {
        let (prefix, rest) = node.split_once("kwDO")?;
        let (kind, _) = Self::ALL.iter().find(|(_, known)| *known == prefix)?;
        Some((*kind, rest.parse().ok()?))
    }
}
