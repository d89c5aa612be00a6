//! What is known of a learner's environment: the only thing of a cluster that a checkpoint may look at. Plain data, so that
//! it is judged in the sandbox like files, and can be judged again later without a cluster.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Judgement;
use super::scene::Scene;
use super::via::{Answer, Ask};

/// How the environment of a submission stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Environs {
    /// It is not there, for this reason: twins judge the files.
    Absent(String),
    /// It does not run the submission's commit, and this is what that means for each live checkpoint.
    Shut(Judgement),
    /// It was proven to run the commit while this was seen.
    Seen(Observed),
}

/// What was seen from the moment on when the environment was proven to run the commit.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Observed {
    /// What was looked for: of anything else nothing is known.
    #[serde(default)]
    pub asked: Vec<Want>,
    /// In the order of time. The first one begins at 0.
    pub samples: Vec<Sample>,
    /// Nobody looks any more: what is not decided by now is not going to be.
    pub over: bool,
    /// What was done after all this was seen, and what became of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scenes: Vec<Scene>,
}

/// The environment as it was for a while.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Sample {
    /// Milliseconds from the first look to the first that saw this.
    pub from: u64,
    /// Milliseconds from the first look to the last that saw this.
    pub to: u64,
    /// In no order that means anything.
    pub objects: Vec<Seen>,
    /// What was asked besides, with the answer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub answers: Vec<(Want, Said)>,
}

/// Something that a checkpoint wants to know of an environment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Want {
    /// The objects of a kind, in the environment's namespaces or, where they are in none, all of them.
    #[serde(rename_all = "camelCase")]
    Objects {
        /// As in `apps/v1`; none where the kind alone says enough.
        api_version: Option<String>,
        /// As in `Deployment`.
        kind: String,
    },
    /// Whether somebody may do something.
    Access(Access),
    /// What would become of an object if it were made now.
    DryRun(DryRun),
    /// What Argo CD says of the environment's Application.
    Application,
    /// What answers at an address.
    Http(Ask),
}

/// Whether somebody may do something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Access {
    /// Who.
    pub who: Who,
    /// As in `get`.
    pub verb: String,
    /// The API group; none for the core's.
    pub group: String,
    /// As in `pods`.
    pub resource: String,
    /// As in `exec` of `pods/exec`.
    pub subresource: Option<String>,
    /// To the object of this name only.
    pub name: Option<String>,
    /// Where, if the resource is in a namespace at all.
    pub reach: Reach,
}

/// Somebody the API server may know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Who {
    /// A user, who is authenticated, of these groups besides.
    User {
        /// As in `jane`.
        name: String,
        /// All of them: an API server does not look them up.
        groups: Vec<String>,
    },
    /// A service account, of the groups that such have.
    ServiceAccount {
        /// As in `deployer`.
        name: String,
        /// None: the environment's own.
        namespace: Option<String>,
    },
}

/// Where somebody would do something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Reach {
    /// In the environment's own namespace.
    Own,
    /// In this namespace.
    Namespace(String),
    /// In all namespaces at once.
    All,
}

/// What would become of an object if it were made now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DryRun {
    /// None: the environment's own. Without meaning for kinds that are in no namespace.
    pub namespace: Option<String>,
    /// The object.
    pub object: Value,
}

/// An answer of the API server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Said {
    /// None that counts, for this reason: it may come later.
    Nothing(String),
    /// Whether it is allowed.
    Access {
        /// Whether.
        allowed: bool,
        /// In which namespace; none where the resource is in none, and for all at once.
        namespace: Option<String>,
        /// The API server's words: which binding allows it, or what is wrong with one. May be empty.
        reason: String,
    },
    /// What checkpoints may look at of the environment's Application.
    Application(Value),
    /// What came of a question to a workload.
    Http(Answer),
    /// It would be made, as this. What is another with every look is left out: uid, time, and the end of a generated name.
    Admitted(Value),
    /// It would not be made.
    Refused {
        /// Of HTTP.
        code: u16,
        /// As in `Forbidden`.
        reason: String,
        /// The API server's words.
        message: String,
    },
}

