//! The parts of a stack: one process each.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A process of a stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// Keeps what the API server knows.
    Etcd,
    /// The Kubernetes API.
    KubeApiserver,
    /// Service accounts, quotas, Deployments, garbage collection.
    KubeControllerManager,
    /// Gives pods a node.
    KubeScheduler,
    /// Plays the nodes: pods are said to run.
    Kwok,
    /// The cache of Argo CD.
    Redis,
    /// Reads repositories for Argo CD.
    ArgocdRepoServer,
    /// Syncs Applications.
    ArgocdApplicationController,
    /// Makes Applications of ApplicationSets.
    ArgocdApplicationsetController,
    /// The forge.
    Gitea,
}

impl Part {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Part; 10] = [
        Part::Etcd,
        Part::KubeApiserver,
        Part::KubeControllerManager,
        Part::KubeScheduler,
        Part::Kwok,
        Part::Redis,
        Part::ArgocdRepoServer,
        Part::ArgocdApplicationController,
        Part::ArgocdApplicationsetController,
        Part::Gitea,
    ];

    /// Its name, which is also that of its log.
    pub fn as_str(self) -> &'static str {
        match self {
            Part::Etcd => "etcd",
            Part::KubeApiserver => "kube-apiserver",
            Part::KubeControllerManager => "kube-controller-manager",
            Part::KubeScheduler => "kube-scheduler",
            Part::Kwok => "kwok",
            Part::Redis => "redis",
            Part::ArgocdRepoServer => "argocd-repo-server",
            Part::ArgocdApplicationController => "argocd-application-controller",
            Part::ArgocdApplicationsetController => "argocd-applicationset-controller",
            Part::Gitea => "gitea",
        }
    }

    /// What has to be left out for this part not to run; none for what a stack cannot be without.
    pub fn optional(self) -> Option<Optional> {
        match self {
            Part::Etcd | Part::KubeApiserver | Part::KubeControllerManager => None,
            Part::KubeScheduler | Part::Kwok => Some(Optional::Pods),
            Part::Redis
            | Part::ArgocdRepoServer
            | Part::ArgocdApplicationController
            | Part::ArgocdApplicationsetController => Some(Optional::Argocd),
            Part::Gitea => Some(Optional::Gitea),
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What a stack can be without.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Optional {
    /// Scheduler and simulated nodes: without them pods stay Pending
    Pods,
    /// Argo CD and its redis
    Argocd,
    /// The forge
    Gitea,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_has_one_name_in_the_state_on_the_command_line_and_on_its_log() {
        use clap::ValueEnum;
        for part in Part::ALL {
            assert_eq!(serde_json::to_value(part).unwrap(), part.as_str());
            assert_eq!(part.to_possible_value().unwrap().get_name(), part.as_str());
        }
    }
}
