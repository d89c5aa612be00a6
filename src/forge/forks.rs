//! Repositories of learners' own: forks of a workspace, as the forge lists them.
//!
//! Nothing else makes a repository one that is served: no webhook that names it, and not what it says of itself.

use std::collections::BTreeMap;
use std::future::Future;

use super::Answer;
use super::examine::Finding;
use super::hint::RepositoryName;

/// The forge's number of a repository: stays when it is renamed, and is another one when it is made anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct RepositoryId(pub u64);

impl std::fmt::Display for RepositoryId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// A fork of a workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fork {
    /// Which one.
    pub id: RepositoryId,
    /// What it is called now.
    pub repository: RepositoryName,
}

/// What is asked about learners' own repositories.
pub trait Forks: Send + Sync + 'static {
    /// All direct forks of the workspace that pull requests can be opened in.
    fn forks(&self) -> impl Future<Output = Answer<Vec<Fork>>> + Send;

    /// Whether we may do in this repository what a fork of a workspace needs.
    fn examine_rights(&self) -> impl Future<Output = Finding> + Send;
}

/// What has to be started and what ended.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Listed, and not served.
    pub start: Vec<Fork>,
    /// Served, and not listed; also under a name that belongs to another one by now.
    pub end: Vec<RepositoryName>,
}

/// Compares what is served with what is listed. What is `taken` is a workspace of the configuration and stays one.
pub fn changes(
    served: &BTreeMap<RepositoryName, RepositoryId>,
    listed: &[Fork],
    taken: impl Fn(&RepositoryName) -> bool,
) -> Changes {
    let wanted: BTreeMap<&RepositoryName, RepositoryId> =
        listed.iter().filter(|fork| !taken(&fork.repository)).map(|fork| (&fork.repository, fork.id)).collect();
    let end = served.iter().filter(|(name, id)| wanted.get(name) != Some(id)).map(|(name, _)| name.clone());
    let start = wanted.iter().filter(|(name, id)| served.get(*name) != Some(*id));
    Changes {
        start: start.map(|(name, id)| Fork { id: *id, repository: (*name).clone() }).collect(),
        end: end.collect(),
    }
}

#[cfg(test)]
mod tests {
    use std::slice::from_ref;

    use super::*;

    fn fork(id: u64, name: &str) -> Fork {
        Fork { id: RepositoryId(id), repository: name.parse().unwrap() }
    }

    /// What is started, and what ended, when these were served and those are listed.
    fn between(served: &[Fork], listed: &[Fork]) -> (Vec<u64>, Vec<String>) {
        let served = served.iter().map(|fork| (fork.repository.clone(), fork.id)).collect();
        let taken = |name: &RepositoryName| *name == "acme/hello".parse().unwrap();
        let Changes { start, end } = changes(&served, listed, taken);
        (start.iter().map(|fork| fork.id.0).collect(), end.iter().map(RepositoryName::to_string).collect())
    }

    fn nothing() -> (Vec<u64>, Vec<String>) {
        (Vec::new(), Vec::new())
    }

    #[test]
    fn forks_are_served_from_when_they_are_listed_until_they_are_not() {
        let (ada, bob) = (fork(1, "ada/hello"), fork(2, "bob/hello"));
        assert_eq!(between(&[], &[ada.clone(), bob.clone()]), (vec![1, 2], Vec::new()));
        assert_eq!(between(from_ref(&ada), &[ada.clone(), bob.clone()]), (vec![2], Vec::new()));
        assert_eq!(between(&[ada.clone(), bob.clone()], from_ref(&bob)), (Vec::new(), vec!["ada/hello".into()]));
        assert_eq!(between(&[ada.clone(), bob.clone()], &[bob, ada]), nothing());
    }

    #[test]
    fn a_fork_is_the_same_by_its_number_and_not_by_its_name() {
        let (old, renamed, anew) = (fork(1, "ada/hello"), fork(1, "ada/work"), fork(7, "Ada/Hello"));
        assert_eq!(between(from_ref(&old), &[renamed]), (vec![1], vec!["ada/hello".into()]));
        assert_eq!(between(from_ref(&old), &[anew]), (vec![7], vec!["ada/hello".into()]));
        assert_eq!(between(&[old], &[fork(1, "ADA/hello")]), nothing(), "names have no case");
    }

    #[test]
    fn a_workspace_of_the_configuration_is_nobodys_fork() {
        assert_eq!(between(&[], &[fork(9, "Acme/Hello")]), nothing());
        assert_eq!(between(&[], &[fork(1, "ada/hello"), fork(1, "ada/hello")]).0, [1], "listed twice");
    }
}
