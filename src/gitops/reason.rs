//! Why the gate will not open for a commit, in the learner's words.

use std::fmt;
use std::time::Duration;

use super::failure::{Failure, Refusal, cut};
use super::object::Object;
use super::waiting::Waiting;
use crate::checkpoint::outcome::Blame;
use crate::submission::sha::CommitId;

/// Why the gate will not open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// The commit could not be applied.
    SyncFailed(Failure),
    /// No manifests could be made of the commit, or not compared.
    Incomparable(Failure),
    /// The AppProject does not let this in.
    DeniedByProject(Failure),
    /// The ServiceAccount that applies it may not.
    DeniedByImpersonation(Failure),
    /// The environment is to run another commit now.
    Superseded(CommitId),
    /// The Application is gone, going, or another one of the same name.
    Deleted,
    /// The Application is not as we made it.
    Changed(Field),
    /// The operation ended without a result, and Argo CD starts no other one by itself.
    Wedged,
    /// An object belongs to two Applications.
    Shared(String),
    /// The commit holds an object twice.
    Repeated(String),
    /// An object that counts is in the cluster and not in the commit.
    ByHand(Object),
    /// The learner's sync policy leaves a new commit alone.
    NotAutomated,
    /// The learner's sync policy leaves these objects in the cluster, which are not in the commit any more.
    NotPruned(Vec<Object>),
    /// It took too long.
    BudgetUsedUp {
        /// What was waited for at the end.
        waiting: Waiting,
        /// How long.
        budget: Duration,
    },
}

/// What of an Application is not as we made it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// The AppProject.
    Project,
    /// Repository or path, or how many sources there are.
    Source,
    /// Where the objects go.
    Destination,
}

impl Reason {
    /// Who refused decides under which name it is told.
    pub fn refused(failure: Failure) -> Self {
        match failure.refusal {
            Refusal::Project => Self::DeniedByProject(failure),
            Refusal::Impersonation => Self::DeniedByImpersonation(failure),
            Refusal::Object | Refusal::Trouble => Self::SyncFailed(failure),
        }
    }

    /// When the wait took too long: where a refusal is known, that is the reason.
    pub fn at_the_end(waiting: Waiting, budget: Duration) -> Self {
        match waiting {
            Waiting::Retrying(failure) => Self::refused(failure),
            Waiting::Incomparable(failure) => Self::Incomparable(failure),
            Waiting::Refused(failure) if failure.refusal == Refusal::Project => Self::DeniedByProject(failure),
            Waiting::Condition(condition) if condition.kind == "SharedResourceWarning" => {
                Self::Shared(condition.message)
            }
            waiting => Self::BudgetUsedUp { waiting, budget },
        }
    }

    /// The objects that it is about, each with the words about it.
    pub fn objects(&self) -> Vec<(&Object, &str)> {
        fn of(all: &[(Object, String)]) -> Vec<(&Object, &str)> {
            all.iter().map(|(one, words)| (one, words.as_str())).collect()
        }
        match self {
            Self::SyncFailed(failure)
            | Self::Incomparable(failure)
            | Self::DeniedByProject(failure)
            | Self::DeniedByImpersonation(failure) => of(&failure.objects),
            Self::ByHand(object) => vec![(object, "in the cluster and not in this commit")],
            Self::BudgetUsedUp { waiting: Waiting::Applying { unhealthy, .. }, .. } => of(unhealthy),
            _ => Vec::new(),
        }
    }

    /// Whether it lies in how the Application syncs.
    pub fn is_of_the_policy(&self) -> bool {
        matches!(self, Self::NotAutomated | Self::NotPruned(_))
    }

    /// Whose matter it is.
    pub fn blame(&self) -> Blame {
        match self {
            Self::SyncFailed(failure)
            | Self::Incomparable(failure)
            | Self::DeniedByProject(failure)
            | Self::DeniedByImpersonation(failure) => failure.blame,
            Self::Repeated(_) | Self::ByHand(_) | Self::NotAutomated | Self::NotPruned(_) => Blame::YourFiles,
            Self::BudgetUsedUp { waiting, .. } => waiting.blame(),
            Self::Superseded(_) | Self::Deleted | Self::Changed(_) | Self::Wedged | Self::Shared(_) => Blame::Ours,
        }
    }

    /// What to do next, as one sentence without a full stop.
    pub fn remedy(&self) -> &'static str {
        match (self, self.blame()) {
            (Self::Superseded(_), _) => "nothing: the review of the newer commit answers for this one, too",
            (Self::Repeated(_), _) => "keep one of the two and push",
            (Self::NotAutomated, _) => "let your Application apply what is new in Git without being asked",
            (Self::NotPruned(_), _) => "let your Application delete what is in Git no more",
            (Self::ByHand(_), _) => "commit its manifest: what is made by hand does not count",
            (Self::DeniedByProject(_) | Self::DeniedByImpersonation(_), Blame::YourFiles) => {
                "take out what the environment does not allow: the brief says which kinds it takes, in your own namespace"
            }
            (_, Blame::YourFiles) => "mend these objects and push",
            (_, Blame::NotHealthy | Blame::HealthyButWrong) => {
                "look why the object does not become healthy, mend it and push"
            }
            (_, Blame::Ours) => "nothing: it costs no points, is tried again, and the operator is told",
        }
    }
}

/// One sentence for the learner, without a full stop.
impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SyncFailed(failure) => write!(f, "this commit could not be applied: {failure}"),
            Self::Incomparable(failure) => write!(f, "Argo CD cannot compare the cluster with this commit: {failure}"),
            Self::DeniedByProject(failure) => write!(f, "the environment's project does not allow this: {failure}"),
            Self::DeniedByImpersonation(failure) => {
                write!(f, "the account that applies your files may not do this: {failure}")
            }
            Self::Superseded(by) => write!(f, "the environment runs the newer commit {} now", by.short()),
            Self::Deleted => f.write_str("the environment was taken away while this commit was looked at"),
            Self::Changed(field) => {
                let field = match field {
                    Field::Project => "project",
                    Field::Source => "source",
                    Field::Destination => "destination",
                };
                write!(f, "the {field} of the environment's Application is not as it was set up")
            }
            Self::Wedged => f.write_str("Argo CD lost an operation in a restart and starts no other one by itself"),
            Self::Shared(message) => write!(f, "an object belongs to two Applications: {}", cut(message)),
            Self::Repeated(message) => write!(f, "the commit holds an object twice: {}", cut(message)),
            Self::ByHand(object) => write!(f, "{object} is in the cluster and not in this commit"),
            Self::NotAutomated => f.write_str(
                "Argo CD sees this commit and does not apply it, as the sync policy of your Application says",
            ),
            Self::NotPruned(objects) => {
                let named: Vec<_> = objects.iter().take(5).map(Object::to_string).collect();
                write!(f, "not in this commit any more, and still in the cluster: {}", named.join(", "))
            }
            Self::BudgetUsedUp { waiting, budget } => {
                write!(f, "after {} seconds this commit was still not proven to run: {waiting}", budget.as_secs())
            }
        }
    }
}
