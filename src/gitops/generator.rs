//! What the ApplicationSet controller is told: one Application for each environment that a learner holds. Pure.
//!
//! A list that is too short looks to Argo CD like environments that are gone. So there is a list or none, never a part of one.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::application::Destination;
use super::policy::Policy;
use crate::course::id::{Learner, TaskId};
use crate::forge::pull::Workspace;
use crate::submission::sha::CommitId;

/// A commit that pre-flight accepted for an environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    /// Whose environment.
    pub tenancy: Tenancy,
    /// The repository as Argo CD reaches it.
    pub repo_url: String,
    /// The directory that it applies, from the top.
    pub path: String,
    /// Which commit.
    pub commit: CommitId,
    /// The API server that the environment is in.
    pub server: String,
    /// How it is kept in sync.
    #[serde(default)]
    pub policy: Policy,
}

/// Who holds an environment, and of which task.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Tenancy {
    /// Where the pull request is.
    pub workspace: Workspace,
    /// Whose it is.
    pub learner: Learner,
    /// What is practised there.
    pub task: TaskId,
}

/// Characters of the task in a name.
const TASK: usize = 32;

/// Characters of the learner in a name.
const LEARNER: usize = 16;

impl Tenancy {
    /// The name of its Application, its AppProject and its namespace: for people, and one of its own however long or alike the
    /// ids are. It says nothing of the commit, so that a push changes an Application and makes none.
    pub fn name(&self) -> String {
        let Self { workspace, learner, task } = self;
        let whole = format!("{workspace}\n{learner}\n{task}");
        let digest = hex::encode(&Sha256::digest(whole)[..5]);
        let cut = |id: &str, most: usize| id.chars().take(most).collect::<String>();
        format!("{}-{}-{digest}", cut(task.as_str(), TASK), cut(learner.as_str(), LEARNER))
    }
}

impl Offer {
    /// Where its objects go.
    pub fn destination(&self) -> Destination {
        Destination { server: self.server.clone(), name: String::new(), namespace: self.tenancy.name() }
    }

    /// The parameters of its Application: all that an ApplicationSet fills in. None of them but the path is a learner's text.
    fn parameters(&self) -> Value {
        let name = self.tenancy.name();
        json!({
            "name": name, "project": name, "namespace": name, "server": self.server, "repoURL": self.repo_url,
            "path": self.path, "targetRevision": self.commit, "learner": self.tenancy.learner, "task": self.tenancy.task,
            "syncPolicy": self.policy.sync_policy(),
        })
    }
}

/// How sure we are of the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Certainty {
    /// Everything was compared with the forge since the start, and nothing is left to be looked at.
    Whole,
    /// Something may be missing.
    Partial,
}

/// The answer to the controller, in the plugin's form; none while the list may be too short.
pub fn answer(offers: &[Offer], certainty: Certainty) -> Option<Value> {
    let parameters: Vec<Value> = offers.iter().map(Offer::parameters).collect();
    (certainty == Certainty::Whole).then(|| json!({ "output": { "parameters": parameters } }))
}

#[cfg(test)]
mod tests {
    use super::*;

    pub fn offer(learner: &str, task: &str, digit: &str) -> Offer {
        let tenancy = Tenancy {
            workspace: Workspace("git.example.org/acme/cnpe".into()),
            learner: learner.parse().unwrap(),
            task: task.parse().unwrap(),
        };
        Offer {
            tenancy,
            repo_url: "https://git.example.org/acme/cnpe.git".into(),
            path: format!("tasks/{task}/manifests"),
            commit: digit.repeat(40).parse().unwrap(),
            server: "https://10.0.0.1:6443".into(),
            policy: Policy::default(),
        }
    }

    #[test]
    fn a_name_fits_says_nothing_of_the_commit_and_is_nobody_elses() {
        let names = |learner: &str, task: &str| offer(learner, task, "1").tenancy.name();
        assert_eq!(names("583231", "connect-the-shop"), offer("583231", "connect-the-shop", "2").tenancy.name());
        assert!(names("583231", "connect-the-shop").starts_with("connect-the-shop-583231-"));
        // Joined alike, cut alike.
        let long = "x".repeat(63);
        let pairs = [("b-c", "a"), ("c", "a-b"), (long.as_str(), long.as_str()), (&long[1..], &long[1..])];
        let all: std::collections::BTreeSet<_> = pairs.iter().map(|(learner, task)| names(learner, task)).collect();
        assert_eq!(all.len(), pairs.len());
        assert!(all.iter().all(|name| name.len() <= 63), "{all:?}");
    }

    #[test]
    fn the_controller_gets_the_newest_accepted_commit_of_each_environment() {
        let answer = answer(&[offer("583231", "connect-the-shop", "a")], Certainty::Whole).unwrap();
        let name = offer("583231", "connect-the-shop", "a").tenancy.name();
        assert_eq!(
            answer,
            json!({ "output": { "parameters": [{
                "name": name, "project": name, "namespace": name, "server": "https://10.0.0.1:6443",
                "repoURL": "https://git.example.org/acme/cnpe.git", "path": "tasks/connect-the-shop/manifests",
                "targetRevision": "a".repeat(40), "learner": "583231", "task": "connect-the-shop",
                "syncPolicy": Policy::default().sync_policy(),
            }] } })
        );
    }

    #[test]
    fn a_list_that_may_be_too_short_is_none() {
        assert_eq!(answer(&[offer("583231", "connect-the-shop", "a")], Certainty::Partial), None);
        assert_eq!(answer(&[], Certainty::Partial), None);
        assert_eq!(answer(&[], Certainty::Whole), Some(json!({ "output": { "parameters": [] } })));
    }
}
