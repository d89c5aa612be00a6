//! What a webhook tells: that a pull request is worth a look, and nothing else (`reference/forges.md` §14.1).

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::pull::PullNumber;

/// A repository on a forge, as in `acme/cnpe`. Equal whatever the case: forges take names in any.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct RepositoryName {
    owner: String,
    name: String,
}

/// The text names no repository.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not a repository: write `OWNER/NAME`, as in `acme/cnpe`", .0.escape_debug())]
pub struct InvalidRepository(String);

impl RepositoryName {
    /// Whose it is.
    pub fn owner(&self) -> &str {
        &self.owner
    }

    /// Its name below the owner.
    pub fn name(&self) -> &str {
        &self.name
    }

    fn folded(&self) -> (String, String) {
        (self.owner.to_ascii_lowercase(), self.name.to_ascii_lowercase())
    }
}

impl TryFrom<String> for RepositoryName {
    type Error = InvalidRepository;
    fn try_from(text: String) -> Result<Self, InvalidRepository> {
        // Harmless as parts of a path, in an address and on disk.
        let good = |part: &str| {
            !part.is_empty()
                && part.len() <= 100
                && part.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
                && !matches!(part, "." | "..")
        };
        match text.split_once('/') {
            Some((owner, name)) if good(owner) && good(name) => {
                Ok(Self { owner: owner.to_owned(), name: name.to_owned() })
            }
            _ => Err(InvalidRepository(text.chars().take(200).collect())),
        }
    }
}

impl std::str::FromStr for RepositoryName {
    type Err = InvalidRepository;
    fn from_str(text: &str) -> Result<Self, InvalidRepository> {
        Self::try_from(text.to_owned())
    }
}

impl From<RepositoryName> for String {
    fn from(repository: RepositoryName) -> String {
        repository.to_string()
    }
}

impl fmt::Display for RepositoryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.owner, self.name)
    }
}

impl PartialEq for RepositoryName {
    fn eq(&self, other: &Self) -> bool {
        self.folded() == other.folded()
    }
}

impl Eq for RepositoryName {}

impl PartialOrd for RepositoryName {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for RepositoryName {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.folded().cmp(&other.folded())
    }
}

/// What happened to a pull request, as far as it decides how urgent a look is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HintKind {
    /// Opened, reopened, made ready, or its head moved.
    NewHead,
    /// Somebody commented, reviewed or closed.
    Action,
    /// Anything else about a pull request, as a label.
    Other,
}

/// A pull request that is worth a look. No other fact of a webhook is believed: deliveries come late, twice, in any
/// order or never.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookHint {
    /// Where.
    pub repository: RepositoryName,
    /// Which one.
    pub number: PullNumber,
    /// How urgent.
    pub kind: HintKind,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repositories_are_owner_and_name_and_nothing_else() {
        for good in ["acme/cnpe", "A-b_c.d/x.y", "0/1"] {
            assert_eq!(good.parse::<RepositoryName>().unwrap().to_string(), good);
        }
        for bad in ["", "acme", "acme/", "/cnpe", "a/b/c", "a/..", "../b", "a b/c", "a/b?", "a/é", "a/b\n"] {
            assert!(bad.parse::<RepositoryName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn case_does_not_make_another_repository() {
        let name = |text: &str| text.parse::<RepositoryName>().unwrap();
        assert_eq!(name("Acme/CNPE"), name("acme/cnpe"));
        assert_ne!(name("acme/cnpe"), name("acme/hello"));
        assert!(std::collections::BTreeSet::from([name("Acme/CNPE")]).contains(&name("acme/cnpe")));
    }
}