/// An object as the API server gave it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Seen {
    /// Whole, with `metadata` and `status`; values of Secrets are left out.
    pub object: Value,
    /// Who made it.
    pub maker: Maker,
}

/// Who made an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Maker {
    /// The learner's Application tracks it: it comes from the commit.
    Commit,
    /// A controller made it for an object that comes from the commit, as a ReplicaSet of a Deployment.
    Controller,
    /// The course: it has this in the environment, or a controller made it for what it has there. Does not count.
    Course,
    /// Nothing of the commit: made by hand, or by somebody else. Does not count.
    Somebody,
}

impl Maker {
    /// Whether an object comes from the commit, whoever made it for that.
    pub fn is_of_the_commit(self) -> bool {
        match self {
            Self::Commit | Self::Controller => true,
            Self::Course | Self::Somebody => false,
        }
    }
}

impl Want {
    /// Whether the answer depends on objects of this kind. ResourceQuotas are left out: they change with all that they count.
    pub fn is_about(&self, group: &str, kind: &str) -> bool {
        match self {
            Want::Objects { api_version, kind: wanted } => {
                let of = |version: &str| version.split_once('/').map_or("", |(group, _)| group) == group;
                wanted == kind && api_version.as_deref().is_none_or(of)
            }
            Want::Application => false,
            // Whatever runs may be who answers.
            Want::Http(_) => ["", "apps", "batch"].contains(&group) && kind != "ResourceQuota",
            Want::Access(_) => group == "rbac.authorization.k8s.io",
            Want::DryRun(_) => match group {
                "" => ["LimitRange", "Namespace"].contains(&kind),
                group => group == "admissionregistration.k8s.io",
            },
        }
    }
}

impl Observed {
    /// Bytes of all samples as JSON, roughly.
    pub fn size(&self) -> usize {
        let of = |sample: &Sample| {
            let objects: usize = sample.objects.iter().map(|seen| seen.object.to_string().len()).sum();
            objects + sample.answers.iter().map(|(_, said)| said.size()).sum::<usize>()
        };
        let steps = self.scenes.iter().flat_map(|scene| &scene.steps);
        self.samples.iter().map(of).sum::<usize>() + steps.map(|step| step.seen.size()).sum::<usize>()
    }

    /// Takes another look: a new sample, unless the last one was the same.
    pub fn add(&mut self, at: Duration, objects: Vec<Seen>, answers: Vec<(Want, Said)>) {
        let at = u64::try_from(at.as_millis()).unwrap_or(u64::MAX);
        match self.samples.last_mut() {
            Some(last) if last.objects == objects && last.answers == answers => last.to = at,
            _ => self.samples.push(Sample { from: at, to: at, objects, answers }),
        }
    }
}

impl Said {
    /// Bytes of what a workload said; what the API server itself says is short.
    fn size(&self) -> usize {
        match self {
            Said::Http(Answer { reply: Ok(reply), .. }) => reply.body.as_deref().map_or(0, str::len),
            _ => 0,
        }
    }
}

impl Sample {
    /// The answer to what was asked; none where it was not.
    pub fn said(&self, want: &Want) -> Option<&Said> {
        self.answers.iter().find(|(asked, _)| asked == want).map(|(_, said)| said)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_that_saw_the_same_makes_the_last_sample_longer() {
        let seen = |n: i32| vec![Seen { object: n.into(), maker: Maker::Commit }];
        let mut observed = Observed::default();
        for (at, n) in [(0, 1), (250, 1), (500, 2), (1000, 1)] {
            observed.add(Duration::from_millis(at), seen(n), Vec::new());
        }
        let spans: Vec<_> = observed.samples.iter().map(|sample| (sample.from, sample.to)).collect();
        assert_eq!(spans, [(0, 250), (500, 500), (1000, 1000)]);
    }
}
